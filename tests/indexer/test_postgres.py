from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from ionet_indexer.postgres import EmbeddedPostgres, PostgresError, PostgresInUse

OWNER = """
import sys, time
from pathlib import Path
from ionet_indexer.postgres import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
postgres.start()
print(postgres.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def base() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ionet-pg-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pid: int, patience: float = 15.0) -> bool:
    deadline = time.monotonic() + patience
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


async def put(postgres: EmbeddedPostgres, value: int) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        await connection.execute("INSERT INTO kept VALUES ($1)", value)
    finally:
        await connection.close()


async def get(postgres: EmbeddedPostgres) -> list[int]:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        return [row["value"] for row in await connection.fetch("SELECT value FROM kept ORDER BY value")]
    finally:
        await connection.close()


async def test_stops_cleanly_and_keeps_data(base: Path) -> None:
    with EmbeddedPostgres(base) as postgres:
        await put(postgres, 1)
        pid = postgres.pid
    assert pid is not None
    assert not alive(pid)
    with EmbeddedPostgres(base) as postgres:
        assert await get(postgres) == [1]


async def test_recovers_after_the_server_is_killed(base: Path) -> None:
    postgres = EmbeddedPostgres(base)
    postgres.start()
    await put(postgres, 1)
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    postgres.stop()
    assert (base / "data" / "postmaster.pid").exists()  # the stale file is part of what is tested
    with postgres:
        assert await get(postgres) == [1]


def test_server_follows_a_killed_owner(base: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(base)], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        with pytest.raises(PostgresInUse):
            EmbeddedPostgres(base).start()
        asyncio.run(put(EmbeddedPostgres(base), 7))  # the DSN depends on the folder alone
        owner.kill()
    # The next owner needs no pause: it waits for the old server to leave.
    with EmbeddedPostgres(base) as postgres:
        assert asyncio.run(get(postgres)) == [7]
        assert wait_gone(pid)


def test_a_live_orphan_is_ended(base: Path) -> None:
    """A server whose owner is gone and that does not leave by itself is shut down by the next owner."""
    first = EmbeddedPostgres(base)
    first.start()
    orphan, lock = first.pid, first._lock
    assert orphan is not None
    assert lock is not None
    os.close(lock)
    first._lock = None
    with EmbeddedPostgres(base) as second:
        assert second.pid != orphan
        assert not alive(orphan) or first.pid is None
    first.stop()


async def test_pid_file_of_another_process_is_ignored(base: Path) -> None:
    with EmbeddedPostgres(base) as postgres:
        await put(postgres, 1)
    (base / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{base}/data\n0\n5432\n\n\n\nready\n")
    with EmbeddedPostgres(base) as postgres:
        assert await get(postgres) == [1]


def test_deep_folder_gets_a_short_socket(base: Path) -> None:
    deep = base.joinpath(*["a-rather-long-folder-name"] * 5)
    base.chmod(0o755)
    with EmbeddedPostgres(deep) as postgres:
        asyncio.run(put(postgres, 1))
        assert not str(postgres.socket_folder).startswith(str(base))
    shutil.rmtree(postgres.socket_folder)


def test_interrupted_initdb_is_repeated(base: Path) -> None:
    partial = base / "data.partial"
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(base) as postgres:
        assert postgres.pid is not None
    assert not partial.exists()


def test_broken_data_is_a_typed_error(base: Path) -> None:
    with EmbeddedPostgres(base):
        pass
    (base / "data" / "global" / "pg_control").unlink()
    with pytest.raises(PostgresError, match="ended with code"):
        EmbeddedPostgres(base).start()
    with pytest.raises(PostgresError, match="cannot use"):
        EmbeddedPostgres(Path("/proc/ionet")).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_as_root_nothing_of_the_server_belongs_to_root(base: Path) -> None:
    with EmbeddedPostgres(base) as postgres:
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == 65534
        assert (base / "data").stat().st_uid == 65534
        assert base.stat().st_mode & 0o777 == 0o700


async def test_a_server_that_ends_by_itself_is_started_again(base: Path) -> None:
    with EmbeddedPostgres(base) as postgres:
        await put(postgres, 1)
        keeping = asyncio.create_task(postgres.keep())
        first = postgres.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            while postgres.pid in (None, first):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await put(postgres, 2)
        assert await get(postgres) == [1, 2]
        keeping.cancel()
