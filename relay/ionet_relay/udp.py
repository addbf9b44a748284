"""Blind UDP forwarding, between two addresses that have both proved a key and name each other.

Nothing is kept for an address, and nothing longer than its own packet is sent there, before it has shown that it
receives what is sent to it (a cookie that only this relay can make, for that address and half a minute) and that a
node's device key has admitted its key. What it then sends goes to its peer's address, or nowhere.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from ionet.relay_wire import (
    BUSY,
    CHAIN_SILENT,
    COOKIE,
    COOKIE_LEN,
    EXPIRED,
    HEADER_LEN,
    MAX_PACKET,
    PACKET,
    PING,
    PONG,
    PROOF,
    REFUSAL,
    SESSION,
    SESSION_LEN,
    SESSION_SECS,
    UNKNOWN_KEY,
    Proof,
    is_knock,
)
from solders.pubkey import Pubkey

from ionet_relay import metrics
from ionet_relay.keys import ChainSilent, NodeKeys
from ionet_relay.limits import Limits
from ionet_relay.shares import Shares

Address = tuple[str, int]
_COOKIE_SECS = 30
_MAX_PASS_SECS = 40 * 24 * 3600
_CHECKING_OF_ADDRESS, _CHECKING = 16, 1_024
_SWEEP_SECS = 5.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """An address that proved to be a node which wishes to exchange packets with a peer."""

    id: bytes
    address: Address
    node: Pubkey
    peer: Pubkey
    tag: bytes
    heard: float

    @property
    def ends(self) -> tuple[Pubkey, Pubkey, bytes]:
        return self.node, self.peer, self.tag

    @property
    def other_ends(self) -> tuple[Pubkey, Pubkey, bytes]:
        return self.peer, self.node, self.tag


class UdpRelay(asyncio.DatagramProtocol):
    """names: what agents call this relay, HOST:PORT."""

    def __init__(self, keys: NodeKeys, shares: Shares, limits: Limits, names: Collection[str]) -> None:
        self._keys, self._shares, self._limits, self._names = keys, shares, limits, frozenset(names)
        self._secret = secrets.token_bytes(32)
        self._by_id: dict[bytes, Session] = {}
        self._by_ends: dict[tuple[Pubkey, Pubkey, bytes], Session] = {}
        self._of_node: Counter[Pubkey] = Counter()
        self._checking: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._full = False
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # up to Python 3.11 it does not say so

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def error_received(self, _: Exception) -> None:
        """Somebody's port is closed; their session will end."""

    def datagram_received(self, data: bytes, address: Address) -> None:
        kind = data[0] if data else 0
        if self._full:  # the loop would keep what the network does not take
            _drop("full")
        elif kind == PACKET:
            self._forward(data, address)
        elif kind == PING and len(data) == HEADER_LEN + 1:
            self._pong(data, address)
        elif is_knock(data):
            self._transport.sendto(bytes([COOKIE]) + self._cookie(address, _now()), address)
        elif kind == PROOF:
            self._prove(data, address)
        else:
            _drop("not_ours")

    # -- admission

    def _cookie(self, address: Address, now: int) -> bytes:
        made = now.to_bytes(8, "little")
        text = f"{address[0]}|{address[1]}".encode() + made
        return hmac.digest(self._secret, text, "sha256")[: COOKIE_LEN - len(made)] + made

    def _has_cookie(self, address: Address, cookie: bytes) -> bool:
        made = int.from_bytes(cookie[-8:], "little")
        return 0 <= _now() - made <= _COOKIE_SECS and hmac.compare_digest(cookie, self._cookie(address, made))

    def _prove(self, data: bytes, address: Address) -> None:
        proof = Proof.decode(data)
        if proof is None or not self._has_cookie(address, proof.cookie):
            _drop("no_cookie")
        elif len(self._tasks) >= _CHECKING or self._checking[address[0]] >= _CHECKING_OF_ADDRESS:
            _drop("too_many_proofs")
        else:
            self._checking[address[0]] += 1
            task = asyncio.get_running_loop().create_task(self._check(proof, address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _check(self, proof: Proof, address: Address) -> None:
        try:
            refusal = await self._refusal(proof)
            session = None if refusal else self._admit(proof, address)
        finally:
            self._checking[address[0]] -= 1
            if not self._checking[address[0]]:
                del self._checking[address[0]]
        if session is None:
            refusal = refusal or BUSY
            metrics.UDP_PROOFS.labels(f"refused_{refusal}").inc()
            self._transport.sendto(bytes([REFUSAL, refusal]), address)
        else:
            metrics.UDP_PROOFS.labels("admitted").inc()
            answer = bytes([SESSION]) + session.id + proof.digest
            self._transport.sendto(answer, address)

    async def _refusal(self, proof: Proof) -> int | None:
        admission = proof.admission
        if not any(proof.is_signed_for(name) for name in self._names):
            return UNKNOWN_KEY
        if not 0 < admission.until - _now() <= _MAX_PASS_SECS:
            return EXPIRED
        try:
            key = await self._keys.device_key(admission.node)
            if key is None or not admission.is_of(key):
                key = await self._keys.device_key(admission.node, fresh_secs=1.0)
        except ChainSilent:
            return CHAIN_SILENT
        return None if key is not None and admission.is_of(key) else UNKNOWN_KEY

    def _admit(self, proof: Proof, address: Address) -> Session | None:
        """The session of these ends, at the address that proved them last; None where there are too many."""
        node, now = proof.admission.node, time.monotonic()
        session = self._by_ends.get((node, proof.peer, proof.tag))
        if session is not None:
            session.address, session.heard = address, now
            return session
        if len(self._by_id) >= self._limits.sessions or self._of_node[node] >= self._limits.sessions_of_node:
            return None
        session = Session(secrets.token_bytes(SESSION_LEN), address, node, proof.peer, proof.tag, now)
        self._by_id[session.id] = self._by_ends[session.ends] = session
        self._of_node[node] += 1
        metrics.SESSIONS.set(len(self._by_id))
        return session

    # -- what the admitted send

    def _session(self, data: bytes, address: Address) -> Session | None:
        session = self._by_id.get(data[1:HEADER_LEN])
        if session is None or session.address != address:
            _drop("no_session")
            return None
        session.heard = time.monotonic()
        return session

    def _forward(self, data: bytes, address: Address) -> None:
        session = self._session(data, address)
        if session is None:
            return
        other = self._by_ends.get(session.other_ends)
        if other is None or len(data) > MAX_PACKET:
            _drop("no_peer" if other is None else "too_long")
        elif not self._shares.may(session.node):
            _drop("over_share")
        else:
            self._shares.spend(session.node, len(data))
            metrics.BYTES.labels("udp").inc(len(data))
            self._transport.sendto(bytes([PACKET]) + other.id + data[HEADER_LEN:], other.address)

    def _pong(self, data: bytes, address: Address) -> None:
        session = self._session(data, address)
        if session is not None:
            here = session.other_ends in self._by_ends
            self._transport.sendto(bytes([PONG]) + session.id + bytes([here]), address)

    async def run(self) -> None:
        """End sessions that nobody uses, for as long as the relay runs."""
        while True:
            await asyncio.sleep(_SWEEP_SECS)
            self.sweep(time.monotonic())

    def sweep(self, now: float) -> None:
        for session in [each for each in self._by_id.values() if now - each.heard > SESSION_SECS]:
            del self._by_id[session.id], self._by_ends[session.ends]
            self._of_node[session.node] -= 1
            if not self._of_node[session.node]:
                del self._of_node[session.node]
        metrics.SESSIONS.set(len(self._by_id))


def _drop(reason: str) -> None:
    metrics.UDP_DROPPED.labels(reason).inc()


def _now() -> int:
    return int(time.time())
