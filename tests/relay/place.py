"""A relay as a process over a local chain, agents that it leads to, and callers: real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import market
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from ionet.ready import RelayReady, read_ready
from ionet.relay_name import sni_of
from ionet_agent.relay import Connect, RelayAddress, Relays
from solders.pubkey import Pubkey
from waiting import until

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@dataclass
class Relay:
    """`ionet relay run`. at: HOST:PORT for callers and agents; udp: for packets. Both stay over a restart.

    prefix: of its command, where it does not run on this machine.
    """

    url: str
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    udp_port: int = field(default_factory=lambda: free_port(socket.SOCK_DGRAM))
    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    ready: RelayReady | None = None

    @property
    def at(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def udp(self) -> str:
        return f"{self.host}:{self.udp_port}"

    async def start(self) -> None:
        command = [*self.prefix, sys.executable, "-m", "ionet", "--url", self.url, "relay", "run", "--json"]
        command += ["--listen", self.at]
        command += ["--udp", self.udp, "--metrics", "127.0.0.1:0", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 (the tests' own, and killed)
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        self.ready = read_ready(RelayReady, line)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Returns its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    def memory(self) -> int:
        """Bytes that it holds."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def metric(self, name: str) -> float:
        """A metric as Prometheus would read it, with its labels in the name; 0 while it is not counted yet."""
        assert self.ready is not None
        url = f"http://{self.ready.metrics}/metrics"
        with await asyncio.to_thread(urllib.request.urlopen, url, timeout=10) as answer:
            text = answer.read().decode()
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)


def _identity() -> ssl.SSLContext:
    """A server's end of TLS with a certificate of its own."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "agent")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, None)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        file.write(pem + certificate.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says back what it is told."""
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def api(handler: Handler = echo) -> AsyncIterator[int]:
    """A TLS server on loopback in place of an agent's API; yields its port."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=_identity())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def to_port(port: int) -> Connect:
    """How callers of relays reach a server of this machine."""
    return lambda _: asyncio.open_connection("127.0.0.1", port)


@contextlib.asynccontextmanager
async def agent(machine: market.Machine, port: int, *relays: Relay) -> AsyncIterator[Relays]:
    """An agent's side of relays, connected to at least one of those that run."""
    addresses = [RelayAddress.parse(each.at) for each in relays]
    made = Relays(addresses, machine.address, machine.device, to_port(port))
    running = asyncio.create_task(made.run())
    try:
        await until(lambda: made.connected or running.done(), "a relay is found")
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def call(relay: Relay | str, node: Pubkey | str, source: str = "127.0.0.1") -> Stream:
    """TLS through a relay, which ends in whatever serves there. source: the caller's address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, _, port = (relay if isinstance(relay, str) else relay.at).rpartition(":")
    name = node if isinstance(node, str) else sni_of(node)
    async with asyncio.timeout(30):
        near = (source, 0) if host.startswith("127.") else None
        return await asyncio.open_connection(host, int(port), ssl=context, server_hostname=name, local_addr=near)


async def say(stream: Stream, text: bytes) -> bytes:
    """What an echo answers."""
    stream[1].write(text)
    async with asyncio.timeout(30):
        return await stream[0].readexactly(len(text))


async def ask(relay: Relay | str, node: Pubkey | str, text: bytes = b"hello") -> bytes:
    """One call from start to end."""
    stream = await call(relay, node)
    try:
        return await say(stream, text)
    finally:
        stream[1].transport.abort()


@contextlib.contextmanager
def killed_at_end(*relays: Relay) -> Iterator[None]:
    try:
        yield
    finally:
        for relay in relays:
            relay.kill()
