"""`ionet indexer`: follow the chain, serve the API, rebuild and check the tables."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from ionet.cli.printing import AsJson, print_fields, print_json, say, waiting
from ionet.cli.session import settings

if TYPE_CHECKING:
    from ionet_indexer.postgres import EmbeddedPostgres
    from ionet_indexer.reconcile import Drift

app = typer.Typer(help="History of the chain in Postgres, and its API.", no_args_is_help=True)

_METRICS = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is first imported

Dsn = Annotated[
    str | None,
    typer.Option(envvar="IONET_DATABASE", help="PostgreSQL to use; without it an embedded one in --data."),
]
Data = Annotated[Path | None, typer.Option(envvar="IONET_INDEXER_DATA", help="Folder of the embedded PostgreSQL.")]
WsUrl = Annotated[str | None, typer.Option(help="Websocket of the node; by default its port plus one.")]
CheckUrl = Annotated[str | None, typer.Option(help="Second RPC node; it has to agree before a slot becomes final.")]
Host = Annotated[str, typer.Option(help="Address the API listens on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")]


@contextlib.contextmanager
def _metrics_in(folder: str) -> Iterator[None]:
    try:
        yield
    finally:
        os.environ.pop(_METRICS, None)
        shutil.rmtree(folder, ignore_errors=True)


def _shared_metrics(data: Path | None) -> contextlib.AbstractContextManager[None]:
    """Have the metrics of this process and of those it starts kept in one folder, for /metrics to tell all of them.

    It is beside the data, so that a kill leaves nothing anywhere else.
    """
    try:
        folder = tempfile.mkdtemp(prefix="ionet-metrics-", dir=data and data.parent)
    except OSError:  # no such folder yet, or not ours
        folder = tempfile.mkdtemp(prefix="ionet-metrics-")
    os.environ[_METRICS] = folder
    return _metrics_in(folder)


@contextlib.contextmanager
def _metrics_after(parent: int) -> Iterator[None]:
    """Whoever is killed leaves its folder of metrics behind; the process that it started removes it."""
    try:
        yield
    finally:
        if os.getppid() != parent and _METRICS in os.environ:
            shutil.rmtree(os.environ[_METRICS], ignore_errors=True)


@contextlib.contextmanager
def _database(dsn: str | None, data: Path | None) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The DSN to use, and the embedded server when none is given: it runs meanwhile."""
    if dsn is not None:
        yield dsn, None
        return
    from ionet_indexer.postgres import EmbeddedPostgres

    with EmbeddedPostgres(data) as server:
        yield server.dsn, server


def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until it ends or SIGINT or SIGTERM comes."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


def _log() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def websocket_of(url: str) -> str:
    """Where a node's websocket is by custom: the next port, or the same address for https."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    if parts.port is None:
        return f"{scheme}://{parts.netloc}{parts.path}"
    return f"{scheme}://{parts.hostname}:{parts.port + 1}{parts.path}"


@app.command()
def run(
    ctx: typer.Context,
    dsn: Dsn = None,
    data: Data = None,
    ws_url: WsUrl = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    api: Annotated[bool, typer.Option(help="Serve the API too.")] = True,
    poll: Annotated[float, typer.Option(min=0.05, help="Most seconds between two looks at the chain.")] = 1.0,
    check_url: CheckUrl = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one answer of a node may take.")] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Follow the chain until interrupted."""
    import msgspec
    from ionet.listening import listen
    from ionet.program import PROGRAM
    from ionet.ready import IndexerReady

    shared = _shared_metrics(data)  # before anything imports them
    from ionet_indexer import service

    _log()
    url = settings(ctx).url
    with contextlib.ExitStack() as stack:
        stack.enter_context(shared)
        listener = stack.enter_context(listen(host, port, "--port")) if api else None
        database, server = stack.enter_context(_database(dsn, data))
        address = f"http://{host}:{listener.getsockname()[1]}" if listener else None
        ready = IndexerReady(api=address, database=database, chain=url)
        print_fields(msgspec.to_builtins(ready), as_json=as_json)
        config = service.Settings(
            database, url, ws_url or websocket_of(url), poll=poll, check_url=check_url, timeout=timeout
        )
        _until_told(service.run(config, PROGRAM.codec, listener, server))


@app.command("api")
def only_api(
    dsn: Annotated[str, typer.Option(envvar="IONET_DATABASE", help="PostgreSQL that some writer fills.")],
    host: Host = "127.0.0.1",
    port: Port = 8080,
    inherited: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Serve the API alone; any number of these may run beside one writer."""
    from ionet import apart
    from ionet.listening import listen
    from ionet.program import PROGRAM

    from ionet_indexer import service

    _log()
    if inherited:  # by a running indexer: its socket, and its process
        with _metrics_after(int(inherited.partition(":")[2])), apart.inherited(inherited) as listener:
            _until_told(service.serve(dsn, PROGRAM.codec, listener))
        return
    with listen(host, port, "--port") as listener:
        say(f"http://{host}:{listener.getsockname()[1]}")
        _until_told(service.serve(dsn, PROGRAM.codec, listener))


@app.command()
def migrate(dsn: Dsn = None, data: Data = None, as_json: AsJson = False) -> None:
    """Bring the schema up to date."""
    from ionet_indexer.store import Writer

    async def work(database: str) -> list[str]:
        async with Writer.open(database) as writer:
            return writer.migrated

    with _database(dsn, data) as (database, _):
        print_fields({"applied": asyncio.run(work(database))}, as_json=as_json)


@app.command()
def rebuild(dsn: Dsn = None, data: Data = None, as_json: AsJson = False) -> None:
    """Make the derived tables again from the stored events; readers go on with the old ones until all is done."""
    from ionet.program import PROGRAM

    from ionet_indexer.core.connection import StoreError
    from ionet_indexer.pipeline import Pipeline
    from ionet_indexer.store import Writer

    async def work(database: str) -> int:
        async with Writer.open(database) as writer:
            if not await writer.take_lock():
                raise StoreError("a writer is at work; stop it first")
            return await Pipeline(writer, PROGRAM.codec).rebuild()

    _log()
    with _database(dsn, data) as (database, _):
        print_fields({"events": asyncio.run(work(database))}, as_json=as_json)


@app.command()
def backfill(
    ctx: typer.Context,
    until: Annotated[int, typer.Option(min=0, help="Slot to read up to.")],
    dsn: Dsn = None,
    data: Data = None,
    check_url: CheckUrl = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds without progress after which it gives up.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Read history up to a slot and end; exit code 0 says that every slot up to there is final and on disk."""
    from ionet.program import PROGRAM

    from ionet_indexer import service

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    url = settings(ctx).url
    with _database(dsn, data) as (database, _):
        config = service.Settings(database, url, websocket_of(url), check_url=check_url)
        events = asyncio.run(service.fill(config, PROGRAM.codec, until, patience))
        print_fields({"until": until, "events": events}, as_json=as_json)


@app.command()
def verify(ctx: typer.Context, dsn: Dsn = None, data: Data = None, as_json: AsJson = False) -> None:
    """Add the raw events up and compare with vaults and accounts, a line per rule; exit code 1 when one fails."""
    from ionet.program import PROGRAM

    from ionet_indexer.audit.rules import Verdict
    from ionet_indexer.audit.verify import verify
    from ionet_indexer.core.reader import Reader
    from ionet_indexer.source.rpc import RpcSource

    async def work(database: str) -> list[Verdict]:
        source = RpcSource(settings(ctx).url, str(PROGRAM.id))
        try:
            async with Reader.open(database, size=2) as reader:
                return await verify(reader, source, PROGRAM.codec)
        finally:
            await source.close()

    with _database(dsn, data) as (database, _):
        verdicts = asyncio.run(work(database))
    if as_json:
        print_json({"rules": [{"rule": v.rule, "holds": v.holds, "detail": v.detail} for v in verdicts]})
    else:
        say("\n".join(f"{'holds' if v.holds else 'FAILS'}  {v.rule}: {v.detail}" for v in verdicts))
    raise typer.Exit(0 if all(v.holds for v in verdicts) else 1)


@app.command()
def check(ctx: typer.Context, dsn: Dsn = None, data: Data = None, as_json: AsJson = False) -> None:
    """Compare the tables with the accounts on chain; exit code 1 when they differ."""
    from ionet.program import PROGRAM

    from ionet_indexer.core.reader import Reader
    from ionet_indexer.reconcile import reconcile, strangers
    from ionet_indexer.source.rpc import RpcSource

    async def work(database: str) -> list[Drift]:
        source = RpcSource(settings(ctx).url, str(PROGRAM.id))
        try:
            async with Reader.open(database, size=2) as reader:
                drifts = await reconcile(reader, source, PROGRAM.codec)
                return drifts + await strangers(reader, source, PROGRAM.codec)
        finally:
            await source.close()

    with _database(dsn, data) as (database, _):
        drifts = asyncio.run(work(database))
    shown = [{name: getattr(drift, name) for name in drift.__struct_fields__} for drift in drifts]
    if as_json:
        print_json({"drift": shown})
    else:
        say("\n".join(json.dumps(fields) for fields in shown) or "the tables agree with the accounts")
    raise typer.Exit(1 if drifts else 0)


@app.command()
def status(
    api: Annotated[str, typer.Option(envvar="IONET_API", help="Address of the API.")] = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Ask a running indexer how it does; exit code 1 when it does not follow the chain."""
    import httpx2

    from ionet_indexer.service import IndexerError

    try:
        with waiting("asking the indexer"):
            response = httpx2.get(f"{api.rstrip('/')}/health", timeout=20)
        fields = response.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise IndexerError(f"no answer from {api}: {error}") from error
    known = {name: value for name, value in fields.items() if value is not None}
    print_fields(fields if as_json else known, as_json=as_json)
    raise typer.Exit(0 if response.status_code == 200 else 1)
