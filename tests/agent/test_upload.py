"""Leaves go to an indexer that may be hostile: it costs nobody more than a moment, and the node nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx2
import pytest
from agent.advert_taker import Taker
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from ionet import leaves as module
from ionet.leaves import IndexerUnreachable, UploadError, send_upload, sign_upload
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from launcher.ports import free_range
from leases import DEVICE, lease_view
from waiting import until


async def sent(url: str) -> None:
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
        upload = sign_upload(DEVICE, lease_view().address, 0, bytes(32), [(bytes(32), bytes(32))])
        await send_upload(http, url, upload)


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"detail":"\xff"}', b"[" * 5000, b"x" * 1_000_000, b'{"type": 7, "detail": []}', b""]
)
async def test_what_an_indexer_refuses_with_is_an_error_whatever_it_says(body: bytes) -> None:
    async with Taker(status=500, body=body).serving() as indexer:
        with pytest.raises(UploadError) as refused:
            await sent(indexer.url)
    assert refused.value.status == 500


async def test_an_indexer_that_never_ends_its_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte of it comes before the next one is given up."""
    monkeypatch.setattr(module, "_SEND_SECS", 2.0)

    dripping: list[asyncio.Task[None] | None] = []

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dripping.append(asyncio.current_task())
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 201 X\r\ncontent-length: 1000000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.transport.abort()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(30):
            with pytest.raises(IndexerUnreachable):
                await sent("http://127.0.0.1:{1}".format(*server.sockets[0].getsockname()))
    finally:
        server.close()
        await asyncio.gather(*(task for task in dripping if task is not None))


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "nonsense", "http://[::1"])
async def test_an_indexer_that_is_not_there_is_an_error_of_one_kind(url: str) -> None:
    [port] = free_range(1)
    with pytest.raises(IndexerUnreachable):
        await sent(url.format(port=port))


class _Stuck:
    """An upload that never ends, or ends in an error that nobody expects."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.begun = error, 0

    async def step(self) -> None:
        self.begun += 1
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()


@pytest.mark.parametrize("error", [None, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")])
async def test_an_upload_that_does_not_end_holds_up_nothing_that_the_chain_wants(
    tmp_path: Path, error: Exception | None
) -> None:
    chain, uploader = MemoryChain(lease_view(), lambda: 2_000), _Stuck(error)
    with contextlib.closing(Journal(tmp_path / "journal")) as journal:
        loop = Loop(
            chain,
            journal,
            MemoryProvider(),
            Opening(journal),
            report_hash=bytes(32),
            uploader=uploader,
            poll_secs=0.01,
        )
        stopping = asyncio.Event()
        running = asyncio.create_task(loop.run(stopping))
        await until(lambda: uploader.begun > 0, "an upload has begun")
        seen = loop._viewed_at
        await until(lambda: loop._viewed_at > seen and bool(chain.ready), "bookings are answered")
        assert not running.done()
        assert uploader.begun == 1 or error is not None
        stopping.set()
        await asyncio.wait_for(running, 30)
