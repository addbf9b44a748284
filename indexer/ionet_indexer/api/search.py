"""Search: what a key, hash, signature, number or name is, and where to read about it. Exact, by indexes."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from ionet import base58
from ionet.codec import ProgramCodec
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.stream import Event, shown
from ionet_indexer.core import queries
from ionet_indexer.core.decode import first_position
from ionet_indexer.core.paging import One, Page, decode_cursor, encode_cursor
from ionet_indexer.core.parameters import A_SIGNATURE, SIGNATURE, TEXT, Cursor, Limit, path, query
from ionet_indexer.core.reader import Snapshot, UnknownModel
from ionet_indexer.core.refusals import BadValue, NotFound

SQL = queries.load("search.sql")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_MOST_SLOT = (1 << 33) - 1  # a position holds no later one


class Found(msgspec.Struct):
    """What was found: a word for what it is, its own key, and the path of this API that tells about it."""

    kind: str
    key: str
    path: str


class SearchAnswer(msgspec.Struct):
    """Everything that a text names; empty when nothing does. At most 20 of a kind."""

    slot: int
    finalized_slot: int
    items: list[Found]


class TransactionEvents(msgspec.Struct):
    """A transaction that succeeded and in which the program recorded events, in their order."""

    signature: str
    slot: int
    tx_index: int
    block_time: int | None
    events: list[Event]


@get("/v1/search", operation_id="search")
async def search(
    reader: NamedDependency[AskedReader],
    q: Annotated[
        str,
        query(
            "An address, a transaction's signature, 64 hex digits, a number, "
            "what a device model is called or how its name begins.",
            "H100",
            min_length=1,
            max_length=88,
            told={"pattern": TEXT},
        ),
    ],
) -> SearchAnswer:
    """What a key, signature, hash, number or name is: exact, except for names of device models."""
    text = q.strip()
    if not text:
        raise BadValue("q: blanks name nothing")
    async with reader.snapshot() as snapshot:
        rows = await _search(snapshot, text)
    return SearchAnswer(snapshot.slot, snapshot.finalized_slot, [Found(**dict(row)) for row in rows])


async def _search(snapshot: Snapshot, text: str) -> list[Any]:
    if _HASH.fullmatch(text):
        data = bytes.fromhex(text)
        return [*await snapshot.fetch(SQL["search_hash"], text.lower(), data)] or await _keys(
            snapshot, base58.encode(data)
        )
    found: list[Any] = []
    if _NUMBER.fullmatch(text):
        number = int(text)
        slot = number if number <= _MOST_SLOT else None
        found += await snapshot.fetch(SQL["search_number"], str(number), slot)
    length = _decoded_length(text)
    if length == 32:
        found += await _keys(snapshot, text)
    elif length == 64:
        found += await snapshot.fetch(SQL["search_signature"], text)
    elif len(text) <= 32:
        found += await snapshot.fetch(SQL["search_name"], text) or await _called(snapshot, text)
    return found


async def _keys(snapshot: Snapshot, key: str) -> list[Any]:
    """What an address is now, else what it did or was."""
    return [*await snapshot.fetch(SQL["search_address"], key)] or [*await snapshot.fetch(SQL["search_deeds"], key)]


async def _called(snapshot: Snapshot, text: str) -> list[Any]:
    """The device model that people call so."""
    try:
        code = await snapshot.code_of(text)
    except UnknownModel:
        return []
    return [*await snapshot.fetch(SQL["search_model"], code)]


def _decoded_length(text: str) -> int:
    """How many bytes the text is in base58, 0 when it is none."""
    try:
        return len(base58.decode(text))
    except base58.Base58Error:
        return 0


@get("/v1/transactions/{signature:str}", operation_id="get_transaction")
async def transaction(
    reader: NamedDependency[AskedReader],
    codec: NamedDependency[ProgramCodec],
    signature: Annotated[str, path("Of a transaction, base58.", A_SIGNATURE, pattern=SIGNATURE)],
) -> One[TransactionEvents]:
    """The events of one transaction."""
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(SQL["transaction"], signature)
        if row is None:
            raise NotFound(f"no event of transaction {signature} is known at slot {snapshot.slot}")
        events = await snapshot.fetch(SQL["events_of_transaction"], signature)
    item = TransactionEvents(**dict(row), events=[shown(each, codec) for each in events])
    return One(snapshot.slot, snapshot.finalized_slot, item)


@get("/v1/slots/{slot:int}", operation_id="list_slot_events")
async def slot_events(
    reader: NamedDependency[AskedReader],
    codec: NamedDependency[ProgramCodec],
    slot: Annotated[int, path("Number of a slot.", 370_000_000, ge=0, le=_MOST_SLOT)],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Event]:
    """The events of one slot, in their order. 404 while the slot was not read."""
    first, end = first_position(slot), first_position(slot + 1)
    after = [int(each) for each in decode_cursor("slots", cursor, ("bigint",)) or ()]
    async with reader.snapshot() as snapshot:
        if slot > snapshot.slot:
            raise NotFound(f"slot {slot} was not read yet; the newest is {snapshot.slot}")
        rows = await snapshot.fetch(SQL["events_of_slot"], max([first - 1, *after]), end, limit + 1)
    items = [shown(row, codec) for row in rows[:limit]]
    following = encode_cursor("slots", [items[-1].id]) if len(rows) > limit else None
    return Page(snapshot.slot, snapshot.finalized_slot, items, following)
