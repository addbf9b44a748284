"""The chain's clock: wall time, possibly faster, moved ahead or held."""

from __future__ import annotations

import time


class WallClock:
    """Unix time in seconds, from `start` on, `factor` times as fast as the wall clock."""

    def __init__(self, start: int, factor: float = 1.0) -> None:
        self._base = float(start)
        self._factor = factor
        self._since = time.monotonic()

    def now(self) -> int:
        return int(self._base + (time.monotonic() - self._since) * self._factor)

    def set(self, unix_time: int) -> None:
        """Go on from `unix_time`."""
        self._base = float(unix_time)
        self._since = time.monotonic()

    def catch_up(self) -> None:
        """Go on from the wall clock's time, unless the chain is already ahead of it."""
        self.set(max(self.now(), int(time.time())))
