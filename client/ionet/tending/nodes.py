"""Several RPC nodes: one is asked, and another when it fails or stands still.

Nothing that was seen belongs to a node, so a change of nodes needs nothing but the next look.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self

from solana.rpc.commitment import Processed

from ionet.client import Client
from ionet.rpc import Rpc
from ionet.wallet import Signer

FROZEN_SECS = 20.0
_TIMEOUT = 15.0
_log = logging.getLogger(__name__)


class Nodes:
    """An async context manager. client: sends and confirms. near: reads what others have in flight as well."""

    def __init__(
        self,
        urls: Sequence[str],
        wallet: Signer | None,
        max_priority_fee: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = [Client(url, wallet, max_priority_fee=max_priority_fee) for url in urls]
        self._near = [Rpc(url, commitment=Processed, timeout=_TIMEOUT) for url in urls]
        self._clock, self._slot, self._risen_at = clock, -1, clock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for client, near in zip(self._clients, self._near, strict=True):
            await self._open.enter_async_context(client)
            await self._open.enter_async_context(near)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def client(self) -> Client:
        return self._clients[0]

    @property
    def near(self) -> Rpc:
        return self._near[0]

    def note_slot(self, slot: int) -> bool:
        """Whether the chain goes on, as far as its answers say; if not, another node is asked from now on."""
        now = self._clock()
        if slot > self._slot:
            self._slot, self._risen_at = slot, now
        if now - self._risen_at <= FROZEN_SECS:
            return True
        self.turn(f"the slot stands still at {self._slot}")
        # Each node gets its time; a chain that went back is believed by then.
        self._slot, self._risen_at = slot, now
        return False

    def turn(self, why: str) -> None:
        """Ask the next node from now on."""
        if len(self._clients) > 1:
            self._clients.append(self._clients.pop(0))
            self._near.append(self._near.pop(0))
            _log.warning("%s: asking %s instead", why, self.client.rpc.url, extra={"action": "rpc_turn"})
