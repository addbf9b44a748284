"""The launcher's own check of one member: over a connection that only this member can answer, of this member alone.

Every device computes products from a seed that was drawn now, keeps their results in its memory and sends receipts;
sends receipts of the same results under other keys, which takes what was kept; then one result each, drawn only now.
That result is verified here by Freivalds' check, and its receipts are computed from it: what was not computed is found
as often as it was left out, and what was not kept by the time that it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import numpy as np
from ionet.agent_api import decoded
from ionet.agent_errors import AgentError, AgentUnreachable, BadAnswer, one_line
from ionet.agent_ports import host_port
from ionet.check import kernel, wire
from ionet.check.devices import Device
from ionet.check.member import common_name
from solders.pubkey import Pubkey

from ionet_launcher.certs import ClusterSecrets

# The others of its cluster wait for a member that is silent, and their agents open them for two minutes only: so long
# for a connection, for the answer that it knows what to tell, and for all of its answers together; on a machine that
# is slow as many times as long.
CONNECT_SECS, BEGIN_SECS, SESSION_SECS = 10.0, 5.0, 30.0
# What a network and a busy machine may add to the time of a computation.
_SLACK_SECS = 2.0
# A device may be a little slower than its model's reference.
_RATE = 0.85
# Reading back takes a tenth of the time of computing (measured, H100). Whoever kept nothing computes again, and with
# better code than ours in a third of it: more than this part, and so often that it is more than the slack.
_READ_PART, _READS = 0.15, 8
_FILLED_PART = 0.8
_GPU_SIZE, _CPU_SIZE, _SMALL_SIZE = 4096, 1024, 256
_CPU_SECS, _SMALL_ROUNDS, _MOST_ROUNDS = 2, 2, 2**14
# Fewer bytes say nothing about a connection.
_TIMED_BYTES = 1_000_000
_MAX_SHOWN = 256 * 1024
_RETRY_SECS = 0.2
Through = Callable[[], contextlib.AbstractAsyncContextManager[socket.socket]]
"""Opens a connection that is led to the check, for as long as the block lasts."""
_Receipt = tuple[bytes, bytes]
"""A key, and what was answered under it."""


class Unfit(wire.CheckFailed):
    """the node is not what was booked"""


class TooLate(wire.CheckFailed):
    """the node did not answer the check in time"""


class Plan(msgspec.Struct, frozen=True):
    """How much each device computes, and how often it reads back. size: of the matrices; rounds: products."""

    size: int
    rounds: int
    reads: int = 1

    @property
    def work(self) -> int:
        """Multiplications of one device."""
        return self.rounds * self.size**3

    @property
    def kept_bytes(self) -> int:
        return self.rounds * self.size**2


class Finding(msgspec.Struct, frozen=True):
    """What a check found, the same work for each device. Times are of all together, as the launcher saw them."""

    backend: str
    devices: list[Device]
    size: int
    rounds: int
    fill_secs: float
    read_secs: float
    bytes_per_sec: float | None
    """To the launcher; None where too little was sent to say."""
    timed: bool
    """False: the model has no reference throughput, so no time was too long."""

    def text(self) -> str:
        """One line for a log."""
        what = f"{len(self.devices)} x {one_line(self.devices[0].name)} ({self.backend})"
        did = f"{self.rounds} products of {self.size} in {self.fill_secs:.2f} s, read back in {self.read_secs:.2f} s"
        return f"{what}: {did}, {'in time' if self.timed else 'no time bound'}"


def plan(shown: wire.Shown, throughput: int) -> Plan:
    """What to ask of such devices: GPUs fill their memory, and CPUs with a reference work for two seconds of it."""
    if shown.backend == "torch":
        least = min((device.memory_bytes or 0) for device in shown.devices)
        return Plan(_GPU_SIZE, min(max(int(_FILLED_PART * least) // _GPU_SIZE**2, 1), _MOST_ROUNDS), _READS)
    if throughput:
        # Of a GPU's reference this is far too much for CPUs, and is to be: a node chooses what it computes with.
        rounds = min(max(_CPU_SECS * throughput // _CPU_SIZE**3, _SMALL_ROUNDS), _MOST_ROUNDS)
        return Plan(_CPU_SIZE, rounds, _READS)
    return Plan(_SMALL_SIZE, _SMALL_ROUNDS)


class Inspector:
    """Checks members of one cluster. verifying: how many results are verified at the same time."""

    def __init__(self, owner: ClusterSecrets, verifying: asyncio.Semaphore) -> None:
        self._tls, self._verifying = _client_context(owner), verifying

    async def inspect(
        self,
        address: str,
        node: Pubkey,
        processors: int,
        *,
        witness: str,
        throughput: int,
        reported: list[Device],
        patience: float = 1.0,
        through: Through | None = None,
    ) -> Finding:
        """Check the member of `node` that answers at `address` (host:port).

        witness: what its Ray task is to tell. throughput: multiplications a second of its model, 0 where none is known.
        reported: the devices in the report whose hash is on the chain. patience: how many times longer than usual it
        may take. through: leads to the address, where it is in a network that this process is not in. Raises Unfit;
        TooLate, where it may only be slow; CheckGoesOn while another launcher checks it, and AgentUnreachable of what
        leads there.
        """
        secs = SESSION_SECS * patience
        try:
            async with self._connected(address, node, through, CONNECT_SECS * patience) as (reader, writer):
                session = _Session(reader, writer, self._verifying, secs)
                return await session.run(processors, witness, throughput, reported, BEGIN_SECS * patience)
        except TimeoutError:
            raise TooLate(f"no end within {secs:g} s") from None
        except (OSError, ssl.SSLError) as error:
            raise Unfit(f"no check: {error}") from None
        except BadAnswer as error:
            raise Unfit(error.detail) from None
        except (Unfit, TooLate, wire.CheckGoesOn):
            raise
        except wire.CheckFailed as error:
            raise Unfit(error.detail) from None

    @contextlib.asynccontextmanager
    async def _connected(
        self, address: str, node: Pubkey, through: Through | None, secs: float
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        async with contextlib.AsyncExitStack() as stack:
            reader, writer = await self._connect(address, stack, through, secs)
            stack.callback(writer.transport.abort)
            name = common_name(writer.get_extra_info("peercert"))
            if name != str(node):
                raise Unfit(f"{name} answers for it")
            yield reader, writer

    async def _connect(
        self, address: str, stack: contextlib.AsyncExitStack, through: Through | None, secs: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Again and again for some seconds: it starts together with Ray. stack: ends what leads there."""
        why: BaseException | str = "too slow"
        try:
            host, port = host_port(address)
            async with asyncio.timeout(secs):
                while True:
                    try:
                        if through is None:
                            return await asyncio.open_connection(host, port, ssl=self._tls, ssl_handshake_timeout=secs)
                        return await self._led(through, stack, secs)
                    except ssl.SSLError as error:
                        raise Unfit(f"it has no certificate of its cluster: {error.reason}") from None
                    except (OSError, AgentError) as error:
                        why = error
                    await asyncio.sleep(_RETRY_SECS)
        except BadAnswer as error:
            raise Unfit(error.detail) from None
        except TimeoutError:
            if isinstance(why, AgentUnreachable):
                raise why from None
            raise TooLate(f"it does not answer the check: {why}") from None

    async def _led(
        self, through: Through, stack: contextlib.AsyncExitStack, secs: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with contextlib.AsyncExitStack() as attempt:
            there = await attempt.enter_async_context(through())
            streams = await asyncio.open_connection(
                sock=there, ssl=self._tls, server_hostname="", ssl_handshake_timeout=secs
            )
            stack.push_async_exit(attempt.pop_all())
            return streams


class _Session:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verifying: asyncio.Semaphore, secs: float
    ) -> None:
        self._reader, self._writer, self._verifying = reader, writer, verifying
        # Of the member's own time: what others make it wait for here does not count.
        self._left = secs

    async def run(
        self, processors: int, witness: str, throughput: int, reported: list[Device], begin_secs: float
    ) -> Finding:
        try:
            async with asyncio.timeout(begin_secs):
                await self._ask(wire.Begin(wire.VERSION, witness), 0)
        except TimeoutError:
            raise TooLate(f"it does not begin within {begin_secs:g} s") from None
        shown = decoded(await self._ask(wire.Show(processors), _MAX_SHOWN), wire.Shown)
        _require_devices(shown, processors, reported)
        asked, count = plan(shown, throughput), len(shown.devices)
        # Drawn before the answers come, of which only what they say of these is kept: they are megabytes each.
        blocks = [secrets.randbelow(asked.rounds) for _ in range(count)]
        seed = secrets.token_bytes(kernel.SEED_LEN)
        receipts, fill_secs, read_secs = await self._receipts(asked, throughput, seed, blocks)
        sent = [await self._open(number, block, asked, seed, receipts[number]) for number, block in enumerate(blocks)]
        rate = asked.size**2 / max(min(sent), 1e-6) if asked.size**2 >= _TIMED_BYTES else None
        return Finding(
            shown.backend, shown.devices, asked.size, asked.rounds, fill_secs, read_secs, rate, timed=throughput > 0
        )

    async def _receipts(
        self, asked: Plan, throughput: int, seed: bytes, blocks: list[int]
    ) -> tuple[list[list[_Receipt]], float, float]:
        """Have each device compute, and read back. Returns the receipts of its block of each device, and the seconds
        of both. Raises Unfit as soon as it takes too long."""
        receipts: list[list[_Receipt]] = [[] for _ in blocks]
        length = len(blocks) * asked.rounds * kernel.RECEIPT_LEN
        places = [(device * asked.rounds + block) * kernel.RECEIPT_LEN for device, block in enumerate(blocks)]
        fill_secs = read_secs = 0.0
        for number in range(1 + asked.reads):
            key = secrets.token_bytes(32)
            fill = wire.Fill(seed.hex(), asked.size, asked.rounds, key.hex())
            begun = time.monotonic()
            given = await self._parts(fill if number == 0 else wire.Again(key.hex()), length, places)
            secs = time.monotonic() - begun
            if number == 0:
                fill_secs = secs
            else:
                read_secs += secs
            _require_time(asked, throughput, fill_secs, read_secs)
            for device, receipt in enumerate(given):
                receipts[device].append((key, receipt))
        return receipts, fill_secs, read_secs

    async def _open(self, number: int, block: int, asked: Plan, seed: bytes, receipts: list[_Receipt]) -> float:
        """Verify one result of a device; one at a time, or they would take memory. Returns the seconds that it was on
        its way."""
        result, secs = await self._timed(wire.Open(number, block), asked.size**2)
        async with self._verifying:
            own = wire.device_seed(seed, number)
            await asyncio.to_thread(_verify, number, own, asked.size, block, result, receipts)
        return secs

    async def _timed(self, question: wire.Question, length: int) -> tuple[bytes, float]:
        begun = time.monotonic()
        content = await self._ask(question, length)
        if len(content) != length:
            raise Unfit(f"{len(content)} bytes came, {length} were expected")
        return content, time.monotonic() - begun

    async def _ask(self, question: wire.Question, most: int) -> bytes:
        async with self._asking(question):
            return wire.answer(await wire.read(self._reader, max(most, wire.MAX_TEXT) + 1))

    async def _parts(self, question: wire.Question, length: int, places: list[int]) -> list[bytes]:
        """The receipts at these places: of hundreds of devices all of them would take hundreds of megabytes."""
        async with self._asking(question):
            return await wire.read_parts(self._reader, length, places, kernel.RECEIPT_LEN)

    @contextlib.asynccontextmanager
    async def _asking(self, question: wire.Question) -> AsyncIterator[None]:
        """Its answer is read within the block, and both within what is left of the member's time."""
        begun = time.monotonic()
        async with asyncio.timeout(self._left):
            self._writer.write(wire.frame(wire.encode(question)))
            await self._writer.drain()
            yield
        self._left -= time.monotonic() - begun


def _require_devices(shown: wire.Shown, processors: int, reported: list[Device]) -> None:
    if shown.backend not in ("numpy", "torch"):
        raise Unfit(f"it computes with {shown.backend[:20]!r}")
    if shown.fault is not None:
        raise TooLate(shown.fault) if shown.late else Unfit(shown.fault)
    if len(shown.devices) != processors:
        raise Unfit(f"it shows {len(shown.devices)} devices, {processors} were booked")
    if shown.system != reported:
        raise Unfit(f"the machine shows other devices than its report: {_names(shown.system)}, not {_names(reported)}")
    if shown.backend == "torch" and reported:
        for device, told in zip(shown.devices, reported, strict=False):
            if told.memory_bytes and (device.memory_bytes or 0) < _FILLED_PART * told.memory_bytes:
                raise Unfit(f"{device.name} has {device.memory_bytes or 0} bytes, {told.memory_bytes} were reported")


def _names(devices: list[Device]) -> str:
    return ", ".join(device.uuid or device.name for device in devices[:16])[:200] or "none"


def _require_time(asked: Plan, throughput: int, fill_secs: float, read_secs: float) -> None:
    if not throughput:
        return
    expected = asked.work / throughput / _RATE
    if fill_secs > expected + _SLACK_SECS:
        raise Unfit(f"its devices took {fill_secs:.1f} s for what takes {expected:.1f} s")
    if read_secs > asked.reads * _READ_PART * expected + _SLACK_SECS:
        did = f"to read {asked.kept_bytes} bytes a device {asked.reads} times"
        text = f"it took {read_secs:.1f} s {did}: they were not kept"
        raise Unfit(text)


def _verify(number: int, seed: bytes, size: int, block: int, content: bytes, receipts: list[_Receipt]) -> None:
    """Raises Unfit."""
    result = np.frombuffer(content, np.uint8).reshape(size, size)
    left, right = (
        kernel.entries(kernel.states(seed, 0, matrix, size), size, block) for matrix in (kernel.LEFT, kernel.RIGHT)
    )
    if not kernel.holds(left, right, result, kernel.draw_vectors(size)):
        raise Unfit(f"the result of device {number} is wrong")
    for key, given in receipts:
        if kernel.receipt(result, key, kernel.weights(key, size)) != given:
            raise Unfit(f"device {number} had not computed its result before it was asked for it")


def _client_context(owner: ClusterSecrets) -> ssl.SSLContext:
    """TLS that takes certificates of this cluster only; whose one is, its name says."""
    certificate, key = owner.issue(wire.LAUNCHER, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=owner.ca_pem())
    with tempfile.TemporaryDirectory() as folder:  # mode 0700; ssl reads no keys from memory
        path = Path(folder, "launcher.pem")
        path.write_text(certificate + key)
        context.load_cert_chain(path)
    return context
