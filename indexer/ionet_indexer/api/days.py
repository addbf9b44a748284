"""What a node did, day by day (UTC)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.search import SQL
from ionet_indexer.core.days import DAY
from ionet_indexer.core.parameters import Key, Until, query
from ionet_indexer.core.refusals import NotFound

MOST_DAYS = 92
_COUNTS = ("proofs", "intervals_proven", "intervals_kept", "served_secs", "slashes")
_AMOUNTS = ("slashed", "staked", "refilled", "unbonding", "withdrawn")
_INCOMES = ("earned", "supplier", "to_stakers")


class DayIncome(msgspec.Struct):
    """Settlements of one currency: what they paid before fees, to the supplier after fees, of that to co-stakers."""

    currency: str
    settlements: int
    earned: str
    supplier: str
    to_stakers: str


class NodeDay(msgspec.Struct):
    """A day in UTC. `metered_secs` is the time for which leases' meters ran, as far as it has come; `served_secs` is
    what was proven that day, of this or the day before. An interval counts on the day of its first (kept) proof.
    `staked … withdrawn` are movements of stake in IO.
    """

    starts_at: int
    metered_secs: int
    served_secs: int
    proofs: int
    intervals_proven: int
    intervals_kept: int
    slashes: int
    slashed: str
    staked: str
    refilled: str
    unbonding: str
    withdrawn: str
    income: list[DayIncome]


class NodeDays(msgspec.Struct):
    """Days of a node without a gap, in their order."""

    slot: int
    finalized_slot: int
    node: str
    items: list[NodeDay]


@get("/v1/nodes/{key:str}/days", operation_id="list_node_days")
async def node_days(
    reader: NamedDependency[AskedReader],
    key: Key,
    until: Until = None,
    days: Annotated[int, query("How many days.", 30, ge=1, le=MOST_DAYS)] = 30,
) -> NodeDays:
    """What a node did on each day: time, proofs, income, slashes, stake. The last day is that of `until`, which is the
    newest event's time by default; days before the node was registered are left out.
    """
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(SQL["node_since"], key)
        if row is None:
            raise NotFound(f"node {key} is not known at slot {snapshot.slot}")
        end = (row["now"] if until is None else min(until, row["now"])) // DAY + 1
        first = max(end - days, row["registered_at"] // DAY)
        sums = await snapshot.fetch(SQL["node_days"], key, first, end)
        runs = await snapshot.fetch(SQL["node_runs"], key, first * DAY, end * DAY)
    return NodeDays(snapshot.slot, snapshot.finalized_slot, key, _days(first, end, sums, runs))


def _days(first: int, end: int, sums: Iterable[Any], runs: Iterable[Any]) -> list[NodeDay]:
    """Each sum is looked at once, each run once for every day that it is in."""
    known: dict[int, dict[tuple[str, str], str]] = {day: {} for day in range(first, end)}
    for each in sums:
        known[each["day"]][each["name"], each["key"]] = each["value"]
    metered: Counter[int] = Counter()
    for run in runs:
        started_at, until = run["started_at"], run["until"]
        for day in range(max(started_at // DAY, first), min(-(-until // DAY), end)):
            metered[day] += min(until, (day + 1) * DAY) - max(started_at, day * DAY)
    return [_day(day, known[day], metered[day]) for day in range(first, end)]


def _day(day: int, known: Mapping[tuple[str, str], str], metered: int) -> NodeDay:
    counts: dict[str, Any] = {name: int(known.get((name, ""), 0)) for name in _COUNTS}
    amounts: dict[str, Any] = {name: known.get((name, ""), "0") for name in _AMOUNTS}
    return NodeDay(
        starts_at=day * DAY,
        metered_secs=metered,
        **counts,
        **amounts,
        income=[
            DayIncome(
                currency=currency,
                settlements=int(value),
                **{name: known.get((name, currency), "0") for name in _INCOMES},
            )
            for (name, currency), value in sorted(known.items())
            if name == "settlements" and int(value)
        ],
    )
