"""Whole tables as CSV, streamed from one snapshot: what is final, in the order of the list, in bounded memory."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter
from litestar.response import Stream

from ionet_indexer.api.routes import Time
from ionet_indexer.core.lists import Listing
from ionet_indexer.core.reader import Reader, Snapshot
from ionet_indexer.core.refusals import NotFound, TooMuch
from ionet_indexer.topics import LISTS

BATCH = 1_000  # rows
MOST_AT_ONCE = 2
EXPORT_SECS = 600.0
# Of a file: bytes, none at its end, or what went wrong.
Parts = asyncio.Queue[bytes | Exception]
_TABLES = {listing.name: listing for listing in LISTS}


class Exports:
    """How many exports run in this process; each keeps a connection while it does."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._most = most
        self.running = 0

    def begin(self) -> None:
        """Take a place. Raises TooMuch."""
        if self.running >= self._most:
            raise TooMuch(f"{self._most} exports run already", wait=10)
        self.running += 1

    def end(self) -> None:
        """Give it back."""
        self.running -= 1


@get("/v1/export/{file:str}", media_type="text/csv")
async def export(
    reader: NamedDependency[Reader],
    exports: NamedDependency[Exports],
    file: Annotated[
        str,
        PathParameter(
            pattern=r"^[a-z_]{1,40}\.csv$", description=f"A table and .csv; tables: {', '.join(sorted(_TABLES))}."
        ),
    ],
    since: Time = None,
    until: Time = None,
) -> Stream:
    """A table as CSV (RFC 4180), with the fields of its list. Rows whose last event is not final yet are left out.

    The header `ionet-finalized-slot` says up to where. Lists and objects are JSON, null is empty.
    """
    listing = _TABLES.get(file.removesuffix(".csv"))
    if listing is None:
        raise NotFound(f"there is no table {file.removesuffix('.csv')}")
    exports.begin()
    parts: Parts = asyncio.Queue(maxsize=2)
    work = asyncio.create_task(_produce(reader, exports, listing, {"since": since, "until": until}, parts))
    sent = _sent(parts, work)
    slot = (await anext(sent)).decode()  # the snapshot's, or what went wrong, before anything is sent
    headers = {"ionet-finalized-slot": slot, "content-disposition": f'attachment; filename="{file}"'}
    return Stream(sent, media_type="text/csv", headers=headers)


async def _sent(parts: Parts, work: asyncio.Task[None]) -> AsyncGenerator[bytes]:
    """What is produced, as fast as it is taken. An error breaks the answer off: no part looks like the whole."""
    try:
        while part := await parts.get():
            if isinstance(part, BaseException):
                raise part
            yield part
    finally:
        work.cancel()


async def _produce(reader: Reader, exports: Exports, listing: Listing, filters: dict[str, Any], parts: Parts) -> None:
    """The finalized slot of the snapshot, then the file, a batch of rows at a time.

    Runs beside the answer: it holds a connection and one of a few places, and gives them back in time even where
    nobody reads on.
    """
    try:
        async with asyncio.timeout(EXPORT_SECS), reader.snapshot() as snapshot:
            await parts.put(str(snapshot.finalized_slot).encode())
            names = [each.encode_name for each in msgspec.structs.fields(listing.out)]
            await parts.put(_lines([names]))
            async for items in _pages(snapshot, listing, filters):
                if items:
                    await parts.put(_lines([[_cell(getattr(item, name)) for name in names] for item in items]))
            await parts.put(b"")
    except Exception as error:
        while not parts.empty():
            parts.get_nowait()
        parts.put_nowait(error)
    finally:
        exports.end()


async def _pages(snapshot: Snapshot, listing: Listing, filters: dict[str, Any]) -> AsyncIterator[list[Any]]:
    """Page by page along the list's own index, so that no page reads what came before it."""
    cursor = None
    while True:
        sql, values = listing.query(filters, cursor, BATCH)
        page = listing.page(snapshot, await snapshot.fetch(sql, *values), BATCH)
        yield [item for item in page.items if getattr(item, "slot", -1) <= snapshot.finalized_slot]
        cursor = page.next
        if cursor is None:
            return


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return msgspec.json.encode(value).decode()
