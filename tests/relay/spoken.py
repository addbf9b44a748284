"""A relay's protocol, spoken by hand."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from ionet.relay_wire import (
    CONTROL,
    Hello,
    Login,
    Message,
    Ping,
    decode,
    encode,
    login_message,
)
from relay.conftest import Place
from relay.place import Stream
from solders.keypair import Keypair
from solders.pubkey import Pubkey

ALERT = b"\x15\x03\x03\x00\x02\x02"
UNKNOWN_NAME, INTERNAL_ERROR = ALERT + bytes([112]), ALERT + bytes([80])


def hello(name: str) -> bytes:
    """What a TLS client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return said.read()


async def connect(place: Place, sent: bytes = b"") -> Stream:
    stream = await asyncio.open_connection("127.0.0.1", place.relay.port)
    stream[1].write(sent)
    return stream


async def last_words(stream: Stream, within: float = 30) -> bytes:
    """All that comes until the other end closes. Raises TimeoutError."""
    said = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(within):
            while data := await stream[0].read(65536):
                said += data
    stream[1].transport.abort()
    return said


class Agent:
    """An agent's control connection, spoken by hand."""

    def __init__(self, stream: Stream) -> None:
        self.reader, self.writer = stream

    async def read(self) -> Message:
        async with asyncio.timeout(30):
            while isinstance(message := decode(await self.reader.readline()), Ping):
                pass
        return message

    async def log_in(
        self, place: Place, node: Pubkey, key: Keypair, *, names: Pubkey | None = None, at: str | None = None
    ) -> Message:
        """names: whom it says the key is, if not who it is. at: for which relay it signs, if not for this one."""
        said = await self.read()
        assert isinstance(said, Hello)
        signature = key.sign_message(login_message(at or place.relay.at, bytes.fromhex(said.nonce), node))
        self.writer.write(encode(Login(str(node), str(names or key.pubkey()), bytes(signature).hex())))
        return await self.read()


@contextlib.asynccontextmanager
async def control(place: Place) -> AsyncIterator[Agent]:
    stream = await connect(place, CONTROL)
    try:
        yield Agent(stream)
    finally:
        stream[1].transport.abort()
