"""Who may send how much: what the relay carries is divided evenly among the nodes that use it at the moment.

Time is cut into ticks of 20 ms. In each, every node that asked for something in the last second gets the same number of
bytes; what it does not use within two ticks is gone. A node that is alone has the whole relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from solders.pubkey import Pubkey

TICK_SECS = 0.02
_ACTIVE_TICKS = 50


class Share:
    """What one node may still send, and who waits to be told that it may again."""

    __slots__ = ("credit", "seen", "waiting")

    def __init__(self, credit: float, seen: int) -> None:
        self.credit, self.seen = credit, seen
        self.waiting: list[Callable[[], None]] = []


class Shares:
    """bytes_per_sec: of all nodes together."""

    def __init__(self, bytes_per_sec: float) -> None:
        self._per_tick = bytes_per_sec * TICK_SECS
        self._shares: dict[Pubkey, Share] = {}
        self._tick = 0

    def spend(self, node: Pubkey, size: int) -> bool:
        """Count bytes that are sent in any case; whether the node may send more at once."""
        share = self._share(node)
        share.credit -= size
        return share.credit > 0

    def may(self, node: Pubkey) -> bool:
        """Whether the node has anything left."""
        return self._share(node).credit > 0

    def wait(self, node: Pubkey, then: Callable[[], None]) -> None:
        """Call when the node may send again."""
        self._share(node).waiting.append(then)

    @property
    def active(self) -> int:
        return len(self._shares)

    def _share(self, node: Pubkey) -> Share:
        share = self._shares.get(node)
        if share is None:
            share = self._shares[node] = Share(self._per_tick / (len(self._shares) + 1), self._tick)
        share.seen = self._tick
        return share

    async def run(self) -> None:
        """Give out, for as long as the relay runs."""
        while True:
            await asyncio.sleep(TICK_SECS)
            self.tick()

    def tick(self) -> None:
        self._tick += 1
        for node in [n for n, s in self._shares.items() if not s.waiting and self._tick - s.seen > _ACTIVE_TICKS]:
            if self._shares[node].credit > 0:
                del self._shares[node]
        if not self._shares:
            return
        part = self._per_tick / len(self._shares)
        for share in list(self._shares.values()):
            share.credit = min(share.credit + part, 2 * part)
            if share.credit > 0 and share.waiting:
                waiting, share.waiting = share.waiting, []
                for then in waiting:
                    then()
