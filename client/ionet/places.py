"""Places for what lasts, and turns: a bound for each owner, so that none has what is everybody's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from types import TracebackType
from weakref import WeakValueDictionary


class Place:
    """One of `Places`, until it is given back, as a context manager at its end, or given up to somebody else.

    on_over: called when it is given up; what holds it ends then.
    """

    def __init__(self, places: Places, owner: str) -> None:
        self._places: Places | None = places
        self._owner = owner
        self._waited = 0.0
        self._since: float | None = None
        self.is_over = False
        self.on_over: Callable[[], object] | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While what holds it waits for its client to read."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._waited, self._since = self.waited, None

    @property
    def waited(self) -> float:
        """Seconds of `waiting` in all."""
        return self._waited + (0.0 if self._since is None else time.monotonic() - self._since)

    def release(self) -> None:
        """Give it back; again does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self, self._owner)

    def give_up(self) -> None:
        """Give it back to whoever gets it now."""
        self.is_over = True
        self.release()
        if self.on_over is not None:
            self.on_over()

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Places:
    """Places in this process: `most` in all, `each` for an owner: whom an address counts as (`buckets.whose`)."""

    def __init__(self, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._taken: dict[str, list[Place]] = {}  # by owner, the oldest first

    @property
    def taken(self) -> int:
        """How many are taken."""
        return sum(map(len, self._taken.values()))

    def has_all(self, owner: str) -> bool:
        """Whether an owner has as many as one may."""
        return len(self._taken.get(owner, ())) >= self._each

    def has_room(self, owner: str) -> bool:
        """Whether there is one more for an owner."""
        return not self.has_all(owner) and self.taken < self._most

    def take(self, owner: str) -> Place | None:
        """A place for an owner; None where they have all that they may, or all are taken."""
        if not self.has_room(owner):
            return None
        place = Place(self, owner)
        self._taken.setdefault(owner, []).append(place)
        return place

    def all(self) -> Iterator[Place]:
        """All that are taken."""
        return chain.from_iterable(self._taken.values())

    def of_who_has_more(self, owner: str) -> Place | None:
        """The oldest place of the owner who has most, if that is more than another would have with one more."""
        richest = max(self._taken.values(), key=len, default=[])
        return richest[0] if len(richest) > len(self._taken.get(owner, ())) + 1 else None

    def give_back(self, place: Place, owner: str) -> None:
        """See `Place`."""
        self._taken[owner].remove(place)
        if not self._taken[owner]:
            del self._taken[owner]


class Turns:
    """At most `each` at a time for an owner; more of theirs wait for each other, and for nobody else's.

    patience: seconds for which one waits, None for ever.
    """

    def __init__(self, each: int, patience: float | None = None) -> None:
        self._each, self._patience = each, patience
        self._lines: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises TimeoutError."""
        line = self._lines.setdefault(owner, asyncio.Semaphore(self._each))  # kept while somebody is in it
        async with asyncio.timeout(self._patience):
            await line.acquire()
        try:
            yield
        finally:
            line.release()
