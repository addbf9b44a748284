"""Frames of a check, read from a member that may send anything."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from ionet.check import wire

PLACES = [0, 700, 936]


def stream(content: bytes, *, ends: bool = True) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(content)
    if ends:
        reader.feed_eof()
    return reader


async def test_the_parts_of_a_long_answer_are_those_at_their_places() -> None:
    content = bytes(range(250)) * 4
    framed = wire.frame(wire.right(content))
    assert await wire.read_parts(stream(framed + b"next"), 1000, PLACES, 64) == [
        content[place : place + 64] for place in PLACES
    ]
    reader = stream(framed + wire.frame(wire.right(b"")))
    await wire.read_parts(reader, 1000, PLACES[:1], 64)
    assert wire.answer(await wire.read(reader, 1)) == b"", "the next frame begins where this one has ended"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (wire.frame(wire.failed("no device")), "no device"),
        (wire.frame(wire.failed("x" * 5000)), "x" * wire.MAX_TEXT),
        (wire.frame(b"\7" + b"\xff" * 10), "\N{REPLACEMENT CHARACTER}" * 10),
        (wire.frame(b""), "an empty answer"),
        (wire.frame(wire.right(b"x" * 999)), "999 bytes came, 1000 were expected"),
        (b"\xff\xff\xff\xff\0", "4294967294 bytes came, 1000 were expected"),
        (wire.frame(wire.right(b"x" * 1000))[:-1], "it broke off"),
        (wire.frame(wire.right(b"x" * 1000))[:500], "it broke off"),
        (b"\1\0", "it broke off"),
        (b"", "it broke off"),
    ],
    ids=range(10),
)
async def test_another_answer_is_refused_with_its_reason(sent: bytes, said: str) -> None:
    with pytest.raises(wire.CheckFailed) as failed:
        await wire.read_parts(stream(sent), 1000, PLACES, 64)
    assert failed.value.detail == said


async def test_another_launchers_check_is_told_from_a_failure() -> None:
    with pytest.raises(wire.CheckGoesOn):
        await wire.read_parts(stream(wire.frame(wire.BUSY)), 1000, PLACES, 64)


@pytest.mark.parametrize("content", [b"\xff", b'{"type":"show\xff"}', b"[" * 5000, b"{}", b""])
def test_what_is_no_question_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(wire.CheckFailed):
        wire.decode(content)


async def test_an_answer_of_a_hundred_megabytes_takes_none() -> None:
    """As of 255 devices, each with 16,384 results."""
    piece, count = bytes(1024 * 1024), 100

    async def send(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((1 + count * len(piece)).to_bytes(4, "little") + wire.right(b""))
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    tracemalloc.start()
    try:
        parts = await wire.read_parts(reader, count * len(piece), [count * len(piece) - 64], 64)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
        assert parts == [bytes(64)]
    finally:
        tracemalloc.stop()
        writer.close()
        await writer.wait_closed()
        server.close()
