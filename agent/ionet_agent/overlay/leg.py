"""The member's end of relays' UDP: between WireGuard, on this machine, and peers that cannot be dialled.

A process of its own, so that packets go on while the agent restarts. It holds a key of the lease, which the device key
has admitted to relays for the lease's time; the device key itself stays in the agent. Its settings (`LegConfig` as
JSON) come on standard input.

For each peer it has a port on loopback, which WireGuard takes for the peer. It keeps a session with the peer on every
relay that is named, and sends through the first on which the peer is there too: both ends have the same order. A relay
that has not answered for six seconds is asked again as if it were new.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import msgspec
from ionet.relay_wire import (
    COOKIE,
    COOKIE_LEN,
    HEADER_LEN,
    PACKET,
    PING,
    PONG,
    REFUSAL,
    SESSION,
    Pass,
    Proof,
    knock,
)
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

Address = tuple[str, int]
PING_SECS, SILENT_SECS = 2.0, 6.0
_RETRY_SECS, _LONGEST_SECS = 0.5, 10.0
_DIGEST_LEN = 8


class LegPeer(msgspec.Struct, frozen=True):
    """node: the peer's address. port: on loopback, where WireGuard sends what is for it."""

    node: str
    port: int


class LegConfig(msgspec.Struct, frozen=True):
    """key: secret key of the lease, 64 bytes in hex. admitted: the device key's signature for it, until `until`.

    wireguard: its port on loopback. relays: HOST:PORT, in the order that both ends of every pair have. tag: of the
    cluster, 16 bytes in hex. Sizes and forms are the caller's promise: it starts this process itself.
    """

    node: str
    key: str
    until: int
    admitted: str
    tag: str
    wireguard: int
    relays: list[str]
    peers: list[LegPeer]


@dataclass
class Session:
    """With one peer on one relay. id: None until admitted. paired: whether the peer is there too."""

    relay: RelayEnd
    peer: PeerEnd
    id: bytes | None = None
    proof: Proof | None = None
    heard: float = 0.0
    paired: bool = False
    next_try: float = 0.0
    pause: float = _RETRY_SECS
    pinged: float = 0.0

    def usable(self, now: float) -> bool:
        return self.id is not None and self.paired and now - self.heard < SILENT_SECS


class RelayEnd(asyncio.DatagramProtocol):
    """The socket that faces one relay."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sessions: list[Session] = []
        self.by_id: dict[bytes, Session] = {}
        self.cookie_asked = False
        self.transport: asyncio.DatagramTransport | None = None
        self.leg: Leg

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.transport = None

    def error_received(self, _: Exception) -> None:
        """Nobody listens there now; it is tried again."""

    def send(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.sendto(data)

    def datagram_received(self, data: bytes, _: Address) -> None:
        kind, size = data[:1], len(data)
        if kind == bytes([PACKET]) and size > HEADER_LEN:
            session = self.by_id.get(data[1:HEADER_LEN])
            if session is not None:
                session.heard = time.monotonic()
                session.paired = True
                session.peer.receive(data[HEADER_LEN:])
        elif kind == bytes([PONG]) and size == HEADER_LEN + 1:
            session = self.by_id.get(data[1:HEADER_LEN])
            if session is not None:
                session.heard = time.monotonic()
                session.paired = bool(data[HEADER_LEN])
                if session.paired:
                    session.peer.paired()
        elif kind == bytes([COOKIE]) and size == 1 + COOKIE_LEN:
            self._prove(data[1:])
        elif kind == bytes([SESSION]) and size == HEADER_LEN + _DIGEST_LEN:
            self._admitted(data[1:HEADER_LEN], data[HEADER_LEN:])
        elif kind == bytes([REFUSAL]):
            print(f"{self.name} refused: {data[1:2].hex()}", file=sys.stderr, flush=True)

    def _prove(self, cookie: bytes) -> None:
        if not self.cookie_asked:
            return
        self.cookie_asked = False
        for session in self.sessions:
            if session.id is None:
                session.proof = self.leg.proof(self.name, cookie, session.peer.node)
                self.send(session.proof.encode())

    def _admitted(self, session_id: bytes, digest: bytes) -> None:
        for session in self.sessions:
            if session.id is None and session.proof is not None and session.proof.digest == digest:
                session.id, session.heard, session.pause = session_id, time.monotonic(), _RETRY_SECS
                self.by_id[session_id] = session
                self._ping(session)

    def _ping(self, session: Session) -> None:
        if session.id is not None:
            session.pinged = time.monotonic()
            self.send(bytes([PING]) + session.id + b"\0")

    def tend(self, now: float) -> None:
        """Ping what is there, ask again for what is not."""
        knocks = False
        for session in self.sessions:
            if session.id is not None and now - session.heard >= SILENT_SECS:
                del self.by_id[session.id]
                session.id, session.proof, session.paired = None, None, False
            if session.id is None:
                if now >= session.next_try:
                    session.next_try = now + session.pause
                    session.pause = min(session.pause * 2, _LONGEST_SECS)
                    knocks = True
            # Until the peer is there too it is asked for more often, because somebody waits.
            elif now - session.pinged >= (PING_SECS if session.paired else _RETRY_SECS):
                self._ping(session)
        if knocks:
            self.cookie_asked = True
            self.send(knock())


class PeerEnd(asyncio.DatagramProtocol):
    """The port on loopback that WireGuard takes for a peer."""

    def __init__(self, node: Pubkey, wireguard: int) -> None:
        self.node, self._wireguard = node, ("127.0.0.1", wireguard)
        self.sessions: list[Session] = []
        self.transport: asyncio.DatagramTransport | None = None
        self._unsent: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def error_received(self, _: Exception) -> None:
        """WireGuard is not there now."""

    def paired(self) -> None:
        """There is a way: WireGuard would say its first word again only after five seconds."""
        data, self._unsent = self._unsent, None
        if data is not None:
            self.datagram_received(data, self._wireguard)

    def datagram_received(self, data: bytes, address: Address) -> None:
        if address != self._wireguard:
            return
        now = time.monotonic()
        for session in self.sessions:
            if session.usable(now):
                session.relay.send(bytes([PACKET]) + (session.id or b"") + data)
                return
        self._unsent = data

    def receive(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.sendto(data, self._wireguard)


@dataclass
class Leg:
    """All of it."""

    config: LegConfig
    relays: list[RelayEnd] = field(default_factory=list)
    peers: list[PeerEnd] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = self.config
        self._key = Keypair.from_bytes(bytes.fromhex(config.key))
        signature = Signature.from_bytes(bytes.fromhex(config.admitted))
        self._admission = Pass(Pubkey.from_string(config.node), self._key.pubkey(), config.until, signature)
        self._tag = bytes.fromhex(config.tag)
        self.peers = [PeerEnd(Pubkey.from_string(peer.node), config.wireguard) for peer in config.peers]
        for name in config.relays:
            relay = RelayEnd(name)
            relay.leg = self
            self.relays.append(relay)
            for peer in self.peers:
                session = Session(relay, peer)
                relay.sessions.append(session)
                peer.sessions.append(session)

    def proof(self, relay: str, cookie: bytes, peer: Pubkey) -> Proof:
        return Proof.sign(relay, cookie, self._admission, peer, self._tag, self._key)

    async def run(self) -> None:
        """Until cancelled. Raises OSError when a port on loopback is taken."""
        loop = asyncio.get_running_loop()
        try:
            for peer, wanted in zip(self.peers, self.config.peers, strict=True):
                made = partial(_itself, peer)
                await loop.create_datagram_endpoint(made, local_addr=("127.0.0.1", wanted.port))
            while True:
                for relay in self.relays:
                    if relay.transport is None:
                        await self._connect(relay)
                    relay.tend(time.monotonic())
                await asyncio.sleep(_RETRY_SECS / 2)
        finally:
            ends: list[PeerEnd | RelayEnd] = [*self.peers, *self.relays]
            for end in ends:
                if end.transport is not None:
                    end.transport.close()

    async def _connect(self, relay: RelayEnd) -> None:
        host, _, port = relay.name.rpartition(":")
        with contextlib.suppress(OSError, TimeoutError):  # its name cannot be looked up now
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().create_datagram_endpoint(
                    partial(_itself, relay), remote_addr=(host.strip("[]"), int(port))
                )


def _itself(end: RelayEnd | PeerEnd) -> RelayEnd | PeerEnd:
    return end


async def _main(config: LegConfig) -> None:
    running = asyncio.ensure_future(Leg(config).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(sys.stdin.buffer.read(), type=LegConfig)))
