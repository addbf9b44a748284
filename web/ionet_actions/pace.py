"""Which chain it is, and how fast its blocks come, so that a person sees seconds instead of a block height."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable

from ionet.errors import RpcError
from ionet.rpc import Rpc

_LOOK_SECS = 5.0
_FIRST_SECS = 0.5  # until the second look
_KEPT = 12  # looks: a minute
_LIFE = 150
"""Blocks for which a blockhash is good, and by which `last_valid_block_height` is above the newest block."""
_SLOWEST_SECS = 0.4
"""Of a block: what is taken before two looks have shown it."""
CHAINS = {
    "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d": "solana:mainnet",
    "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxkPkdBG": "solana:devnet",
}
"""By genesis hash."""


class Pace:
    """The chain's newest blocks, as this process saw them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._chain: str | None = None
        self._seen: deque[tuple[float, int]] = deque(maxlen=_KEPT)

    async def chain(self, rpc: Rpc) -> str:
        """As the Wallet Standard names it; every chain without a name there is a local one. Raises RpcError."""
        if self._chain is None:
            self._chain = CHAINS.get((await rpc.health())["genesis"], "solana:localnet")
        return self._chain

    def saw(self, height: int) -> None:
        """A block height that was the newest just now."""
        if not self._seen or height > self._seen[-1][1]:
            self._seen.append((self._clock(), height))

    def secs_left(self, last_valid_block_height: int) -> float:
        """Seconds until a block height is reached, never negative."""
        if not self._seen:
            return _LIFE * _SLOWEST_SECS
        (first, low), (last, high) = self._seen[0], self._seen[-1]
        secs = (last - first) / (high - low) if high > low else _SLOWEST_SECS
        blocks = last_valid_block_height - high - (self._clock() - last) / secs if secs else 0.0
        return round(max(0.0, blocks * secs), 1)

    async def run(self, rpc: Rpc) -> None:
        """Look until cancelled; where the node does not answer, the last pace holds."""
        wait = _FIRST_SECS
        while True:
            with contextlib.suppress(RpcError):
                self.saw((await rpc.blockhash()).last_valid_block_height - _LIFE)
            await asyncio.sleep(wait)
            wait = _LOOK_SECS
