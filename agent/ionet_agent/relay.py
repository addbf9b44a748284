"""How an agent that nobody can dial is reached: it dials out to relays, and again for each caller they announce.

TLS ends here, in the agent's own API: a relay sees only what strangers on the way see. A relay that fails is left for
the next one named, and tried again later.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ionet.advert import Bandwidth
from ionet.errors import ConfigError, IonetError, reason_of
from ionet.listening import keep_alive
from ionet.relay_wire import (
    CONTROL,
    DATA,
    MAX_LINE,
    PING_SECS,
    TOKEN_LEN,
    Hello,
    Login,
    Measure,
    Measuring,
    Message,
    Open,
    Ping,
    Refused,
    Welcome,
    decode,
    encode,
    login_message,
)
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_agent.bandwidth import DAY_SECS, FIRST_SECS, RETRY_SECS, measure

KEPT = 2
"""Relays that an agent keeps connected at once: callers use the second when the first fails."""
MAX_CALLERS = 64
_ANSWER_SECS, _DIAL_SECS = 20.0, 5.0
_FIRST_PAUSE_SECS, _LONGEST_PAUSE_SECS = 0.2, 10.0
_PIECE = 32 * 1024
_log = logging.getLogger(__name__)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[str], Awaitable[Stream]]
"""Opens a connection to the agent's API for a caller of the relay of that name. Raises OSError."""


class RelayFailed(IonetError):
    """a relay cannot be used"""


@dataclass(frozen=True)
class RelayAddress:
    """HOST:PORT; the very text is what the agent signs, so a relay must know itself by it."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> RelayAddress:
        """Raises ConfigError."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ConfigError(f"{text!r} is not HOST:PORT of a relay")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def splice(one: Stream, other: Stream, carried: Callable[[], object] = lambda: None) -> None:
    """Pass on what each says until one has ended or breaks; then both are closed. carried: called with each piece.

    TLS is over with its first end, and what is on its way has a moment: whoever stays silent keeps no place.
    """
    ways = [asyncio.ensure_future(_pass_on(a[0], b[1], carried)) for a, b in ((one, other), (other, one))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(ways, timeout=_DIAL_SECS, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for way in ways:
            way.cancel()
        for _, writer in (one, other):  # before anything is awaited: this may be cancelled again
            writer.close()
        await asyncio.gather(*ways, return_exceptions=True)
        await asyncio.gather(_closed(one[1]), _closed(other[1]))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carried: Callable[[], object]) -> None:
    while data := await reader.read(_PIECE):
        carried()
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_DIAL_SECS):
            await writer.wait_closed()


class Relays:
    """Keeps up to two of the named relays connected, those named first if they work."""

    def __init__(
        self,
        addresses: Sequence[RelayAddress],
        node: Pubkey,
        device: Keypair,
        connect: Connect,
        *,
        measure_after: float = FIRST_SECS,
    ) -> None:
        self.bandwidth: Bandwidth | None = None
        """As it was measured last, with one of the relays."""
        self._measure_after = measure_after
        self._wishes: set[RelayAddress] = set()
        self._addresses = list(dict.fromkeys(addresses))
        self._node, self._device, self._connect = node, device, connect
        self._used: set[RelayAddress] = set()
        self._connected: dict[RelayAddress, None] = {}
        self._pauses = dict.fromkeys(self._addresses, 0.0)
        self._tries = itertools.count(1)
        self._tried = dict.fromkeys(self._addresses, 0)
        self._callers: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> list[str]:
        """Where callers reach this node now, HOST:PORT, in the order in which they were named."""
        return [str(address) for address in self._addresses if address in self._connected]

    async def run(self) -> None:
        """Until cancelled; then all is hung up."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(KEPT, len(self._addresses))):
                    group.create_task(self._keep_one())
        finally:
            for task in self._callers:
                task.cancel()
            await asyncio.gather(*self._callers, return_exceptions=True)

    async def _keep_one(self) -> None:
        while True:
            # The one that failed least, then the one that was tried longest ago; the other slot has its own.
            free = [address for address in self._addresses if address not in self._used]
            address = min(free, key=lambda each: (self._pauses[each], self._tried[each]))
            self._used.add(address)
            self._tried[address] = next(self._tries)
            try:
                await asyncio.sleep(self._pauses[address] * random.uniform(0.5, 1.0))
                await self._use(address)
            except (OSError, TimeoutError, RelayFailed) as error:
                longer = max(_FIRST_PAUSE_SECS, self._pauses[address] * 2)
                self._pauses[address] = min(longer, _LONGEST_PAUSE_SECS)
                _log.warning("%s: %s", address, reason_of(error), extra={"action": "relay_lost"})
            finally:
                self._used.discard(address)
                self._connected.pop(address, None)

    async def _use(self, address: RelayAddress) -> None:
        """Raises OSError, TimeoutError or RelayFailed, sooner or later."""
        async with asyncio.timeout(_DIAL_SECS):
            reader, writer = await asyncio.open_connection(address.host, address.port, limit=MAX_LINE)
        try:
            writer.write(CONTROL)
            hello = await _read(reader, Hello)
            assert isinstance(hello, Hello)
            nonce = bytes.fromhex(hello.nonce) if len(hello.nonce) == 64 else b""
            if len(nonce) != 32:  # what is signed has one meaning only
                raise RelayFailed("its challenge is not 32 bytes")
            signature = self._device.sign_message(login_message(str(address), nonce, self._node))
            login = Login(str(self._node), str(self._device.pubkey()), bytes(signature).hex())
            writer.write(encode(login))
            welcome = await _read(reader, Welcome)
            self._pauses[address] = 0.0
            self._connected[address] = None
            _log.info("callers reach this node at %s", address, extra={"action": "relay_found"})
            beside = [asyncio.create_task(_ping(writer))]
            if isinstance(welcome, Welcome) and welcome.measures:
                beside.append(asyncio.create_task(self._wish(address, writer)))
            try:
                await self._serve(address, reader)
            finally:
                for task in beside:
                    task.cancel()
        except ValueError as error:
            raise RelayFailed(str(error)) from None
        finally:
            writer.transport.abort()

    async def _serve(self, address: RelayAddress, reader: asyncio.StreamReader) -> None:
        while True:
            message = await _read(reader, Open, Ping, Measuring)
            if not isinstance(message, Open | Measuring):
                continue
            if len(message.token) != TOKEN_LEN or not (message.token.isascii() and message.token.isalnum()):
                raise RelayFailed("its token is not one")
            if isinstance(message, Measuring):
                if address not in self._wishes:
                    raise RelayFailed("it was not asked to measure")
                self._wishes.discard(address)
            # Each relay has its own places: a hostile one takes none of the other's.
            if sum(task.get_name() == str(address) for task in self._callers) < MAX_CALLERS:
                work = self._call(address, message) if isinstance(message, Open) else self._measure(address, message)
                task = asyncio.create_task(work, name=str(address))
                self._callers.add(task)
                task.add_done_callback(self._callers.discard)

    async def _call(self, address: RelayAddress, call: Open) -> None:
        try:
            async with asyncio.timeout(_DIAL_SECS):
                reader, writer = await asyncio.open_connection(address.host, address.port, limit=_PIECE)
            try:
                keep_alive(writer.get_extra_info("socket"))
                writer.write(DATA + call.token.encode() + b"\n")
                async with asyncio.timeout(_DIAL_SECS):
                    there = await self._connect(str(address))
                await splice((reader, writer), there)
            finally:
                writer.transport.abort()
        except (OSError, TimeoutError) as error:
            _log.warning("a caller from %s: %s", call.caller[:64], error, extra={"action": "caller_lost"})

    async def _wish(self, address: RelayAddress, writer: asyncio.StreamWriter) -> None:
        """Ask the relay to measure with this node, where no relay has done so within a day."""
        pause = self._measure_after
        while True:
            await asyncio.sleep(pause)
            pause = RETRY_SECS
            if self.bandwidth is None or time.time() - self.bandwidth.at > DAY_SECS:
                self._wishes.add(address)
                writer.write(encode(Measure()))
                await writer.drain()

    async def _measure(self, address: RelayAddress, asked: Measuring) -> None:
        try:
            self.bandwidth = found = await measure(address.host, address.port, asked.token)
        except (OSError, TimeoutError, IonetError) as error:
            _log.warning("%s: %s", address, reason_of(error), extra={"action": "not_measured"})
            return
        text = "%s: %d Mbit/s there, %d back"
        _log.info(text, address, found.up_mbits, found.down_mbits, extra={"action": "measured"})


async def _read(reader: asyncio.StreamReader, *kinds: type[Message]) -> Message:
    """The next line. Raises TimeoutError, or RelayFailed when it is of another kind or there is none."""
    try:
        async with asyncio.timeout(3 * PING_SECS if Ping in kinds else _ANSWER_SECS):
            line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        raise RelayFailed("it hung up") from None
    except asyncio.LimitOverrunError:
        raise RelayFailed("its line is too long") from None
    try:
        message = decode(line)
    except IonetError as error:
        raise RelayFailed(str(error)[:200]) from None
    if isinstance(message, Refused):
        raise RelayFailed(f"it refused: {message.code[:40]}")
    if not isinstance(message, kinds):
        raise RelayFailed("it said something else")
    return message


async def _ping(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(PING_SECS)
        writer.write(encode(Ping()))
        await writer.drain()
