"""What may still be spent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from ionet.tending.manner import Limits

_HOUR = 3_600.0


class Purse:
    """Lamports. The balance is what the chain last said; without an answer nothing is known to be missing."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._spent: deque[tuple[float, int]] = deque()
        self.balance: int | None = None

    def note(self, balance: int) -> int:
        """The balance as the chain says it now. Returns what is gone since the last time; less than 0 was earned."""
        gone = 0 if self.balance is None else self.balance - balance
        self.balance = balance
        if gone > 0:
            self._spent.append((self._clock(), gone))
        return gone

    @property
    def is_low(self) -> bool:
        return self.balance is not None and self.balance < self._limits.floor

    @property
    def left(self) -> int:
        """What may be spent now."""
        now = self._clock()
        while self._spent and self._spent[0][0] <= now - _HOUR:
            self._spent.popleft()
        left = self._limits.hourly - sum(gone for _, gone in self._spent)
        return max(0, left if self.balance is None else min(left, self.balance - self._limits.floor))
