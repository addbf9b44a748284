"""`ionet indexer run` is two processes behind one command: neither holds the other up, and neither outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest_asyncio
from market import Market, market

PATIENCE = 60.0


@pytest_asyncio.fixture
async def played() -> AsyncIterator[Market]:
    async with market(slot_ms=100) as found:
        yield found


@contextlib.asynccontextmanager
async def running(played: Market, dsn: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command, and the address of its API once that answers."""
    command = [sys.executable, "-m", "ionet", "--url", played.net.rpc_url, "indexer", "run", "--poll", "0.1", "--json"]
    options = ["--dsn", dsn, "--ws-url", played.net.ws_url, "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, *options, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        address = msgspec.json.decode(await process.stdout.readline())["api"]
        await answer(address, "/health")
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answer(address: str, path: str) -> httpx2.Response:
    """The first answer that is no 503; the socket waits while no process serves it."""
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(base_url=address, timeout=PATIENCE) as client:
        while (found := await client.get(path)).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return found


def child_of(process: asyncio.subprocess.Process) -> int:
    """The API's process."""
    [found] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(found)


def runs(pid: int) -> bool:
    """Whether a process is there; a dead one that nobody has asked after is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while runs(pid):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.05)


async def indexed(dsn: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT indexed_slot FROM checkpoint")
    finally:
        await connection.close()


async def test_a_killed_api_is_followed_by_another_on_the_same_socket(played: Market, dsn: str) -> None:
    async with running(played, dsn) as (process, address):
        first = child_of(process)
        os.kill(first, signal.SIGKILL)
        assert (await answer(address, "/health")).status_code == 200
        assert child_of(process) != first
        assert process.returncode is None


async def test_the_api_ends_with_a_killed_writer(played: Market, dsn: str) -> None:
    async with running(played, dsn) as (process, _):
        api = child_of(process)
        process.kill()
        await process.wait()
        await gone(api)


async def test_both_end_together_when_told(played: Market, dsn: str) -> None:
    async with running(played, dsn) as (process, _):
        api = child_of(process)
        process.terminate()
        assert await process.wait() == 0
        await gone(api)


async def test_an_api_that_stands_still_does_not_hold_up_the_writer(played: Market, dsn: str) -> None:
    async with running(played, dsn) as (process, address):
        api = child_of(process)
        os.kill(api, signal.SIGSTOP)
        before = await indexed(dsn)
        async with asyncio.timeout(PATIENCE):
            while await indexed(dsn) < before + 10:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        os.kill(api, signal.SIGCONT)
        assert (await answer(address, "/health")).status_code == 200


async def test_metrics_tell_of_both(played: Market, dsn: str) -> None:
    async with running(played, dsn) as (_, address):
        await answer(address, "/v1/models")
        text = (await answer(address, "/metrics")).text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values["ionet_indexer_indexed_slot"]) > 0
    assert float(values['ionet_api_requests_total{route="/v1/models",status="200"}']) == 1
