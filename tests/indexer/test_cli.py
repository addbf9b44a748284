"""`ionet indexer` as people run it: embedded database, exit codes, one line for every refusal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from ionet.cli import main
from market import Market, market

PATIENCE = 60.0
Call = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ionet-pg-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Market]:
    async with market(slot_ms=100) as found:
        await found.add_machine("a")
        yield found


def invoke(monkeypatch: pytest.MonkeyPatch, url: str, arguments: tuple[str, ...]) -> int:
    """Run a command that ends; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["ionet", "--url", url, "indexer", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def call(played: Market, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command in a thread beside the chain; returns exit code, stdout, stderr."""

    async def work(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(invoke, monkeypatch, played.net.rpc_url, arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return work


@contextlib.asynccontextmanager
async def running(played: Market, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """`indexer run` and what it says where it is."""
    command = [sys.executable, "-m", "ionet", "--url", played.net.rpc_url, "indexer", "run", "--poll", "0.1", "--json"]
    process = await asyncio.create_subprocess_exec(*command, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        yield process, msgspec.json.decode(line)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def fetch(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def until(dsn: str, sql: str) -> None:
    """Wait until a query answers true; the database may still be starting."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                if await fetch(dsn, sql):
                    return
            await asyncio.sleep(0.05)


async def until_indexed(dsn: str) -> None:
    await until(dsn, "SELECT count(*) > 0 FROM nodes")


async def until_followed(call: Call, api: str) -> str:
    """What `status` says once it is well; the API is a process of its own, and may still be starting."""
    async with asyncio.timeout(PATIENCE):
        while True:
            code, out, _ = await call("status", "--api", api, "--json")
            if code == 0:
                return out
            await asyncio.sleep(0.2)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_life_from_start_to_rebuild(played: Market, data: Path, call: Call) -> None:
    here = ("--data", str(data))
    async with running(played, *here, "--port", "0") as (process, said):
        await until_indexed(said["database"])
        postmaster = int((data / "data" / "postmaster.pid").read_text().split("\n")[0])
        out = await until_followed(call, said["api"])
        assert msgspec.json.decode(out)["status"] == "ok"
        assert (await call("check", "--dsn", said["database"]))[:2] == (
            0,
            "the tables agree with the accounts\n",
        )
        code, _, err = await call("run", *here, "--port", "0")
        assert (code, err.count("\n"), "another live process owns" in err) == (1, 1, True)
        code, _, err = await call("rebuild", "--dsn", said["database"])
        assert (code, err.count("\n"), "a writer is at work" in err) == (1, 1, True)
        await fetch(said["database"], "UPDATE nodes SET bonded = 1")
        code, out, _ = await call("check", "--dsn", said["database"], "--json")
        drift = msgspec.json.decode(out)["drift"]
        assert (code, [(item["table"], item["column"]) for item in drift]) == (1, [("nodes", "bonded")])
        process.terminate()
        assert await process.wait() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(postmaster, 0)
    code, out, _ = await call("rebuild", *here, "--json")
    assert code == 0
    assert msgspec.json.decode(out)["events"] > 0
    async with running(played, *here, "--no-api") as (_, said):
        assert said["api"] is None
        await until_indexed(said["database"])
        assert await fetch(said["database"], "SELECT count(*) FROM nodes WHERE bonded = 1") == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_a_backfill_ends_when_everything_up_to_its_slot_is_final_and_on_disk(
    played: Market, data: Path, dsn: str, call: Call
) -> None:
    here, slot = ("--data", str(data)), played.net.chain.timeline.committed_slot("confirmed") + 20
    code, out, err = await call("backfill", *here, "--until", str(slot), "--json")
    assert (code, msgspec.json.decode(out)["until"]) == (0, slot), err
    async with running(played, *here, "--no-api") as (_, said):
        assert await fetch(said["database"], f"SELECT finalized_slot >= {slot} FROM checkpoint")
        before = await fetch(said["database"], "SELECT indexed_slot FROM checkpoint")
        await until(said["database"], f"SELECT indexed_slot > {before} FROM checkpoint")
        code, _, err = await call("backfill", "--dsn", said["database"], "--until", "1")
        assert (code, "a writer is at work" in err) == (1, True)
    # The server of these tests does not wait for the disk.
    code, _, err = await call("backfill", "--dsn", dsn, "--until", "1")
    assert (code, "the setting fsync is off" in err) == (1, True)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_audit_tells_a_line_per_rule_and_fails_when_one_does_not_hold(
    played: Market, dsn: str, call: Call
) -> None:
    async with running(played, "--dsn", dsn, "--no-api"):
        await until_indexed(dsn)
        code, out, err = await call("verify", "--dsn", dsn)
        assert (code, {line.partition("  ")[0] for line in out.splitlines()}) == (0, {"holds"}), out + err
        await fetch(dsn, "DELETE FROM events WHERE position = (SELECT max(position) FROM events WHERE name = 'Staked')")
        code, out, _ = await call("verify", "--dsn", dsn, "--json")
        failed = [rule["rule"] for rule in msgspec.json.decode(out)["rules"] if not rule["holds"]]
        assert (code, "pools" in failed) == (1, True)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_second_writer_stands_by_and_takes_over(played: Market, dsn: str) -> None:
    here = ("--dsn", dsn, "--no-api")
    async with running(played, *here) as (first, _):
        await until_indexed(dsn)
        async with running(played, *here) as (second, _):
            first.kill()
            await first.wait()
            before = await fetch(dsn, "SELECT indexed_slot FROM checkpoint")
            await until(dsn, f"SELECT indexed_slot > {before + 5} FROM checkpoint")
            assert second.returncode is None


@pytest.mark.asyncio(loop_scope="module")
async def test_the_database_of_another_chain_is_refused(played: Market, dsn: str) -> None:
    await fetch(dsn, "INSERT INTO checkpoint VALUES (true, 'another', 'program', 5, 5)")
    async with running(played, "--dsn", dsn, "--no-api") as (process, _):
        assert await process.wait() == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run", "--dsn", "postgresql://nobody@127.0.0.1:1/none", "--no-api"), "cannot connect"),
        (("run", "--dsn", "nonsense", "--no-api"), "cannot connect"),
        (("run", "--data", "/proc/ionet", "--no-api"), "cannot use"),
        (("run", "--host", "203.0.113.1", "--port", "1"), "cannot listen"),
        (("status", "--api", "http://127.0.0.1:1"), "no answer"),
        (("backfill", "--dsn", "postgresql://nobody@127.0.0.1:1/none", "--until", "1"), "cannot connect"),
    ],
)
def test_refusals_are_one_line(
    arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = invoke(monkeypatch, "http://127.0.0.1:1", arguments)
    err = capsys.readouterr().err
    assert (code, err.count("\n"), word in err) == (1, 1, True), err
