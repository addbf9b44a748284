"""The index of each device model, day by day, and the leases behind each value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from ionet.generated.enums import Currency
from ionet.rules.price_index import Settled, median, moved, price_in_dollars, weights
from ionet.words import word

from ionet_indexer.core.answers import Amount, Wide, answer_of
from ionet_indexer.core.days import DAY
from ionet_indexer.core.lists import SLOT, Listing, Order
from ionet_indexer.core.rows import Fact
from ionet_indexer.topics.nodes import BY_MODEL

IO = word(Currency, Currency.IO)

# -- rows


class IndexValue(Fact, kw_only=True):
    """The index of a model at the end of a UTC day, of which `day` is the first second: the median over the seven days
    that end with it, moved from `before`, the value of `before_day`, at most 5 % a day. Prices are micro-dollars per
    processor-hour; median and value are null with fewer than ten owners. `secs` are processor-seconds.
    """

    table: ClassVar[str] = "index_values"
    key: ClassVar[str] = "day, model"

    position: int
    day: int
    model: int
    value: Amount | None
    median: Amount | None
    before: Amount | None
    before_day: int | None
    leases: int
    owners: int
    secs: Wide
    weight: Wide


class IndexLease(Fact, kw_only=True):
    """A lease behind an index: processor-seconds that were settled in the window, its price in micro-dollars per
    processor-hour, and what it counts for. `locked_price` is in the lease's currency, `io_price` that of its booking.
    """

    table: ClassVar[str] = "index_leases"
    key: ClassVar[str] = "day, model, lease"

    position: int
    day: int
    model: int
    lease: str
    node: str
    owner: str
    currency: str
    locked_price: Amount
    io_price: Amount
    price: Amount
    secs: Wide
    weight: Wide


# -- made when a day is over


class Value(NamedTuple):
    """A value of a model's index."""

    day: int
    value: int


class Paid(NamedTuple):
    """What settlements of a window paid of a lease."""

    model: int
    lease: str
    node: str
    owner: str
    currency: str
    price: int
    io_price: int
    secs: int


def index_of(day: int, position: int, paid: Iterable[Paid], before: Mapping[int, Value]) -> Iterable[Fact]:
    """The rows of a day. position: of the event that tells that it is over. before: newest values, by model."""
    by_model: dict[int, list[Paid]] = defaultdict(list)
    for each in paid:
        by_model[each.model].append(each)
    for model, leases in sorted(by_model.items()):
        settled = [Settled(each.owner, each.secs, _in_dollars(each)) for each in leases]
        weighed, last = weights(settled), before.get(model)
        value = found = median(settled, weighed)
        if found is not None and last is not None:
            value = moved(last.value, found, (day - last.day) // DAY)
        yield IndexValue(
            position=position,
            day=day,
            model=model,
            value=value,
            median=found,
            before=last.value if last else None,
            before_day=last.day if last else None,
            leases=len(leases),
            owners=len({each.owner for each in leases}),
            secs=sum(each.secs for each in leases),
            weight=sum(weighed),
        )
        for each, lease, weight in zip(leases, settled, weighed, strict=True):
            yield IndexLease(
                position=position,
                day=day,
                model=model,
                lease=each.lease,
                node=each.node,
                owner=each.owner,
                currency=each.currency,
                locked_price=each.price,
                io_price=each.io_price,
                price=lease.price,
                secs=each.secs,
                weight=weight,
            )


def _in_dollars(paid: Paid) -> int:
    return price_in_dollars(paid.price, paid.io_price) if paid.currency == IO else paid.price


HANDLERS: dict[str, Any] = {}


# -- lists

INDEX = Listing(
    name="index",
    docs="The index of each device model, newest day first.",
    out=answer_of(IndexValue, name="Index", more={"slot": int}),
    source="index_values t",
    order=(Order("day", "t.day", "bigint"), Order("model", "t.model", "bigint")),
    key="t.model",
    narrowed={"model": BY_MODEL},
    computed={"slot": SLOT},
    newest_first=True,
    time="t.day",
)
