"""Events: the whole history of an entity, the newest ones, and a live stream that goes back when the chain does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import msgspec
from ionet.buckets import Buckets
from ionet.codec import ProgramCodec
from ionet.places import Place
from ionet.program import PROGRAM
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import ServerSentEvent, ServerSentEventMessage

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.limits import Places, owner
from ionet_indexer.core.connection import CONNECTION_ERRORS
from ionet_indexer.core.decode import Unread, first_position, read_event, slot_of
from ionet_indexer.core.paging import Page, decode_cursor, encode_cursor
from ionet_indexer.core.parameters import Address, Cursor, Limit, Since, Until, check_word, header, query, word
from ionet_indexer.core.reader import SQL, Reader, Snapshot
from ionet_indexer.core.refusals import BadCursor
from ionet_indexer.pipeline import CHANNEL_EVENTS

log = logging.getLogger(__name__)
MOST_STREAMS, MOST_OF_AN_ADDRESS = 256, 16  # each looks into the database at every change
_BATCH = 500
LOOKED_AT = 1_000  # events, for a page of an entity and a name
_HEARTBEAT = 15.0  # seconds without events after which a comment keeps the connection alive
_KEPT_SECS = 5.0  # for which streams at one place get the same; a replica hears of no change
HISTORY_PER_SECOND, HISTORY_AT_ONCE = 2_500, 25_000  # events to an address; 61 µs of CPU each
_END = (1 << 63) - 1
_MOST_SLOT = slot_of(_END) - 1
_ID = r"([0-9]{1,18}|[0-8][0-9]{18})"
STREAM_ID = rf"^{_ID}-{_ID}$"
UNCOMPRESSED = "uncompressed"  # a message would wait in the compressor for the next one


class Event(msgspec.Struct):
    """An event as the program recorded it; numbers of 64 bits and more are strings.

    One of a later version of the program that this indexer does not know has the name `Unread` and its bytes in hex.
    """

    id: str
    slot: int
    signature: str
    outer_ix: int
    inner_ix: int
    block_time: int | None
    name: str
    data: dict[str, object]


class Streams(Places):
    """The streams of this process. One that makes room for another address ends, and its client comes again."""

    def __init__(self) -> None:
        super().__init__("streams", MOST_STREAMS, MOST_OF_AN_ADDRESS)


class Histories(Buckets):
    """How fast an address may read history over its streams, together."""

    def __init__(self) -> None:
        super().__init__(HISTORY_PER_SECOND, HISTORY_AT_ONCE)

    async def wait(self, address: str) -> None:
        """Until it is the address's turn to read on."""
        while seconds := self.take(address, _BATCH):  # noqa: ASYNC110 - tokens come with time
            await asyncio.sleep(seconds)


class News(NamedTuple):
    """What followed a place in the history, in one state of the database: messages up to `_BATCH` events, and undos.

    back: the last event that still holds of those before the place. mended: the same of final history. more: whether
    events are left.
    """

    undo: int
    back: int
    mended: int
    messages: list[ServerSentEventMessage]
    position: int
    more: bool


class Changes:
    """Wakes every stream of this process when the writer has committed something, and asks once for all of them."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()
        self._asked: dict[tuple[int, int, bool], asyncio.Task[News]] = {}

    def subscribe(self) -> asyncio.Event:
        """An event that is set at every change until it is given back."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        return waiter

    def unsubscribe(self, waiter: asyncio.Event) -> None:
        """Give an event back."""
        self._waiters.discard(waiter)

    async def news(self, reader: Reader, codec: ProgramCodec, position: int, undo: int, *, finalized: bool) -> News:
        """What is new since a place. Until the next change, those who are at the same place get the same."""
        place = position, undo, finalized
        asking = self._asked.get(place)
        if asking is None:
            asking = self._asked[place] = asyncio.create_task(_news(reader, codec, position, undo, finalized=finalized))
            asking.add_done_callback(partial(self._answered, place))
        return await asyncio.shield(asking)  # others may wait for it, too

    def _answered(self, place: tuple[int, int, bool], asking: asyncio.Task[News]) -> None:
        """Only what a stream waits at is kept, history has many places; and not for long, where no change is told."""
        failed = asking.cancelled() or asking.exception() is not None
        if failed or asking.result().more:
            self._forget(place, asking)
        else:
            asyncio.get_running_loop().call_later(_KEPT_SECS, self._forget, place, asking)

    def _forget(self, place: tuple[int, int, bool], asking: asyncio.Task[News]) -> None:
        if self._asked.get(place) is asking:
            del self._asked[place]

    async def run(self, reader: Reader) -> None:
        """Follow the database's notifications until cancelled; reconnects."""
        while True:
            try:
                async for _ in reader.listen(CHANNEL_EVENTS):
                    self._asked.clear()
                    for waiter in self._waiters:
                        waiter.set()
            except CONNECTION_ERRORS as error:
                log.warning("listening failed: %s", error, extra={"action": "listen_lost"})
            self._asked.clear()
            await asyncio.sleep(1.0)


def shown(row: Any, codec: ProgramCodec) -> Event:
    """An event row as the API shows it; of one that is not known here, its bytes."""
    value = read_event(row["data"], codec)
    return Event(
        id=str(row["position"]),
        slot=slot_of(row["position"]),
        signature=row["signature"],
        outer_ix=row["outer_ix"],
        inner_ix=row["inner_ix"],
        block_time=row["block_time"],
        name=row["name"],
        data={"bytes": row["data"].hex()} if isinstance(value, Unread) else codec.show(value),
    )


def names(codec: ProgramCodec) -> tuple[str, ...]:
    """What an event can be called: the program's words, and the one for those that this version does not know."""
    return (*(item.name for item in codec.idl.events), Unread.__name__)


@get("/v1/events", operation_id="list_events")
async def events(
    reader: NamedDependency[AskedReader],
    codec: NamedDependency[ProgramCodec],
    entity: Address = None,
    name: Annotated[str | None, word("Of an event of the program.", *names(PROGRAM.codec))] = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Event]:
    """Events, newest first: all, those of one name, or the complete history of one entity.

    With both, a page looks at 1,000 events: it may have fewer items than `limit`, even none, and a `next` all the same.
    """
    if name is not None:
        check_word("name", name, names(codec))
    after = decode_cursor("events", cursor, ("bigint",))
    async with reader.snapshot() as snapshot:
        first = -1 if since is None else await _position_at(snapshot, since)
        end = _END if until is None else await _position_at(snapshot, until)
        end = min([end, *map(int, after or ())])
        if entity is not None and name is not None:
            rows, end = await _of_both(snapshot, entity, name, first, end, limit + 1)
        elif entity is not None:
            rows = await snapshot.fetch(SQL["events_of_entity"], entity, first, end, limit + 1)
        elif name is not None:
            rows = await snapshot.fetch(SQL["events_named"], name, first, end, limit + 1)
        else:
            rows = await snapshot.fetch(SQL["events_newest"], first, end, limit + 1)
    items = [shown(row, codec) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        following = encode_cursor("events", [items[-1].id])
    elif entity is not None and name is not None and end > first:
        following = encode_cursor("events", [str(end)])
    return Page(snapshot.slot, snapshot.finalized_slot, items, following)


async def _of_both(
    snapshot: Snapshot, entity: str, name: str, first: int, end: int, limit: int
) -> tuple[Sequence[Any], int]:
    """Events of an entity with a name, and from which position on they are all that there are.

    No index has both, so the newest `LOOKED_AT` of the entity are looked at, or as many of that name: those that reach
    further back. A rare name is found at once in a long history, and a common one in a short history.
    """
    reach = await snapshot.one(SQL["events_reach"], entity, name, first, end, LOOKED_AT)
    assert reach is not None  # one row, whatever there is
    by_entity, by_name = (first if back is None else int(back) + 1 for back in (reach["of_entity"], reach["named"]))
    sql = SQL["events_of_entity_named"] if by_entity <= by_name else SQL["events_named_of_entity"]
    start = min(by_entity, by_name)
    return await snapshot.fetch(sql, entity, name, start, end, limit), start


async def _position_at(snapshot: Snapshot, time: int) -> int:
    """Before every event from this time on; block times do not go back."""
    row = await snapshot.one(SQL["position_at"], time)
    return _END if row is None else int(row["position"])


@get("/v1/stream", operation_id="stream_events", media_type="text/event-stream", opt={UNCOMPRESSED: True})
async def stream(
    request: Request[Any, Any, Any],
    connections: NamedDependency[Reader],
    codec: NamedDependency[ProgramCodec],
    changes: NamedDependency[Changes],
    streams: NamedDependency[Streams],
    histories: NamedDependency[Histories],
    finalized: Annotated[bool, query("Only what can no longer be undone.", True)] = False,
    after: Annotated[
        str | None, query("Id of the last message seen; `0-0` for all history.", "0-0", pattern=STREAM_ID)
    ] = None,
    last_event_id: Annotated[
        str | None, header("last-event-id", "The same; it counts before `after`.", "0-0", pattern=rf"^$|{STREAM_ID}")
    ] = None,
) -> ServerSentEvent:
    """Server-sent events: one message per event, in order, from `after` (or Last-Event-ID) on, else from now on.

    When the chain takes another fork, a message `undo` names the last slot that still holds; what came after it is sent
    again as it is now. With `finalized` events are sent once they can no longer be undone, and nothing is ever undone.
    Where final history lacked an event that came to light since, the stream says `mended` and ends: its `id` reads all
    after the slot named again. An address reads 2,500 events of history a second, after the first 25,000.
    """
    place = streams.take(request)
    last = last_event_id or after
    start = _start(last) if last is not None else None
    turn = partial(histories.wait, owner(request.scope))
    return ServerSentEvent(_messages(connections, codec, changes, place, turn, start, finalized))


def _start(last: str) -> tuple[int, int]:
    position, dash, undo = last.partition("-")
    if not dash or not position.isdecimal() or not undo.isdecimal() or int(position) > _END or int(undo) > _END:
        raise BadCursor("not an id of this stream")
    return int(position), int(undo)


async def _messages(
    reader: Reader,
    codec: ProgramCodec,
    changes: Changes,
    place: Place,
    turn: Callable[[], Awaitable[None]],
    start: tuple[int, int] | None,
    finalized: bool,
) -> AsyncIterator[ServerSentEventMessage]:
    changed = changes.subscribe()
    place.on_over = changed.set
    try:
        if start is None:
            async with reader.snapshot() as snapshot:
                # What is confirmed and not final yet has still to be sent to who wants it final.
                newest = first_position(snapshot.finalized_slot + 1) - 1 if finalized else snapshot.state.position
                start = (max(newest, 0), snapshot.state.undo)
        position, undo = start
        while not place.is_over:
            changed.clear()
            news = await changes.news(reader, codec, position, undo, finalized=finalized)
            if news.back < position and not finalized:
                yield _message("undo", {"slot": slot_of(news.back)}, news.back, news.undo)
            if news.mended < position and finalized:
                yield _message("mended", {"slot": slot_of(news.mended)}, news.back, news.undo)
                return
            for message in news.messages:
                yield message
            position, undo = news.position, news.undo
            if news.more:
                await turn()
            elif not await _wait(changed):
                yield ServerSentEventMessage(data=None, comment="alive")
    finally:
        changes.unsubscribe(changed)


async def _news(reader: Reader, codec: ProgramCodec, position: int, undo: int, *, finalized: bool) -> News:
    async with reader.snapshot() as snapshot:
        undone = await snapshot.fetch(SQL["stream_undos"], undo)
        end = first_position(snapshot.finalized_slot + 1) if finalized else _END
        back = min([position, *(first_position(row["slot"] + 1) - 1 for row in undone)])
        rows = await snapshot.fetch(SQL["stream_events"], back, end, _BATCH)
    undo = max([undo, *(row["id"] for row in undone)])
    mended = first_position(min([_MOST_SLOT, *(row["slot"] for row in undone if row["final"])]) + 1) - 1
    messages = [_message(row["name"], shown(row, codec), row["position"], undo) for row in rows]
    return News(undo, back, mended, messages, rows[-1]["position"] if rows else back, len(rows) == _BATCH)


def _message(name: str, data: Any, position: int, undo: int) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=name, id=f"{position}-{undo}", data=msgspec.json.encode(data).decode())


async def _wait(changed: asyncio.Event) -> bool:
    """Whether something changed before a heartbeat is due."""
    try:
        async with asyncio.timeout(_HEARTBEAT):
            await changed.wait()
    except TimeoutError:
        return False
    return True
