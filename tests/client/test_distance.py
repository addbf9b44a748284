"""Before nodes are booked it is known how far those are that can be reached directly; nobody keeps it waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping

import pytest
from ionet import distance
from solders.pubkey import Pubkey

NEAR, RELAYED, REFUSING, SILENT = (Pubkey(bytes([number] * 32)) for number in range(1, 5))


@contextlib.asynccontextmanager
async def indexer(adverts: Mapping[Pubkey, bytes | None]) -> AsyncIterator[str]:
    """Its address. adverts: what it answers of a node; None: nothing, ever."""
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            asked = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            said = adverts[Pubkey.from_string(asked.split("/")[3])]
            if said is None:
                await ended.wait()
                return
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(said) + said)
            await writer.drain()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended.set()


def advert(*endpoints: str) -> bytes:
    return json.dumps({"item": {"endpoints": endpoints, "relays": ["1.2.3.4:7443"]}}).encode()


async def test_the_way_to_each_is_measured_and_who_cannot_be_reached_directly_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distance, "_ALL_SECS", 8.0)
    taken = 0

    def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        writer.close()

    agent = await asyncio.start_server(take, "127.0.0.1", 0)
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))  # it does not listen, and keeps its port from others
        at, closed = (f"127.0.0.1:{one.getsockname()[1]}" for one in (agent.sockets[0], refusing))
        adverts = {NEAR: advert(at), RELAYED: advert(), REFUSING: advert(closed), SILENT: None}
        async with agent, indexer(adverts) as url:
            found = await distance.measure(url, [NEAR, RELAYED, REFUSING, SILENT, NEAR])
    assert set(found) == {NEAR}
    assert 0 < found[NEAR] < 1000
    assert taken == 5


async def test_without_an_indexer_nothing_is_known_and_nothing_fails() -> None:
    assert await distance.measure("http://127.0.0.1:1", [NEAR]) == {}
    assert await distance.measure("nonsense", [NEAR]) == {}
    assert await distance.measure("nonsense", []) == {}
