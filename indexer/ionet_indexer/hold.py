"""What stops the tables until it is mended: the check of the accounts finds it, the writer mends, the check judges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class Hold:
    """Shared by the two tasks of one process. `reason` is None while nothing is wrong.

    keys: accounts whose history is to be read again. entities: those whose rows are to be made again.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.keys: tuple[str, ...] = ()
        self.entities: tuple[str, ...] = ()
        self.attempts = 0
        self._tried = asyncio.Event()
        self._judged = asyncio.Event()

    def set(self, reason: str, keys: Sequence[str], entities: Sequence[str]) -> None:
        """Something differs, still or again."""
        self.attempts = self.attempts + 1 if self.reason is not None else 0
        self.reason, self.keys, self.entities = reason, tuple(keys), tuple(entities)
        self._tried.clear()
        self._judged.set()

    def clear(self) -> None:
        """Nothing differs any more."""
        self.reason, self.keys, self.entities, self.attempts = None, (), (), 0
        self._judged.set()

    def try_now(self) -> None:
        """The writer has done what it can, and follows the chain until that is judged."""
        self._judged.clear()
        self._tried.set()

    @property
    def judged(self) -> bool:
        """Whether the last attempt was judged."""
        return self._judged.is_set()

    async def tried(self, patience: float) -> None:
        """Wait for the writer's next attempt, at most `patience` seconds: the writer may be another process."""
        try:
            async with asyncio.timeout(patience):
                await self._tried.wait()
        except TimeoutError:
            pass
