"""Events as they come: one connection to the indexer, any number of readers of the page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
from ionet.buckets import whose
from ionet.places import Places
from litestar.response import ServerSentEventMessage
from markupsafe import Markup

from ionet_web.blocks import table
from ionet_web.indexer import Indexer, Unavailable
from ionet_web.lists import LISTS

MOST_READERS, MOST_OF_AN_ADDRESS = 500, 16
_QUEUED = 50
"""Events that a slow reader may be behind before it is let go; its browser asks again."""
_PAUSE_SECS = 2.0
_HEARTBEAT_SECS = 15.0
log = logging.getLogger(__name__)


class Live:
    """Follows the indexer's stream while anybody reads."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer
        self._readers: set[asyncio.Queue[str | None]] = set()
        self._places = Places(MOST_READERS, MOST_OF_AN_ADDRESS)
        self._come = asyncio.Event()

    def is_full(self, address: str) -> bool:
        """Whether no further reader of an address is taken."""
        return not self._places.has_room(whose(address))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._come.wait()
            try:
                async with self._indexer.events() as lines:
                    await self._hand_on(lines)
            except Unavailable as error:
                log.debug("%s", error)
            await asyncio.sleep(_PAUSE_SECS)

    async def _hand_on(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if not self._readers:
                self._come.clear()
                return
            if line.startswith("data:") and (row := _row(line[5:])) is not None:
                for reader in list(self._readers):
                    self._give(reader, row)

    def _give(self, reader: asyncio.Queue[str | None], row: str) -> None:
        if reader.qsize() < _QUEUED:
            reader.put_nowait(row)
        else:
            self._readers.discard(reader)
            reader.put_nowait(None)

    async def rows(self, address: str) -> AsyncIterator[ServerSentEventMessage]:
        """Rows of the table of events, HTML, for one reader at an address."""
        place = self._places.take(whose(address))
        if place is None:
            return
        reader: asyncio.Queue[str | None] = asyncio.Queue()
        self._readers.add(reader)
        self._come.set()
        try:
            while True:
                try:
                    async with asyncio.timeout(_HEARTBEAT_SECS):
                        row = await reader.get()
                except TimeoutError:
                    yield ServerSentEventMessage(comment="still here")
                    continue
                if row is None:
                    return
                yield ServerSentEventMessage(data=row, event="row")
        finally:
            self._readers.discard(reader)
            place.release()


class _Event(msgspec.Struct):
    """What a row shows of an event."""

    name: str
    slot: int
    signature: str
    block_time: int | None


def _row(text: str) -> str | None:
    """An event of the stream as a row; None for what is none, such as the word that events were undone."""
    try:
        event = msgspec.json.decode(text, type=_Event)
    except (msgspec.DecodeError, RecursionError):
        return None
    cells = table("", LISTS["events"].columns, [msgspec.structs.asdict(event)]).rows[0]
    return str(Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in cells)))
