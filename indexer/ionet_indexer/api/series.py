"""Numbers of the network over time, by hour and day; each field is made of what events brought (`topics.parts`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from ionet.countries import NUMBERS
from ionet.generated.enums import BPS, SECS_PER_HOUR, Currency
from ionet.words import words
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.core.days import DAY, start_of
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.paging import Page, decode_cursor, encode_cursor
from ionet_indexer.core.parameters import COUNTRIES, MODEL_MAX, Cursor, Limit, Since, Until, check_word, query, word
from ionet_indexer.core.reader import SQL, Snapshot
from ionet_indexer.core.refusals import BadValue

STEPS = {"hour": SECS_PER_HOUR, "day": DAY}
SCOPE = rf"^(network|model:[^\x00-\x1f\x7f]{{1,{MODEL_MAX}}}|country:({COUNTRIES}))$"
_SCOPE = re.compile(SCOPE)


class Counted(NamedTuple):
    """What a bucket holds of one number: how it changed, how it stood at the end, and that times seconds."""

    change: int
    level: int
    secs: int
    events: int


class Field(NamedTuple):
    """A field of a series: the numbers it is made of, and how. network: of the network alone."""

    of: tuple[str, ...]
    value: Callable[..., int | None]
    network: bool = False


def _change(number: Counted) -> int:
    return number.change


def _level(number: Counted) -> int:
    return number.level


def _secs(number: Counted) -> int:
    return number.secs


def _events(number: Counted) -> int:
    return number.events


def _asked(asked: Counted, rentable: Counted) -> int | None:
    return asked.secs // rentable.secs if rentable.secs else None


def _used(leased: Counted, rentable: Counted) -> int | None:
    both = leased.secs + rentable.secs
    return leased.secs * BPS // both if both else None


def _settled(earned: Counted, paid: Counted) -> int | None:
    return earned.change * SECS_PER_HOUR // paid.change if paid.change else None


def _of_currency(name: str) -> dict[str, Field]:
    return {
        f"income-{name}": Field((f"earned-{name}",), _change),
        f"fees-{name}": Field((f"fees-{name}",), _change),
        f"burned-time-{name}": Field((f"unserved-{name}",), _change),
        f"price-settled-{name}": Field((f"earned-{name}", f"paid-{name}"), _settled),
    }


FIELDS: dict[str, Field] = {
    "price-asked": Field(("asked", "rentable"), _asked),
    "utilisation": Field(("leased", "rentable"), _used),
    "listed": Field(("listed",), _secs),
    "rentable": Field(("rentable",), _secs),
    "leased": Field(("leased",), _secs),
    "paid": Field(("served",), _change),
    "proofs": Field(("proven",), _events),
    "proven": Field(("proven",), _change),
    "slashes": Field(("slashed",), _events),
    "slashed": Field(("slashed",), _change),
    "stake": Field(("stake",), _level),
    **{name: field for currency in words(Currency) for name, field in _of_currency(currency).items()},
    "burned-IO": Field(("burned-IO",), _change, network=True),
    "burned-IOSD": Field(("burned-IOSD",), _change, network=True),
    "IO-burned-for-IOSD": Field(("io-in",), _change, network=True),
    "IO-redeemed": Field(("io-out",), _change, network=True),
    "IOSD-minted": Field(("minted",), _change, network=True),
    "IOSD-redeemed": Field(("redeemed",), _change, network=True),
    "IOSD-supply": Field(("supply",), _level, network=True),
    "backing": Field(("backing",), _level, network=True),
}


class Bucket(msgspec.Struct):
    """An hour or a day of UTC from `start`. `end` is where it ends, or the time of the newest event where that is
    earlier: until then it was counted. `events` are those that the value is made of, `id` and `slot` of the last of
    them; null where nothing happened.
    """

    start: int
    end: int
    value: str | None
    events: int
    id: str | None
    slot: int | None


async def scope_of(snapshot: Snapshot, of: str) -> str:
    """What a series is of, as it is stored. Raises BadValue, or UnknownModel."""
    if not _SCOPE.fullmatch(of):
        raise BadValue(f"of: {of!r}; known are network, model:<code or name> and country:<two letters of ISO 3166-1>")
    kind, _, key = of.partition(":")
    if kind == "model":
        return f"model:{await snapshot.code_of(key)}"
    return f"country:{NUMBERS[key]}" if kind == "country" else of


@get("/v1/series", operation_id="get_series")
async def series(
    reader: NamedDependency[AskedReader],
    of: Annotated[
        str,
        query(
            "`network`, `model:` and a device model's code or what people call it, "
            "or `country:` and two letters of ISO 3166-1.",
            "network",
            told={"pattern": SCOPE},
        ),
    ],
    field: Annotated[str, word("What is told, with its unit in docs/api.md.", *FIELDS)],
    step: Annotated[str, word("Length of a bucket.", *STEPS)] = "day",
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Bucket]:
    """A number by hour or day, oldest first, without a gap from the first bucket in which anything happened.

    `since` and `until` (exclusive) are about the start of the buckets.
    """
    check_word("field", field, FIELDS)
    check_word("step", step, STEPS)
    chosen = FIELDS[field]
    if chosen.network and of != "network":
        raise BadValue(f"field: {field} is counted for the network alone")
    after = decode_cursor("series", cursor, ("bigint",))
    async with reader.snapshot() as snapshot:
        scope = await scope_of(snapshot, of)
        begun = await snapshot.one(SQL["series_range"], scope, list(chosen.of), step)
        if begun is None or begun["first"] is None:
            return Page(snapshot.slot, snapshot.finalized_slot, [], None)
        secs, now = STEPS[step], begun["now"]
        first = max(begun["first"], _up(since or 0, secs), int(after[0]) + secs if after else 0)
        starts = range(first, min(now + 1, 1 << 53 if until is None else until), secs)
        page = starts[:limit]
        items = await _buckets(snapshot, scope, chosen, step, page, now) if page else []
    following = encode_cursor("series", [str(page[-1])]) if len(starts) > limit else None
    return Page(snapshot.slot, snapshot.finalized_slot, items, following)


def _up(time: int, secs: int) -> int:
    """The first start of a bucket that is not before."""
    return -(-time // secs) * secs


async def _buckets(
    snapshot: Snapshot, scope: str, field: Field, step: str, starts: Sequence[int], now: int
) -> list[Bucket]:
    """These buckets, which follow each other."""
    secs = STEPS[step]
    names = list(field.of)
    before = await snapshot.fetch(SQL["series_before"], scope, names, step, starts[0], start_of(starts[0]))
    rows = await snapshot.fetch(SQL["series"], scope, names, step, starts[0], starts[-1])
    levels = dict.fromkeys(names, 0) | {row["field"]: int(row["value"]) for row in before}
    found = {(row["bucket"], row["field"]): row for row in rows}
    items = []
    for start in starts:
        end = min(start + secs, now)
        here = [found.get((start, name)) for name in names]
        numbers = []
        for name, row in zip(names, here, strict=True):
            numbers.append(_counted(row, levels[name], start, end, secs))
            levels[name] = numbers[-1].level
        items.append(_shown(field, numbers, [row for row in here if row is not None], start, end))
    return items


def _counted(row: Any | None, level: int, start: int, end: int, secs: int) -> Counted:
    """level: at the start. A change counts from its time on; what lies beyond `end` is taken off."""
    if row is None:
        return Counted(0, level, level * (end - start), 0)
    change = int(row["value"])
    stood = level * (end - start) + int(row["weighted"]) - change * (start + secs - end)
    return Counted(change, level + change, stood, row["events"])


def _shown(field: Field, numbers: Sequence[Counted], rows: Iterable[Any], start: int, end: int) -> Bucket:
    value = field.value(*numbers)
    last = max((row["position"] for row in rows), default=None)
    return Bucket(
        start=start,
        end=end,
        value=None if value is None else str(value),
        events=sum(number.events for number in numbers),
        id=None if last is None else str(last),
        slot=None if last is None else slot_of(last),
    )
