"""The running indexer: one writer that follows the chain, a check against the accounts, and the API beside them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import uvicorn
from ionet.apart import serve_apart
from ionet.buckets import believing
from ionet.codec import ProgramCodec
from ionet.errors import IonetError
from ionet.http_server import serve_until_cancelled

from ionet_indexer.api.app import create_app
from ionet_indexer.api.connections import Connection
from ionet_indexer.api.limits import BURST, RATE, pages_named
from ionet_indexer.backfill import backfill
from ionet_indexer.core.connection import CONNECTION_ERRORS, NoDatabase, StoreError, lost
from ionet_indexer.core.decode import BadTransaction
from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.core.view import FoldError
from ionet_indexer.hold import Hold
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.reconcile import Drift, reconcile, strangers
from ionet_indexer.source.base import SourceError
from ionet_indexer.source.live import Wakeups
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer

log = logging.getLogger(__name__)
_RETRY_SECS = 1.0
_RECONCILE_SECS = 30.0
_SECOND_LOOK_SECS = 1.0
_SWEEP_EVERY = 10  # rounds of reconcile in which accounts without a row are looked for once


class IndexerError(IonetError):
    """the indexer cannot go on"""


@dataclass(frozen=True)
class Settings:
    """How to run. `poll` is the most seconds between two looks at the chain; `port` 0 takes a free one.

    check_url: a second node that has to agree before a slot becomes final. timeout: seconds that one answer of a node
    may take.
    """

    dsn: str
    rpc_url: str
    ws_url: str
    host: str = "127.0.0.1"
    port: int = 8080
    poll: float = 1.0
    batch: int = 4_000
    check_url: str | None = None
    timeout: float = 20.0


async def run(
    settings: Settings, codec: ProgramCodec, listener: socket.socket | None, database: EmbeddedPostgres | None = None
) -> None:
    """Run until cancelled; without `listener` there is no API, with it a process of its own serves it.

    database: the server to keep running, if it is ours.

    Raises IndexerError for what no retry can mend, InvalidInput for what the environment names wrongly.
    """
    if listener is not None:
        pages_named()  # said here: the API's process would only end again and again
    try:
        async with asyncio.TaskGroup() as group:
            if database is not None:
                group.create_task(database.keep())
            migrated = asyncio.Event()
            hold = Hold()
            group.create_task(_follow(settings, codec, migrated, hold))
            await migrated.wait()
            group.create_task(_check(settings, codec, hold))
            if listener is not None:
                group.create_task(serve_apart(["indexer", "api"], {"IONET_DATABASE": settings.dsn}, listener))
    except ExceptionGroup as group:
        # Not `except*`: up to Python 3.11.3 what is raised there arrives in a group again.
        raise _reason(group) from None


def _reason(group: ExceptionGroup[Exception]) -> IonetError:
    """What to say of the tasks that failed: a failure that has a sentence of its own, before any other."""
    foreseen = [error for error in group.exceptions if isinstance(error, IonetError)]
    for error in sorted(foreseen, key=lambda error: not isinstance(error, (BadTransaction, FoldError))):
        return error
    log.error("the indexer fails", exc_info=group, extra={"action": "crash"})
    return IndexerError(f"{type(group.exceptions[0]).__name__}: {group.exceptions[0]}")


async def serve(
    dsn: str,
    codec: ProgramCodec,
    listener: socket.socket,
    *,
    rate: float = RATE,
    burst: int = BURST,
    proxies: str | None = None,
) -> None:
    """Only the API, on a database that some writer keeps. rate, burst: see `create_app`.

    proxies: addresses whose `X-Forwarded-For` is believed, with commas; by default those that the environment names.
    Raises InvalidInput for what it names wrongly.
    """
    pages = pages_named()
    async with Reader.open(dsn) as reader:
        config = uvicorn.Config(
            create_app(reader, codec, rate=rate, burst=burst, pages=pages),
            log_level="error",  # what strangers send is no news
            access_log=False,
            lifespan="on",
            http=Connection,
            ws="none",
            **believing(proxies),
            timeout_graceful_shutdown=1,
        )
        await serve_until_cancelled(config, listener)


async def _follow(settings: Settings, codec: ProgramCodec, migrated: asyncio.Event, hold: Hold) -> None:
    """Be the one writer, or wait to become it; start again when the database comes back."""
    while True:
        try:
            async with Writer.open(settings.dsn) as writer:
                migrated.set()
                await _stand_by(writer)
                await _write(settings, codec, writer, hold)
        except CONNECTION_ERRORS as error:
            if not lost(error):
                raise
            log.warning("database lost: %s", error, extra={"action": "database_lost"})
        except NoDatabase as error:
            if not migrated.is_set():  # it was never there: a wrong address, not a restart
                raise
            log.warning("database still away: %s", error, extra={"action": "database_lost"})
        await asyncio.sleep(_RETRY_SECS)


async def _stand_by(writer: Writer) -> None:
    waited = False
    while not await writer.take_lock():
        if not waited:
            log.info("another writer is at work; standing by", extra={"action": "stand_by"})
        waited = True
        await asyncio.sleep(_RETRY_SECS)


async def _write(settings: Settings, codec: ProgramCodec, writer: Writer, hold: Hold) -> None:
    wake = asyncio.Event()
    pushes = asyncio.create_task(Wakeups(settings.ws_url, str(codec.id), wake).run())
    try:
        async with _ingesting(settings, codec, writer, hold) as ingest:
            await ingest.run(wake, settings.poll)
    finally:
        pushes.cancel()
        await asyncio.gather(pushes, return_exceptions=True)


async def fill(settings: Settings, codec: ProgramCodec, until: int, patience: float) -> int:
    """Read history up to a slot, and end. Raises StoreError while another writer is at work."""
    async with Writer.open(settings.dsn) as writer:
        if not await writer.take_lock():
            raise StoreError("a writer is at work; stop it first")
        async with _ingesting(settings, codec, writer, Hold(), patient=False) as ingest:
            return await backfill(ingest, writer, until, patience)


@contextlib.asynccontextmanager
async def _ingesting(
    settings: Settings, codec: ProgramCodec, writer: Writer, hold: Hold, *, patient: bool = True
) -> AsyncIterator[Ingest]:
    """The nodes are of the right chain, and the tables made by this version. patient: wait for the nodes to answer."""
    program = str(codec.id)
    source = RpcSource(settings.rpc_url, program, timeout=settings.timeout)
    witness = RpcSource(settings.check_url, program, timeout=settings.timeout) if settings.check_url else None
    try:
        genesis = await _genesis(source, patient=patient)
        if witness is not None and (other := await _genesis(witness, patient=patient)) != genesis:
            raise IndexerError(f"{settings.check_url} is a node of chain {other}, not of {genesis}")
        start = await writer.start(genesis, program)
        pipeline = Pipeline(writer, codec)
        if await pipeline.is_due():
            log.info("the schema or the known events changed: folding all again", extra={"action": "refold"})
            await pipeline.rebuild()
        yield Ingest(source, writer, pipeline, start, batch=settings.batch, witness=witness, hold=hold)
    finally:
        await source.close()
        if witness is not None:
            await witness.close()


async def _genesis(source: RpcSource, *, patient: bool) -> str:
    """Which chain a node is of; waits for it to answer, if `patient`."""
    while True:
        try:
            return await source.genesis()
        except SourceError as error:
            if not patient:
                raise
            log.warning("chain not reachable: %s", error, extra={"action": "no_chain"})
            await asyncio.sleep(_RETRY_SECS)


async def _check(settings: Settings, codec: ProgramCodec, hold: Hold) -> None:
    """Reconcile again and again; at once while the network's parameters are not known, or after an attempt to mend."""
    source = RpcSource(settings.rpc_url, str(codec.id), timeout=settings.timeout)
    told, rounds = "", 0
    try:
        while True:
            try:
                async with Reader.open(settings.dsn, size=2) as reader:
                    while True:
                        await _judge(reader, source, codec, hold, sweep=rounds % _SWEEP_EVERY == 0)
                        told, rounds = "", rounds + 1
                        if hold.reason is not None:
                            await hold.tried(_RECONCILE_SECS)
                            continue
                        async with reader.snapshot() as snapshot:
                            known = await snapshot.one(SQL["parameters"]) is not None
                        await asyncio.sleep(_RECONCILE_SECS if known else _RETRY_SECS)
            except (IonetError, *CONNECTION_ERRORS) as error:
                if str(error) != told:
                    log.warning("cannot reconcile: %s", error, extra={"action": "no_reconcile"})
                told = str(error)
                await asyncio.sleep(_RETRY_SECS)
    finally:
        await source.close()


async def _judge(reader: Reader, source: RpcSource, codec: ProgramCodec, hold: Hold, *, sweep: bool) -> None:
    """Compare all rows with their accounts; what differs twice holds the writer, what agrees again lets it go on.

    sweep: look for accounts without a row, too. A fork may show a difference once that is none. While all is folded
    again, the tables are those of before: nothing is said of them.
    """

    async def look() -> list[Drift]:
        async with reader.snapshot() as snapshot:
            folding = await snapshot.one(SQL["refold"])
        if folding is not None and folding["refold"]:
            return []
        found = await reconcile(reader, source, codec)
        if sweep or hold.reason is not None:
            try:
                found += await strangers(reader, source, codec)
            except SourceError as error:  # not every node answers getProgramAccounts
                log.warning("cannot look for accounts without a row: %s", error, extra={"action": "no_sweep"})
        return found

    drifts = await look()
    if drifts and hold.reason is None:
        await asyncio.sleep(_SECOND_LOOK_SECS)
        before = {(drift.table, drift.key) for drift in drifts}
        drifts = [drift for drift in await look() if (drift.table, drift.key) in before]
    if not drifts:
        if hold.reason is not None:
            log.warning("the tables agree with the accounts again", extra={"action": "mended"})
        hold.clear()
        return
    for drift in drifts:
        log.error("drift: %s", drift, extra={"action": "drift"})
    more = f" and {len(drifts) - 1} more" if len(drifts) > 1 else ""
    hold.set(
        f"tables differ from accounts: {drifts[0]}{more}",
        list(dict.fromkeys(drift.key for drift in drifts)),
        list(dict.fromkeys(drift.entity for drift in drifts)),
    )
