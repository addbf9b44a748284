"""How fast bytes get from here to a relay and back: measured with the relay, a few seconds a day.

The relay is the only machine that a supplier's has to do with anyway and that is not its own. What it says counts for
no more than the node's word: both may lie.
"""

from __future__ import annotations

import asyncio
import os
import time

from ionet.advert import Bandwidth
from ionet.errors import IonetError
from ionet.relay_wire import DATA, MAX_LINE, MEASURE_BYTES, MEASURE_SECS, Measured, decode

DAY_SECS, RETRY_SECS = 86_400.0, 900.0
"""How old a measurement may become, and how long after one that came to nothing the next is tried."""
FIRST_SECS = 20.0
"""After the relay has been reached: not while an agent has other things to do."""
_PIECE = os.urandom(64 * 1024)
_DIAL_SECS, _ANSWER_SECS = 5.0, 10.0
_MEGABIT = 1_000_000


class NotMeasured(IonetError):
    """the bandwidth to a relay cannot be measured"""


async def measure(host: str, port: int, token: str) -> Bandwidth:
    """With the relay at an address, which gave the token. Raises NotMeasured, OSError, TimeoutError."""
    async with asyncio.timeout(_DIAL_SECS):
        reader, writer = await asyncio.open_connection(host, port, limit=MAX_LINE)
    try:
        writer.write(DATA + token.encode() + b"\n")
        begun, sent = time.monotonic(), await _send(writer)
        said = await _line(reader)
        up_secs = time.monotonic() - begun
        arrived = _arrived(said)
        if arrived != sent:
            raise NotMeasured(f"{arrived} of {sent} bytes arrived, says the relay")
        begun = time.monotonic()
        async with asyncio.timeout(_ANSWER_SECS):
            size = await _receive(reader)
        down_secs = time.monotonic() - begun
    finally:
        writer.transport.abort()
    if not sent or not size:
        raise NotMeasured("nothing was sent")
    rates = (round(bits * 8 / _MEGABIT / max(secs, 1e-3)) for bits, secs in ((sent, up_secs), (size, down_secs)))
    up, down = rates
    return Bandwidth(up_mbits=up, down_mbits=down, at=int(time.time()), relay=f"{host}:{port}"[:64])


async def _send(writer: asyncio.StreamWriter) -> int:
    """For as long as may be. Raises OSError, TimeoutError."""
    sent, until = 0, time.monotonic() + MEASURE_SECS
    async with asyncio.timeout(_ANSWER_SECS):
        while time.monotonic() < until and sent + len(_PIECE) <= MEASURE_BYTES:
            writer.write(_PIECE)
            sent += len(_PIECE)
            await writer.drain()
        writer.write_eof()
    return sent


async def _receive(reader: asyncio.StreamReader) -> int:
    """How much comes until the end. Raises NotMeasured where it is too much."""
    size = 0
    while data := await reader.read(len(_PIECE)):
        size += len(data)
        if size > 2 * MEASURE_BYTES:
            raise NotMeasured("more than was to be sent")
    return size


async def _line(reader: asyncio.StreamReader) -> bytes:
    """Raises NotMeasured, OSError, TimeoutError."""
    try:
        async with asyncio.timeout(_ANSWER_SECS):
            return await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise NotMeasured("the relay did not say what arrived") from None


def _arrived(said: bytes) -> int:
    try:
        message = decode(said)
    except IonetError as error:
        raise NotMeasured(str(error)[:200]) from None
    if not isinstance(message, Measured):
        raise NotMeasured("the relay said something else")
    return message.size
