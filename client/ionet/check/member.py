"""`python -m ionet.check.member HOST PORT`: answers the launcher's hardware check of one member, beside its Ray node.

It speaks TLS with the member's own certificate, whose key no other member has, and only to the launcher: so nobody can
answer for a member, and nobody else can keep it busy. Certificates come from the variables that Ray reads too.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from ionet.check import devices, wire

WITNESS_VARIABLE = "IONET_WITNESS"
"""Names the file in which a Ray task of the member finds what the launcher told it."""
# How long a caller may take to show its certificate, and a launcher for its next question: it has others to verify.
_HANDSHAKE_SECS, _QUESTION_SECS = 10.0, 120.0
_MAX_ANSWER = 2**31
_MAX_PROCESSORS = 1024


class Worker(Protocol):
    """Answers the questions of one check for some devices."""

    async def ask(self, content: bytes) -> bytes:
        """The content of the answer's frame. Raises CheckFailed."""

    async def close(self) -> None:
        """End it, and free its devices."""


class Hired(msgspec.Struct, frozen=True):
    workers: Sequence[Worker]
    found: devices.Found


Hire = Callable[[int], Awaitable[Hired]]


class CheckServer:
    """Serves one check at a time, and says so to a second launcher.

    witness: the file for what a task of this member is to tell. hire: workers for a number of processors.
    """

    def __init__(self, tls: ssl.SSLContext, witness: Path, hire: Hire) -> None:
        self._tls, self._witness, self._hire = tls, witness, hire
        self._serving = asyncio.Lock()

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Raises OSError when the port is taken."""
        return await asyncio.start_server(
            self._connected, host, port, ssl=self._tls, ssl_handshake_timeout=_HANDSHAKE_SECS
        )

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _common_name(writer) != wire.LAUNCHER:
                return
            if self._serving.locked():
                await _send(writer, wire.BUSY)
                return
            async with self._serving:
                await self._serve(reader, writer)
        except (wire.CheckFailed, OSError, TimeoutError):
            pass  # the launcher is gone, or speaks something else
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin = wire.decode(await _next(reader))
        if not isinstance(begin, wire.Begin) or begin.version != wire.VERSION:
            await _send(writer, wire.failed(f"this member speaks version {wire.VERSION}"))
            return
        _write_private(self._witness, begin.witness)
        await _send(writer, wire.right(b""))
        show = wire.decode(await _next(reader))
        if not isinstance(show, wire.Show) or not 0 < show.processors <= _MAX_PROCESSORS:
            await _send(writer, wire.failed("the devices were to be asked for"))
            return
        hired = await self._hire(show.processors)
        try:
            await _send(writer, await _shown(hired, wire.encode(show)))
            while True:
                await _send(writer, await _ask_all(hired.workers, await _next(reader)))
        finally:
            for worker in hired.workers:
                await worker.close()


async def _shown(hired: Hired, question: bytes) -> bytes:
    try:
        answers = await asyncio.gather(*(worker.ask(question) for worker in hired.workers))
        parts = [msgspec.json.decode(wire.answer(answer), type=wire.Shown) for answer in answers]
    except wire.CheckFailed as error:
        return wire.failed(error.detail)
    every = [device for part in parts for device in part.devices]
    backend, found = parts[0].backend if parts else "none", hired.found
    return wire.right(msgspec.json.encode(wire.Shown(backend, every, found.devices, found.fault, found.late)))


async def _ask_all(workers: Sequence[Worker], question: bytes) -> bytes:
    """All work at the same time: one device cannot do the work of several."""
    try:
        answers = await asyncio.gather(*(worker.ask(question) for worker in workers))
        return wire.right(b"".join(map(wire.answer, answers)))
    except wire.CheckFailed as error:
        return wire.failed(error.detail)


async def _next(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(wire.read(reader, wire.MAX_QUESTION), _QUESTION_SECS)


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(wire.frame(content))
    await writer.drain()


class Process:
    """A worker process for some of the lease's processors."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._child, self._source, self._sink = child, child.stdout, child.stdin

    @classmethod
    async def start(cls, backend: str, numbers: Sequence[int], **variables: str) -> Process:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ionet.check.worker", backend, *map(str, numbers)),
            env={**os.environ, **variables},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(child)

    async def ask(self, content: bytes) -> bytes:
        with contextlib.suppress(ConnectionError):  # it has ended: reading says so
            self._sink.write(wire.frame(content))
            await self._sink.drain()
        return await wire.read(self._source, _MAX_ANSWER)

    async def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()


async def hire(processors: int) -> Hired:
    """A process for each GPU where PyTorch can use them, else one whose CPUs stand for all processors."""
    found = await asyncio.to_thread(devices.find)
    if found.devices and importlib.util.find_spec("torch") is not None:
        wanted = found.devices[:processors]
        names = [device.uuid or str(number) for number, device in enumerate(wanted)]
        starts = [Process.start("torch", [number], CUDA_VISIBLE_DEVICES=name) for number, name in enumerate(names)]
        return Hired(await asyncio.gather(*starts), found)
    return Hired([await Process.start("numpy", range(processors))], found)


def server_context(certificate: str, key: str, ca: str) -> ssl.SSLContext:
    """TLS of a member, from the paths of its files: callers show a certificate of the cluster's CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    return context


def common_name(certificate: object) -> str | None:
    """The name in a certificate as `SSLSocket.getpeercert` tells it."""
    if not isinstance(certificate, dict):
        return None
    fields = [field for part in certificate.get("subject", ()) for field in part]
    return next((value for name, value in fields if name == "commonName"), None)


def _common_name(writer: asyncio.StreamWriter) -> str | None:
    return common_name(writer.get_extra_info("peercert"))


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


async def main(host: str, port: int) -> None:
    """Until it is ended with its member."""
    read = os.environ.__getitem__
    tls = server_context(read("RAY_TLS_SERVER_CERT"), read("RAY_TLS_SERVER_KEY"), read("RAY_TLS_CA_CERT"))
    server = await CheckServer(tls, Path(read(WITNESS_VARIABLE)), hire).start(host, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
