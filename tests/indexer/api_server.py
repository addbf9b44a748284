"""The API over a filled database, served on a real socket from a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import postgres
from indexer.recording import PROGRAM_ID, Played
from ionet.codec import ProgramCodec
from ionet.listening import listen
from ionet.program import PROGRAM
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.reconcile import reconcile
from ionet_indexer.service import serve
from ionet_indexer.source.base import AccountSource
from ionet_indexer.store import Checkpoint, Writer

TEMPLATE = "migrated"


class RecordedAccounts:
    """The accounts that the recorded chain ended with."""

    def __init__(self, recording: Played) -> None:
        self.slot = recording.heads.confirmed
        self.data = dict(recording.accounts)

    async def accounts(self, keys: Sequence[str]) -> tuple[int, dict[str, bytes | None]]:
        return self.slot, {key: self.data.get(key) for key in keys}

    async def owned(self, discriminator: bytes) -> tuple[int, list[str]]:
        return self.slot, [key for key, data in self.data.items() if data and data.startswith(discriminator)]


async def fill(dsn: str, recording: Played, accounts: AccountSource) -> None:
    """The recording, and the parameters that come from the accounts."""
    async with Writer.open(dsn) as writer, Reader.open(dsn) as reader:
        await writer.start("recorded", PROGRAM_ID)
        pipeline = Pipeline(writer, PROGRAM.codec)
        transactions = recording.transactions
        checkpoint = Checkpoint(recording.heads.confirmed, recording.heads.finalized)
        await pipeline.commit(transactions, pipeline.decode(transactions), checkpoint)
        assert await reconcile(reader, accounts, PROGRAM.codec) == []


def prepared(server: EmbeddedPostgres, name: str, recording: Played) -> str:
    """A new database of this name, filled with the recording."""

    async def prepare() -> str:
        found = await postgres.create(server, name, TEMPLATE)
        await fill(found, recording, RecordedAccounts(recording))
        return found

    return asyncio.run(prepare())


@contextlib.contextmanager
def client_over(server: EmbeddedPostgres, name: str, recording: Played) -> Iterator[httpx2.Client]:
    """A client of the API over a recording, in a database of its own."""
    with served(prepared(server, name, recording)) as address, httpx2.Client(base_url=address, timeout=60) as client:
        yield client


def get(api: httpx2.Client, path: str, /, code: int = 200, **parameters: Any) -> Any:
    """What the API answers below /v1/, with this status."""
    response = api.get(f"/v1/{path}", params=parameters)
    assert response.status_code == code, response.text
    return response.json()


def items(api: httpx2.Client, path: str, /, **parameters: Any) -> list[Any]:
    """The first page of a list, as large as it can be."""
    found: list[Any] = get(api, path, limit=200, **parameters)["items"]
    return found


@contextlib.contextmanager
def served(
    dsn: str,
    codec: ProgramCodec = PROGRAM.codec,
    *,
    rate: float = 10_000,
    burst: int = 10_000,
    proxies: str | None = "127.0.0.1",
) -> Iterator[str]:
    """Address of the API; without other words no test can reach its limit, and any may be a proxy for others."""
    listener = listen("127.0.0.1", 0, "--port")
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve(dsn, codec, listener, rate=rate, burst=burst, proxies=proxies))

    def work() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        listener.close()
