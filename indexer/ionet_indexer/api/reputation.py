"""A node's reputation with everything that it is computed from."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from ionet.rules import reputation as rules
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.lease_books import LeaseBooks
from ionet_indexer.api.lease_days import lease_days
from ionet_indexer.api.search import SQL
from ionet_indexer.core.paging import One
from ionet_indexer.core.parameters import Key
from ionet_indexer.core.reader import Snapshot
from ionet_indexer.core.refusals import NotFound

MOST_BY_SUMS = 8  # leases; each takes several queries


class ReputationTerms(msgspec.Struct):
    """The constants of `ionet.rules.reputation`; `one` is what a share or score of 1 is written as."""

    one: int
    unit: str
    prior_kept: int
    prior: int
    caution_percent: int
    half_life_days: int
    slash_days: int
    window_days: int
    penalties: dict[str, int]
    fee_bps: int
    usdc_fee_bps: int


class ReputationRecord(msgspec.Struct):
    """Fees, in micro-dollars, on the intervals that a renter saw kept and not kept on a day (since 1970).

    `why`: interval (kept only when it was paid for), or what counts as several that were not kept: rejected, promise,
    left.
    """

    renter: str
    day: int
    why: str
    kept: str
    unkept: str


class DayMinutes(msgspec.Struct):
    """The minutes of a day (since 1970) in which a valid advert came: 1,440 bits, the lowest of a byte first, hex."""

    day: int
    minutes: str


class NodeReputation(msgspec.Struct):
    """`score` of `one`: the share of time that was `served`, weighted by fees that fade and that count by their square
    root per renter, less 1.28 standard `deviation`s, halved for 90 days after a slash.

    `kept` and `weight` are the sums of weights in micro-dollars. `ionet.rules.reputation.reputation` makes the score
    from `records`, `today` and `slashed_on`. `time_score` of `one` is the share of the 30 days before `minute` (since
    1970) with a valid advert: `ionet.rules.reputation.time_score` makes it from `minutes`.
    """

    node: str
    score: int
    served: int
    deviation: int
    halved: bool
    kept: str
    weight: str
    today: int
    slashed_on: int | None
    time_score: int
    online: bool
    minute: int
    minutes: list[DayMinutes]
    terms: ReputationTerms
    records: list[ReputationRecord]


@get("/v1/nodes/{key:str}/reputation", operation_id="get_node_reputation")
async def node_reputation(reader: NamedDependency[AskedReader], key: Key) -> One[NodeReputation]:
    """A node's score, and every number that it comes from."""
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(SQL["reputation_terms"], key)
        if row is None:
            raise NotFound(f"node {key} is not known at slot {snapshot.slot}")
        if row["fee_bps"] is None:
            raise NotFound("the network's parameters have not been read yet")
        first = row["today"] - rules.WINDOW_DAYS + 1
        still = json.dumps(await _of_open_leases(snapshot, key, first))
        fees, penalties = (row["fee_bps"], row["usdc_fee_bps"]), json.dumps(rules.PENALTIES)
        found = await snapshot.fetch(SQL["reputation_records"], key, first, *fees, penalties, still)
        seen = await snapshot.one(SQL["reputation_minutes"], key, rules.TIME_WINDOW_MINUTES)
    assert seen is not None
    minutes = msgspec.json.decode(seen["days"], type=list[DayMinutes])
    records = [ReputationRecord(**dict(each)) for each in found]
    result = rules.reputation(
        [rules.Record(each.renter, each.day, int(each.kept), int(each.unkept)) for each in records],
        today=row["today"],
        slashed_on=row["slashed_on"],
    )
    item = NodeReputation(
        node=key,
        score=result.score,
        served=result.served,
        deviation=result.deviation,
        halved=result.halved,
        kept=str(result.kept),
        weight=str(result.weight),
        today=row["today"],
        slashed_on=row["slashed_on"],
        time_score=rules.time_score({each.day: bytes.fromhex(each.minutes) for each in minutes}, seen["minute"]),
        online=seen["online"],
        minute=seen["minute"],
        minutes=minutes,
        terms=ReputationTerms(
            one=rules.ONE,
            unit=str(rules.UNIT),
            prior_kept=rules.PRIOR_KEPT,
            prior=rules.PRIOR,
            caution_percent=rules.CAUTION_PERCENT,
            half_life_days=rules.HALF_LIFE_DAYS,
            slash_days=rules.SLASH_DAYS,
            window_days=rules.WINDOW_DAYS,
            penalties=rules.PENALTIES,
            fee_bps=row["fee_bps"],
            usdc_fee_bps=row["usdc_fee_bps"],
        ),
        records=records,
    )
    return One(snapshot.slot, snapshot.finalized_slot, item)


async def _of_open_leases(snapshot: Snapshot, node: str, first: int) -> list[dict[str, Any]]:
    """By lease and day the seconds that count of leases that are not closed.

    A node has one, or a few to be settled: these are read by their sums, however long they are. Where many were never
    closed, they are short, since they were one after the other: they are gone through.
    """
    rows = await snapshot.fetch(SQL["reputation_open"], node, first)
    many = {each["lease"] for each in rows if each["over"]} if len(rows) > MOST_BY_SUMS else set()
    found = [dict(each) for each in await snapshot.fetch(SQL["reputation_over"], list(many), first)] if many else []
    for each in rows:
        if each["lease"] in many:
            continue
        books = await LeaseBooks.of(snapshot, each["lease"])
        assert books is not None  # it was found just now
        days = await lease_days(books, first, each["now"])
        found += [{"lease": each["lease"], "day": day, "kept": kept, "unkept": lost} for day, kept, lost in days]
    return found
