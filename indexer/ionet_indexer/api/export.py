"""Whole tables as CSV or Parquet, streamed from one snapshot in bounded memory: what is final, in the list's order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any

from ionet import places
from ionet.places import Place
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Stream

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.files import FORMS, File, Form
from ionet_indexer.api.limits import Places
from ionet_indexer.core.connection import SWAP_LOCK
from ionet_indexer.core.lists import Listing
from ionet_indexer.core.parameters import Since, Until, path
from ionet_indexer.core.reader import SQL, Reader, Snapshot
from ionet_indexer.core.refusals import BadValue, NotFound, Unavailable
from ionet_indexer.topics import LISTS

BATCH = 1_000  # rows
MOST_AT_ONCE, MOST_OF_AN_ADDRESS = 2, 1
EXPORT_SECS = 600.0
UNREAD_SECS: float | None = 60.0  # for which a part, of 8 MiB at most, may wait for its reader
WAITED_SECS = 60.0  # for which all parts together may, once another wants the place
_SWAP_SECS = 30  # after which to ask again, where the tables wait to be replaced
# Of a file: bytes, none at its end, or what went wrong.
Parts = asyncio.Queue[bytes | Exception]
_TABLES = {listing.name: listing for listing in LISTS}


class Exports(Places):
    """The exports of this process; each keeps a connection while it runs. Who reads slowly makes room for others."""

    def __init__(self) -> None:
        super().__init__("exports", MOST_AT_ONCE, MOST_OF_AN_ADDRESS)

    def gives_up(self, taken: places.Places, who: str) -> Place | None:  # noqa: ARG002 - an address has one
        """The one that has waited longest for its reader, if that was long."""
        slowest = max(taken.all(), key=lambda place: place.waited)
        return slowest if slowest.waited >= WAITED_SECS else None


@get("/v1/export/{file:str}", operation_id="export_table")
async def export(
    request: Request[Any, Any, Any],
    reader: NamedDependency[AskedReader],
    exports: NamedDependency[Exports],
    file: Annotated[
        str,
        path(
            f"A table and `.{'` or `.'.join(FORMS)}`.",
            "leases.csv",
            told={"pattern": rf"^({'|'.join(sorted(_TABLES))})\.({'|'.join(FORMS)})$"},
            pattern=rf"^[a-z_]{{1,40}}\.({'|'.join(FORMS)})$",
        ),
    ],
    since: Since = None,
    until: Until = None,
) -> Stream:
    """A table as CSV (RFC 4180) or Parquet, with the fields of its list. Rows whose last event is not final yet are
    left out; the header `ionet-finalized-slot` says up to where.

    In CSV lists and objects are JSON, null is empty. In Parquet amounts are decimals of 20 digits, those of 128 bits
    strings, times 64-bit integers (unix seconds), lists and objects nested.
    """
    table, _, form = file.rpartition(".")
    listing = _TABLES.get(table)
    if listing is None:
        raise NotFound(f"there is no table {table}")
    asked = {name: time for name, time in (("since", since), ("until", until)) if time is not None}
    if untimed := sorted(set(asked) - set(listing.filters)):
        raise BadValue(f"{', '.join(untimed)}: {listing.name} have no times")
    place = exports.take(request)
    parts: Parts = asyncio.Queue(maxsize=1)
    work = asyncio.create_task(_produce(reader, place, listing, FORMS[form], asked, parts))
    sent = _sent(parts, work)
    slot = (await anext(sent)).decode()  # the snapshot's, or what went wrong, before anything is sent
    headers = {"ionet-finalized-slot": slot, "content-disposition": f'attachment; filename="{file}"'}
    return Stream(sent, media_type=FORMS[form].media_type, headers=headers)


async def _sent(parts: Parts, work: asyncio.Task[None]) -> AsyncGenerator[bytes]:
    """What is produced, as fast as it is taken. An error breaks the answer off: no part looks like the whole."""
    try:
        while part := await parts.get():
            if isinstance(part, BaseException):
                raise part
            yield part
    finally:
        work.cancel()


async def _produce(
    reader: AskedReader | Reader,
    place: Place,
    listing: Listing,
    form: Form,
    filters: dict[str, Any],
    parts: Parts,
) -> None:
    """The finalized slot of the snapshot, then the file, a batch of rows at a time.

    Runs beside the answer: it holds a connection and one of a few places, and gives them back in time even where
    nobody reads on. Rows become bytes in a thread, one after the other, so that no other request waits for them.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="export")
    in_thread = partial(asyncio.get_running_loop().run_in_executor, thread)
    begun: File | None = None
    try:
        try:
            async with _time() as time, reader.snapshot() as snapshot:
                place.on_over = partial(_end, time)
                waits = await snapshot.one(SQL["swap_waits"], SWAP_LOCK)
                if waits is not None and waits["waits"]:  # for those that hold the tables it is to replace
                    raise Unavailable("the tables are about to be replaced", _SWAP_SECS)
                file: File = await in_thread(form, listing.out, snapshot.finalized_slot)
                begun = file
                await _put(place, parts, str(snapshot.finalized_slot).encode())
                await _put(place, parts, await in_thread(file.begin))
                async for items in _pages(snapshot, listing, filters):
                    if items and (part := await in_thread(file.add, items)):
                        await _put(place, parts, part)
                if part := await in_thread(file.end):
                    await _put(place, parts, part)
        finally:
            place.release()
        await parts.put(b"")  # whoever has it all finds the place free again
    except Exception as error:
        while not parts.empty():
            parts.get_nowait()
        parts.put_nowait(error)
    finally:
        if begun is not None:
            thread.submit(begun.drop)  # after what the thread is at
        thread.shutdown(wait=False)


async def _put(place: Place, parts: Parts, part: bytes) -> None:
    """Hand a part on. TimeoutError where nobody reads: a place is not kept for who opens an export and waits."""
    async with asyncio.timeout(UNREAD_SECS):
        with place.waiting():
            await parts.put(part)


def _time() -> asyncio.Timeout:
    """What an export may take."""
    return asyncio.timeout(EXPORT_SECS)


def _end(time: asyncio.Timeout) -> None:
    if not time.expired():
        time.reschedule(asyncio.get_running_loop().time())


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
