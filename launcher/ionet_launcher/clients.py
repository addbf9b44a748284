"""A client for each agent that was asked lately: their open connections are kept, but not for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping

from ionet.agent_api import AgentClient, Urls
from ionet.agent_errors import AgentUnreachable
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.device_keys import DeviceKeys

MAX_CLIENTS = 8192


class NoAgent(AgentUnreachable):
    """no agent is configured for the node"""


class _Held:
    def __init__(self, urls: Urls, device: Pubkey, client: AgentClient) -> None:
        self.urls, self.device, self.client, self.uses = urls, device, client, 0


class Clients:
    """At most `most` clients that nobody uses, the last used ones. urls: node → where its agent is."""

    def __init__(
        self, session: Keypair, urls: Mapping[Pubkey, Urls], keys: DeviceKeys, *, most: int = MAX_CLIENTS
    ) -> None:
        self._session, self._urls, self._keys, self._most = session, urls, keys, most
        self._held: OrderedDict[Pubkey, _Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    async def aclose(self) -> None:
        held = list(self._held.values())
        self._held.clear()
        await asyncio.gather(*(one.client.aclose() for one in held))

    @contextlib.asynccontextmanager
    async def of(self, node: Pubkey) -> AsyncIterator[AgentClient]:
        """A client for the agent of a node, open within the block. Raises NoAgent, KeyUnknown."""
        if self._urls.get(node) is None:
            raise NoAgent
        device = await self._keys.of(node)
        urls = self._urls.get(node)
        if urls is None:
            raise NoAgent
        held = self._held.get(node)
        if held is None or held.urls != urls or held.device != device:
            held = _Held(urls, device, AgentClient(urls, device, self._session, node=node))
            before, self._held[node] = self._held.get(node), held
            if before is not None and before.uses == 0:
                await before.client.aclose()
        self._held.move_to_end(node)
        held.uses += 1
        try:
            yield held.client
        finally:
            held.uses -= 1
            await self._close_unused(node, held)

    async def _close_unused(self, node: Pubkey, held: _Held) -> None:
        if held.uses == 0 and self._held.get(node) is not held:
            await held.client.aclose()
        while len(self._held) > self._most:
            unused = next((key for key, one in self._held.items() if one.uses == 0), None)
            if unused is None:
                return
            await self._held.pop(unused).client.aclose()
