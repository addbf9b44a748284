"""What is due when, in memory. Whoever is killed makes it again from the chain."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from solders.pubkey import Pubkey

from ionet.duties import DUTIES, Duty, Habits, Seen
from ionet.errors import IonetError, reason_of
from ionet.rules.restarts import Moment

FIRST_WAIT, LONGEST_WAIT = 5, 3_600
"""Seconds until something that failed is tried again: doubled each time, up to an hour."""
BAD = (IonetError, ArithmeticError, ValueError, LookupError)
"""What an account with senseless contents can raise."""
_NEVER = (0.0, -1.0)
Task = tuple[Pubkey, int]
"""An account and the place of a duty in `DUTIES`."""


@dataclass
class _Item:
    """waits: place of a duty → since when it is due, and when it is one's own turn."""

    noun: str
    waits: dict[int, tuple[float, float]] = field(default_factory=dict)
    about: object = None
    node: Pubkey | None = None


class Agenda:
    """Deadlines of accounts. salt: one's own; others, with other salts, come to other delays.

    unread: accounts that make no sense, and why. counts: how many are watched of each noun.
    """

    def __init__(self, salt: bytes, window: float, habits: Habits) -> None:
        self._salt, self._window, self._habits = salt, window, habits
        self._items: dict[Pubkey, _Item] = {}
        self._heap: list[tuple[float, bytes, int]] = []
        self._failures: dict[Task, tuple[int, float]] = {}
        self._done: dict[Task, int] = {}
        self._positions: defaultdict[Pubkey, set[Pubkey]] = defaultdict(set)
        self.unread: dict[Pubkey, str] = {}
        self.counts: Counter[str] = Counter()

    def keys(self) -> set[Pubkey]:
        return set(self._items)

    @property
    def backing_off(self) -> int:
        return len(self._failures)

    # -- what was seen

    def put(self, seen: Seen, noun: str, at: Moment) -> set[Pubkey]:
        """Take over what an account says. Returns others that have to be read again because of it."""
        item = self._items.get(seen.address)
        if item is None:
            item = self._items[seen.address] = _Item(noun)
            self.counts[noun] += 1
        before, item.waits = item.waits, {}
        self.unread.pop(seen.address, None)
        for place, duty in enumerate(DUTIES):
            if duty.noun != noun:
                continue
            try:
                when = duty.due(seen, at)
            except BAD as error:
                self.unread[seen.address] = f"{duty.name}: {reason_of(error)}"
                continue
            if when is not None:
                self._wait((seen.address, place), item, duty, at.now, when, before.get(place))
        return self._related(seen, noun, item)

    def _wait(
        self, task: Task, item: _Item, duty: Duty, now: int, when: int, before: tuple[float, float] | None
    ) -> None:
        key, place = task
        if (done := self._done.get(task)) is not None and (pause := duty.every(self._habits)):
            when = max(when, done + pause)
        wait = when + self._delay(key, duty, when)
        # What was due already stays so: looking at it again is no reason to wait again.
        if before is not None and before[0] <= now and when <= now:
            wait = min(wait, before[1])
        if (failed := self._failures.get(task)) is not None:
            wait = max(wait, failed[1])
        item.waits[place] = (when, wait)
        if before is None or before[1] != wait:  # else it is there already
            heapq.heappush(self._heap, (wait, bytes(key), place))

    def _delay(self, key: Pubkey, duty: Duty, when: int) -> float:
        """A part of the window, another one for everybody: who comes later sees that it is done."""
        drawn = sha256(self._salt + bytes(key) + duty.name.encode() + when.to_bytes(16, "little", signed=True)).digest()
        return self._window * int.from_bytes(drawn[:4], "little") / 2**32

    def _related(self, seen: Seen, noun: str, item: _Item) -> set[Pubkey]:
        if noun == "position":
            item.node = seen.account.node
            self._positions[seen.account.node].add(seen.address)
        if noun != "node":
            return set()
        node = seen.account
        about = (
            *(node.flags, node.bonded.era, node.unbonding.era, node.reward_per_share, node.income_per_share),
            *(node.busy_until, node.earlier_over_at, node.next_lease_number),
            *(node.bonded.shares, node.unbonding.shares),
        )
        changed, item.about = item.about not in (None, about), about
        return set(self._positions.get(seen.address, ())) if changed else set()

    def drop(self, keys: Iterable[Pubkey]) -> None:
        """These accounts are gone."""
        for key in keys:
            self.unread.pop(key, None)
            if (item := self._items.pop(key, None)) is None:
                continue
            self.counts[item.noun] -= 1
            for place in range(len(DUTIES)):
                self._failures.pop((key, place), None)
                self._done.pop((key, place), None)
            if item.node is not None:
                self._positions[item.node].discard(key)

    # -- what is to do

    def due(self, now: int, most: int) -> list[Task]:
        """Up to `most` tasks whose time has come, in the order of the duties. They wait no more until put again."""
        found: list[Task] = []
        while self._heap and self._heap[0][0] <= now and len(found) < most:
            wait, key, place = heapq.heappop(self._heap)
            address = Pubkey.from_bytes(key)
            item = self._items.get(address)
            if item is not None and item.waits.get(place, _NEVER)[1] == wait:
                del item.waits[place]
                found.append((address, place))
        return sorted(found, key=lambda task: task[1])

    def next_at(self) -> float | None:
        """When the next task is due, by the chain's clock."""
        while self._heap:
            wait, key, place = self._heap[0]
            item = self._items.get(Pubkey.from_bytes(key))
            if item is not None and item.waits.get(place, _NEVER)[1] == wait:
                return wait
            heapq.heappop(self._heap)
        return None

    def waiting(self) -> Iterator[tuple[Task, float]]:
        """Every task and since when it is due, in no order."""
        for key, item in self._items.items():
            for place, (when, _) in item.waits.items():
                yield (key, place), when

    def done(self, task: Task, now: int) -> None:
        self._failures.pop(task, None)
        if DUTIES[task[1]].every(self._habits):
            self._done[task] = now

    def settled(self, task: Task) -> None:
        """It is not due any more, whoever did it."""
        self._failures.pop(task, None)

    def failed(self, task: Task, now: int) -> int:
        """Returns the seconds until it is tried again."""
        times = self._failures.get(task, (0, 0.0))[0] + 1
        wait = min(LONGEST_WAIT, FIRST_WAIT << min(times - 1, 20))
        self._failures[task] = (times, now + wait)
        return wait

    def forget_times(self) -> None:
        """The clock by which things failed or were done was wrong."""
        self._failures.clear()
        self._done.clear()

    def again(self, task: Task, at: float) -> None:
        """Put a task that was taken back, due at a time."""
        item = self._items.get(task[0])
        if item is not None:
            item.waits[task[1]] = (at, at)
            heapq.heappush(self._heap, (at, bytes(task[0]), task[1]))
