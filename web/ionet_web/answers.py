"""Answers that are given again: while they are fresh, and while they are usable as new ones are fetched behind them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from ionet.errors import IonetError

T = TypeVar("T")
FAILED_SECS = 1.0
"""That something failed is not believed for longer."""


class AsksTooMuch(IonetError):
    """this address asks too much at once"""

    def __init__(self, secs: float) -> None:
        super().__init__()
        self.secs = secs
        """Until it may ask again."""


class _Kept(NamedTuple, Generic[T]):
    """An answer, or that it is being fetched. until: fresh. last: usable. Both of the clock of `time.monotonic`."""

    until: float
    last: float
    task: asyncio.Task[T]


class Answers(Generic[T]):
    """By what was asked. fresh, usable: seconds; one that is usable and no longer fresh is given once more, while a new
    one is fetched. most: how many are kept, the newest. fetch: raises what went wrong; `passing` says of what that does
    not last.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[T]],
        fresh: float,
        usable: float,
        most: int,
        passing: type[BaseException],
    ) -> None:
        self._fetch, self._fresh, self._usable, self._most, self._passing = fetch, fresh, usable, most, passing
        self._kept: dict[str, _Kept[T]] = {}
        self._renewed: dict[str, asyncio.Task[T]] = {}

    async def get(self, asked: str, spend: Callable[[], float] = lambda: 0.0) -> T:
        """Raises what `fetch` raises. Who waits for it may leave: others may wait for the same.

        spend: is called before something is fetched, and says for how many seconds that may not be: AsksTooMuch, unless
        there is something usable.
        """
        return await asyncio.shield(self._task(asked, spend))

    def _task(self, asked: str, spend: Callable[[], float]) -> asyncio.Task[T]:
        now = time.monotonic()
        while self._kept and now >= next(iter(self._kept.values())).last:
            del self._kept[next(iter(self._kept))]
        kept = self._kept.get(asked)
        if kept is not None and now < kept.until:
            return kept.task
        if kept is not None and now < kept.last and _holds(kept.task):
            if asked not in self._renewed and not spend():
                self._renew(asked)
            return kept.task
        if wait := spend():
            raise AsksTooMuch(wait)
        task = asyncio.create_task(self._fetched(asked))
        self._keep(asked, task)
        task.add_done_callback(lambda done: self._ended(asked, done))
        return task

    async def _fetched(self, asked: str) -> T:
        return await self._fetch(asked)

    def _keep(self, asked: str, task: asyncio.Task[T]) -> None:
        self._kept.pop(asked, None)
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        now = time.monotonic()
        self._kept[asked] = _Kept(now + self._fresh, now + self._usable, task)

    def _renew(self, asked: str) -> None:
        self._renewed[asked] = asyncio.create_task(self._fetched(asked))
        self._renewed[asked].add_done_callback(lambda done: self._came(asked, done))

    def _came(self, asked: str, task: asyncio.Task[T]) -> None:
        del self._renewed[asked]
        if not self._is_passing(task):
            self._keep(asked, task)

    def _ended(self, asked: str, task: asyncio.Task[T]) -> None:
        """Nobody may be left who waits for it."""
        kept = self._kept.get(asked)
        if self._is_passing(task) and kept is not None and kept.task is task:
            soon = time.monotonic() + FAILED_SECS
            self._kept[asked] = _Kept(min(kept.until, soon), min(kept.last, soon), task)

    def _is_passing(self, task: asyncio.Task[T]) -> bool:
        return task.cancelled() or isinstance(task.exception(), self._passing)


def _holds(task: asyncio.Task[T]) -> bool:
    """Whether it is there, and not still fetched or refused."""
    return task.done() and not task.cancelled() and task.exception() is None
