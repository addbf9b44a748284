"""The device keys of nodes as the chain has them: only who holds a node's key is its agent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ionet.agent_errors import AgentUnreachable
from ionet.errors import IonetError
from solders.pubkey import Pubkey

MAX_KEYS = 32_768
# A key that was rotated is noticed after this long.
_FRESH_SECS = 30.0
_log = logging.getLogger(__name__)


class KeyUnknown(AgentUnreachable):
    """the node's device key is not known"""


class DeviceKeys:
    """`read` gives the keys of those nodes that exist; everything that is asked at a moment is one call of it."""

    def __init__(self, read: Callable[[Sequence[Pubkey]], Awaitable[Mapping[Pubkey, Pubkey]]]) -> None:
        self._read = read
        self._known: OrderedDict[Pubkey, tuple[Pubkey, float]] = OrderedDict()
        self._asked: list[Pubkey] = []
        self._reading: asyncio.Task[str] | None = None

    async def of(self, node: Pubkey) -> Pubkey:
        """The key that the chain names, at most half a minute old. Raises KeyUnknown.

        While the chain does not answer the last one is good: an old key at an old address is still that node's.
        """
        known = self._known.get(node)
        if known is not None and time.monotonic() - known[1] < _FRESH_SECS:
            return known[0]
        self._asked.append(node)
        reading = self._reading
        if reading is None:
            reading = self._reading = asyncio.create_task(self._read_all())
        failed = await asyncio.shield(reading)
        known = self._known.get(node)
        if known is None:
            raise KeyUnknown(failed or f"{node} is not registered")
        return known[0]

    async def _read_all(self) -> str:
        """Why the chain did not answer; empty when it did."""
        await asyncio.sleep(0)  # others ask in the same moment
        asked, self._asked, self._reading = list(dict.fromkeys(self._asked)), [], None
        try:
            found = await self._read(asked)
        except IonetError as error:
            _log.warning("device keys are not read: %s", error, extra={"action": "keys_kept"})
            return str(error)
        now = time.monotonic()
        for node in asked:
            self._known.pop(node, None)
            if node in found:
                self._known[node] = found[node], now
        while len(self._known) > MAX_KEYS:
            self._known.popitem(last=False)
        return ""
