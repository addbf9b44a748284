"""`ionet launcher run --listen` is two processes: whatever happens to the API's, the launcher goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import asyncpg
import httpx2
import msgspec
import postgres
import pytest
from ionet.buckets import Buckets
from ionet.launcher_api import LauncherClient, LauncherError
from ionet.listening import listen
from ionet.wallet import write_keypair
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_launcher import api, shown
from ionet_launcher.store import migrate
from ionet_localnet import Localnet, LocalnetConfig
from leases import CLUSTER, SESSION
from waiting import until

PATIENCE = 90.0


@contextlib.asynccontextmanager
async def running(
    server: EmbeddedPostgres, folder: Path, chain: str = "http://127.0.0.1:1"
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command on an empty database, by default with a chain that is not there; and the address of its API."""
    write_keypair(folder / "session.json", SESSION)
    (folder / "agents.json").write_text("{}")
    async with postgres.database(server) as dsn:
        await prepare(dsn)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ionet", "--url", chain, "launcher", "run", "--json"),
            *("--session-key", str(folder / "session.json"), "--agents", str(folder / "agents.json")),
            *("--listen", "127.0.0.1:0"),
            env={**os.environ, "IONET_DATABASE": dsn},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            yield process, msgspec.json.decode(await process.stdout.readline())["api"]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def prepare(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    for entry in sorted((files("ionet_indexer") / "migrations").iterdir(), key=lambda item: item.name):
        await connection.execute(entry.read_text())
    await migrate(connection)
    await connection.close()


async def answered(url: str) -> str:
    """Whose API it is, once it answers."""
    async with asyncio.timeout(PATIENCE), LauncherClient(url) as client:
        while True:
            with contextlib.suppress(LauncherError):
                return (await client.launcher()).session_key
            await asyncio.sleep(0.1)


def child_of(pid: int) -> int:
    [found] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def ended(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while runs(pid):  # noqa: ASYNC110 (a process that is not our child has no event)
            await asyncio.sleep(0.05)


async def test_an_api_that_is_killed_comes_back_and_neither_outlives_the_launcher(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with running(server, tmp_path) as (process, url):
        assert await answered(url) == str(SESSION.pubkey())
        first = child_of(process.pid)
        arguments = command_line(first)
        assert b"session.json" not in arguments, "it has no key"
        assert b"postgres" not in arguments, "nor a password where everybody may read it"
        os.kill(first, signal.SIGKILL)
        await ended(first)
        assert await answered(url) == str(SESSION.pubkey())
        second = child_of(process.pid)
        assert second != first
        process.kill()
        await process.wait()
        await ended(second)


async def test_the_launcher_ends_in_order_with_its_api(server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with running(server, tmp_path) as (process, url):
        await answered(url)
        child = child_of(process.pid)
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
        await ended(child)


async def test_a_session_key_without_sol_is_shown(server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with Localnet(LocalnetConfig(slot_ms=50)) as net, running(server, tmp_path, net.rpc_url) as (_, url):

        async def shown() -> bool:
            async with LauncherClient(url) as client:
                said = await client.launcher()
            return said.lamports == 0 and f"session key {SESSION.pubkey()} has 0 SOL, too little" in str(said.warning)

        await answered(url)
        await until(shown, "the API says so")


@contextlib.asynccontextmanager
async def serving(dsn: str) -> AsyncIterator[tuple[str, int]]:
    """The API in this process; its URL and port."""
    listener = listen("127.0.0.1", 0, "--port")
    port = listener.getsockname()[1]
    task = asyncio.create_task(api.serve(dsn, str(SESSION.pubkey()), listener))
    try:
        yield f"http://127.0.0.1:{port}", port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


async def test_connections_that_only_stay_open_are_dropped(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HEADER_SECS", 0.5)
    async with postgres.database(server) as dsn, serving(dsn) as (url, port):
        await prepare(dsn)
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(api.MAX_CONNECTIONS)]
        for number, (_, writer) in enumerate(held):
            writer.write(b"GET /v1 HTTP/1.1\r\nhost: a\r\n" if number % 2 else b"")
        async with asyncio.timeout(PATIENCE):
            for reader, writer in held:
                with contextlib.suppress(ConnectionError):
                    await reader.read()
                writer.close()
        assert await answered(url) == str(SESSION.pubkey())


async def test_connections_of_one_address_keep_nobody_out(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HEADER_SECS", 2 * PATIENCE)
    async with postgres.database(server) as dsn, serving(dsn) as (url, port):
        await prepare(dsn)
        held = []
        for _ in range(api.MAX_CONNECTIONS):
            held.append(await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)))
            held[-1][1].write(b"GET /v1 HTTP/1.1\r\nhost: a\r\n")
        assert await answered(url) == str(SESSION.pubkey())
        oldest = held[: -api.MAX_PER_ADDRESS]
        async with asyncio.timeout(PATIENCE):
            for reader, _ in oldest:
                with contextlib.suppress(ConnectionError):
                    await reader.read()
        for _, writer in held:
            writer.transport.abort()


async def test_who_takes_an_answer_too_slowly_is_dropped(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HEADER_SECS", 0.5)
    monkeypatch.setattr(api, "QUERY_SECS", 0.5)
    never = asyncio.Event()

    async def hangs(*_: object) -> None:
        await never.wait()

    monkeypatch.setattr(api.Api, "launcher", hangs)
    async with postgres.database(server) as dsn, serving(dsn) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1 HTTP/1.1\r\nhost: a\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_its_connections_can_only_read(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a statement that writes would not."""
    async with postgres.database(server) as dsn, serving(dsn) as (url, _):
        await prepare(dsn)
        monkeypatch.setitem(
            shown._SQL, "moves", "DELETE FROM launcher.move WHERE launcher = $1 AND cluster = $2 AND $3 > 0"
        )
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{url}/v1/clusters/{CLUSTER}/events")
        assert (answer.status_code, answer.json()["detail"]) == (503, "the database does not answer")


async def test_without_a_database_it_answers_that_there_is_none() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with serving(f"postgresql://127.0.0.1:{nobody.getsockname()[1]}/none") as (url, _):
            assert await answered(url) == str(SESSION.pubkey())
            async with LauncherClient(url) as client:
                with pytest.raises(LauncherError, match="HTTP 503"):
                    await client.cluster(CLUSTER)


async def test_nobody_chooses_the_address_that_is_limited(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    monkeypatch.setattr(api, "Buckets", lambda _rate, _burst: Buckets(1e-6, 2))
    async with postgres.database(server) as dsn, serving(dsn) as (url, _):
        await prepare(dsn)
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            answers = [
                await client.get(f"{url}/v1", headers={"x-forwarded-for": f"192.0.2.{number}"}) for number in range(3)
            ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
