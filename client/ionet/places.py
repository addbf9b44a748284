"""Places for what lasts: a bound for all, and one for each owner, so that none has what is everybody's."""

from __future__ import annotations

from collections import Counter
from types import TracebackType


class Place:
    """One of `Places`, until it is given back; as a context manager, at its end."""

    def __init__(self, places: Places, owner: str) -> None:
        self._places: Places | None = places
        self._owner = owner

    def release(self) -> None:
        """Give it back; again does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._owner)

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
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def has_all(self, owner: str) -> bool:
        """Whether an owner has as many as one may."""
        return self._taken[owner] >= self._each

    def has_room(self, owner: str) -> bool:
        """Whether there is one more for an owner."""
        return not self.has_all(owner) and self.taken < self._most

    def take(self, owner: str) -> Place | None:
        """A place for an owner; None where they have all that they may, or all are taken."""
        if not self.has_room(owner):
            return None
        self._taken[owner] += 1
        return Place(self, owner)

    def give_back(self, owner: str) -> None:
        """See `Place`."""
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]
