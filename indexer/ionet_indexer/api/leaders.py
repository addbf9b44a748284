"""Who earned, served, staked, burned or lost most, from the standings that are kept (migrations/0014_series.sql)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from ionet.countries import LETTERS
from ionet.generated.enums import Currency
from ionet.words import words
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.core.paging import Page, decode_cursor, encode_cursor
from ionet_indexer.core.parameters import Cursor, Limit, check_word, word
from ionet_indexer.core.reader import SQL
from ionet_indexer.core.refusals import BadValue

BY = {"earned": "earned-", "burned": "fees-", "served": "served", "stake": "stake", "slashed": "slashed"}
"""What is ranked, and the field of the parts that it is the sum of; with a currency where that ends in a dash."""
OF = ("node", "owner", "model", "country")
PERIODS = ("day", "week", "month", "all")
_TYPES = ("numeric", "text")
_LAST = ["1" + "0" * 38, ""]  # before the first: no value is as high


class Leader(msgspec.Struct):
    """A place in the standings. `key` is an address, a model's code or a country's number, `name` the model's name or
    the country's two letters. `start` is the first second that counts, 0 of all time.
    """

    key: str
    name: str | None
    value: str
    start: int


def field_of(by: str, of: str, since: str, currency: str | None) -> str:
    """The field of the standings that is asked for. Raises BadValue."""
    for name, value, known in (("by", by, tuple(BY)), ("of", of, OF), ("since", since, PERIODS)):
        check_word(name, value, known)
    field = BY[by]
    if not field.endswith("-"):
        if currency is not None:
            raise BadValue(f"currency: {by} has none")
        return field
    if currency not in words(Currency):
        raise BadValue(f"currency: {by} is in one of {', '.join(words(Currency))}; they are never added up")
    return field + currency


@get("/v1/leaders", operation_id="list_leaders")
async def leaders(
    reader: NamedDependency[AskedReader],
    by: Annotated[str, word("What is ranked.", *BY)],
    of: Annotated[str, word("Who is ranked.", *OF)],
    currency: Annotated[
        str | None, word("Of what was earned or burned; the other rankings have none.", *words(Currency))
    ] = None,
    since: Annotated[str, word("The UTC day, week or month of the newest event, or all time.", *PERIODS)] = "all",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Leader]:
    """The highest first. day, week (from Monday) and month are those of UTC in which the newest event is."""
    field = field_of(by, of, since, currency)
    value, key = decode_cursor("leaders", cursor, _TYPES) or _LAST
    async with reader.snapshot() as snapshot:
        [began] = await snapshot.fetch(SQL["leaders_start"], since)
        start = began["start"] or 0
        rows = await snapshot.fetch(SQL["leaders"], of, field, since, start, value, key, limit + 1)
        models = await snapshot.fetch(SQL["model_names"]) if of == "model" else []
    names = {str(row["code"]): row["name"] for row in models}
    if of == "country":
        names = {str(number): letters for number, letters in LETTERS.items()}
    items = [Leader(row["key"], names.get(row["key"]), row["value"], start) for row in rows[:limit]]
    following = encode_cursor("leaders", [items[-1].value, items[-1].key]) if len(rows) > limit else None
    return Page(snapshot.slot, snapshot.finalized_slot, items, following)
