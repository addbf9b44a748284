"""What a lease's intervals were paid, for any few of them, without adding up all of them.

The same numbers as the SQL function `lease_log`, which goes through the whole lease and is what tests compare with. An
interval is ordinary, and paid in its order, or challenged: in dispute, defended, lost, or named by a supplier who left.
There are few of the latter; of the ordinary ones `lease_sums` has sums of 32.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from ionet.rules import pricing
from ionet.rules.lease_time import interval_bounds

from ionet_indexer.core.reader import SQL, Snapshot

BLOCK = 32  # intervals; see migrations/0018_lease_sums.sql


@dataclass(frozen=True)
class Logged:
    """An interval. `proof` and `payment` are positions, `amount` the price of `secs`, which count for the supplier."""

    number: int
    starts_at: int
    ends_at: int
    proof: int | None
    kept: bool | None
    challenge: str | None
    secs: int
    amount: int
    payment: int | None


@dataclass(frozen=True)
class Challenged:
    number: int
    proof: int | None
    kept: bool | None
    served: int
    challenge: str | None
    secs: int
    defended_at: int | None
    payment: int | None


@dataclass
class LeaseBooks:
    """A lease in one snapshot."""

    snapshot: Snapshot
    row: Any
    sums: Mapping[int, Any]
    """By block."""
    challenged: Mapping[int, Challenged]
    _proven: dict[int, dict[int, Any]] = field(default_factory=dict)
    _loaded: dict[int, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = self.challenged.values()
        self._blocks = sorted(self.sums)
        # Of ordinary intervals before each block, and after the last one: seconds; kept ones, and their seconds.
        self._upto = self._sum("served", [(each.number, each.served) for each in found])
        kept = [each for each in found if each.kept]
        self._kept = self._sum("kept", [(each.number, 1) for each in kept])
        self._kept_secs = self._sum("kept_served", [(each.number, each.served) for each in kept])
        # What is paid on top, by the settlement after its defence, and what waits for that or for a dispute's end.
        self._on_top = _Summed([((each.payment, each.number), each.secs) for each in found if each.payment is not None])
        self._waiting = _Summed([((each.number,), each.secs) for each in found if each.payment is None])
        defended = [(each.defended_at, each.secs) for each in found if each.defended_at is not None]
        self._defended = _Summed([((at,), secs) for at, secs in defended])
        self._since, self._secs = [at for at, _ in defended], [secs for _, secs in defended]

    def _sum(self, name: str, challenged: Iterable[tuple[int, int]]) -> list[int]:
        apart: Counter[int] = Counter()
        for number, value in challenged:
            apart[number // BLOCK] += value
        return [0, *accumulate(int(self.sums[at][name]) - apart[at] for at in self._blocks)]

    @classmethod
    async def of(cls, snapshot: Snapshot, lease: str) -> LeaseBooks | None:
        """Read what every part of the log needs; None if there is no such lease."""
        row = await snapshot.one(SQL["lease_books"], lease)
        if row is None:
            return None
        challenged: dict[int, Challenged] = {}
        sums: dict[int, Any] = {}
        if row["intervals"]:
            for each in await snapshot.fetch(SQL["lease_challenged"], lease):
                if each["number"] < row["intervals"]:
                    challenged[each["number"]] = _judged(each)
            if row["burned_secs"]:
                for each in await snapshot.fetch(SQL["lease_named"], lease, row["burned_secs"]):
                    named = (each["served_secs"], "unchallenged", 0, None, None)
                    challenged[each["number"]] = Challenged(each["number"], each["proof"], each["kept"], *named)
            sums = {each["block"]: each for each in await snapshot.fetch(SQL["lease_sums"], lease)}
        return cls(snapshot, row, sums, dict(sorted(challenged.items())))

    def earned(self, secs: int) -> int:
        """The price of this many seconds that count, from the lease's start."""
        return pricing.earned(int(self.row["price"]), int(self.row["processors"]), secs)

    def bounds(self, number: int) -> tuple[int, int]:
        """When an interval starts and ends."""
        return interval_bounds(self.row["started_at"], self.row["ends_at"], self.row["interval_secs"], number)

    async def paid(self) -> int:
        """The price of all that was paid for."""
        return self.earned(await self._paid_ordinary() + self._on_top.total)

    async def log(self, first: int, end: int) -> list[Logged]:
        """Intervals from the first on, before `end` or where the lease has come to."""
        numbers = range(first, min(end, self.row["intervals"]))
        before = {number: await self.before(number) for number in numbers}
        ordinary = {number: await self._served(number) for number in numbers if number not in self.challenged}
        payers = await self._payers({before[number] + secs for number, secs in ordinary.items() if secs})
        later = [each.payment for number in numbers if (each := self.challenged.get(number)) and each.payment]
        payable = await self._payable(later)
        return [await self._logged(number, before[number], ordinary, payers, payable) for number in numbers]

    async def _logged(
        self,
        number: int,
        before: int,
        ordinary: Mapping[int, int],
        payers: Mapping[int, int | None],
        payable: Mapping[int, tuple[int, int]],
    ) -> Logged:
        if number in ordinary:
            proof = (await self._block(number // BLOCK)).get(number)
            secs = ordinary[number]
            payment = payers.get(before + secs) if secs else None
            through = before + secs
            if payment is not None:
                through += self._on_top.through(payment, number)
            else:
                through += self._on_top.total + self._waiting.through(number)
            place, kept = (proof["proof"], proof["kept"]) if proof else (None, None)
            approved = place is not None and number < self.row["approved_through"]
            challenge = "approved" if approved else None
        else:
            each = self.challenged[number]
            secs, payment, place, kept, challenge = each.secs, each.payment, each.proof, each.kept, each.challenge
            if payment is not None:
                low, high = payable[payment]
                through = min(max(before, (await self._whole(low))[0]), (await self._whole(high))[0])
                through += self._on_top.through(payment, number)
            else:
                through = max(before, await self._paid_ordinary()) + self._on_top.total + self._waiting.through(number)
        amount = self.earned(through) - self.earned(through - secs) if secs else 0
        start, end = self.bounds(number)
        return Logged(number, start, end, place, kept, challenge, secs, amount, payment)

    async def before(self, number: int) -> int:
        """Seconds of the ordinary intervals before one."""
        found = self._upto[bisect_left(self._blocks, number // BLOCK)]
        return found + sum(int(each["served_secs"]) for each in await self._just_before(number))

    async def kept_before(self, number: int) -> tuple[int, int]:
        """Ordinary intervals before one that were kept: how many, and their seconds."""
        at = bisect_left(self._blocks, number // BLOCK)
        kept = [each["served_secs"] for each in await self._just_before(number) if each["kept"]]
        return self._kept[at] + len(kept), self._kept_secs[at] + sum(kept)

    async def _just_before(self, number: int) -> list[Any]:
        """Last proofs of the ordinary intervals of its block before one."""
        if number in self._loaded:
            return self._loaded[number]
        proven = (await self._block(number // BLOCK)).items() if number % BLOCK else ()
        return [each for at, each in proven if at < number and at not in self.challenged]

    async def unpaid_from(self) -> int:
        """The first ordinary interval, of those with a proof, that is not paid for yet."""
        return (await self._whole(await self._paid_for()))[1]

    async def load(self, numbers: Iterable[int]) -> None:
        """Read at once what `kept_before` needs of these intervals."""
        wanted = sorted({number for number in numbers if number % BLOCK})
        self._loaded |= {number: [] for number in wanted}
        for each in await self.snapshot.fetch(SQL["lease_just_before"], self.row["lease"], wanted, BLOCK):
            if each["number"] not in self.challenged:
                self._loaded[each["before"]].append(each)

    async def _served(self, number: int) -> int:
        proof = (await self._block(number // BLOCK)).get(number)
        return int(proof["served_secs"]) if proof else 0

    async def _block(self, block: int) -> dict[int, Any]:
        """Number → last proof, of the intervals of a block that have one."""
        if block not in self._proven:
            last = min((block + 1) * BLOCK, self.row["intervals"]) - 1
            found = await self.snapshot.fetch(SQL["lease_proven"], self.row["lease"], block * BLOCK, last)
            self._proven[block] = {each["number"]: each for each in found}
        return self._proven[block]

    async def _paid_ordinary(self) -> int:
        return (await self._whole(await self._paid_for()))[0]

    async def _paid_for(self) -> int:
        if self.row["last_payment"] is None:
            return 0
        return int(self.row["payable_secs"]) - self._defended.through(self.row["last_payment"])

    async def _whole(self, secs: int) -> tuple[int, int]:
        """The most seconds, up to these, that whole ordinary intervals from the start add up to; the first beyond."""
        at = max(bisect_right(self._upto, secs) - 1, 0)
        through = self._upto[at]
        if at == len(self._blocks):
            return through, self.row["intervals"]
        for number, proof in (await self._block(self._blocks[at])).items():
            if number not in self.challenged:
                if through + proof["served_secs"] > secs:
                    return through, number
                through += proof["served_secs"]
        return through, (self._blocks[at] + 1) * BLOCK

    async def _payers(self, sums: Iterable[int]) -> dict[int, int | None]:
        """Sum of ordinary seconds → the settlement that paid up to there."""
        if not (wanted := sorted(sums)):
            return {}
        found = await self.snapshot.fetch(SQL["lease_payers"], self.row["lease"], wanted, self._since, self._secs)
        return {each["secs"]: each["payment"] for each in found}

    async def _payable(self, payments: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Settlement → ordinary seconds that were paid for before it and after it."""
        found: dict[int, tuple[int, int]] = {}
        if payments:
            for each in await self.snapshot.fetch(SQL["lease_payable"], self.row["lease"], sorted(set(payments))):
                high = int(each["payable_secs"]) - self._defended.through(each["position"])
                low = 0
                if each["position_before"] is not None:
                    low = int(each["payable_before"]) - self._defended.through(each["position_before"])
                found[each["position"]] = (low, high)
        return found


class _Summed:
    """Numbers in an order, and their sums up to any place in it."""

    def __init__(self, items: Iterable[tuple[tuple[int, ...], int]]) -> None:
        ordered = sorted(items)
        self._places = [place for place, _ in ordered]
        self._upto = [0, *accumulate(value for _, value in ordered)]
        self.total = self._upto[-1]

    def through(self, *place: int) -> int:
        """Of everything up to a place, what is at it too."""
        return self._upto[bisect_right(self._places, place)]


def _judged(row: Any) -> Challenged:
    served = int(row["served_secs"] or 0)
    if row["proof"] is None:
        challenge = None
    elif row["defended_at"] is not None:
        challenge = "defended"
    else:
        challenge = "disputed" if row["open"] else "undefended"
    secs = served
    if row["defended_at"] is not None:
        secs = min(row["defended_secs"], served)
    elif not row["open"]:
        secs = 0
    payment = row["payment"] if secs else None
    return Challenged(row["number"], row["proof"], row["kept"], served, challenge, secs, row["defended_at"], payment)
