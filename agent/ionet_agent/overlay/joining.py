"""The node's part in the network of the cluster that it serves: joined as the launcher says, left with the lease.

What the launcher said is on disk before it is done, so an agent that was killed goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from pathlib import Path

import msgspec
from ionet.agent_errors import NetworkFailed, NotJoined
from ionet.lease_view import LeaseView
from ionet.overlay import Network, Offer, address_of, is_public, tag_of
from ionet.rules.lease_time import ready_by, runs_at

from ionet_agent.files import write_private
from ionet_agent.overlay.base import Member, OverlayFailed, Peer
from ionet_agent.overlay.dial import dial
from ionet_agent.overlay.wireguard import Admit, WireGuard

_DAY = 24 * 3600
# Relays take no pass for more than 40 days.
_MOST_SECS, _MORE_SECS, _LEAST_MORE_SECS = 30 * _DAY, _DAY, 3600
_MISSING_SECS, _AGAIN_SECS = 1.0, 3.0
_log = logging.getLogger(__name__)


class NetworkConfig(msgspec.Struct, frozen=True):
    """What the owner says. endpoint: HOST:PORT of UDP at which the node can be dialled, None behind NAT; port: where
    that leads to on this machine, 0 for the same. relays: HOST:PORT. internet: whether members reach it.
    """

    endpoint: str | None = None
    port: int = 0
    relays: tuple[str, ...] = ()
    internet: bool = False


class ClusterNetwork:
    """For one node and one lease at a time. base: the folder of its state."""

    def __init__(self, base: Path, node: str, admit: Admit, config: NetworkConfig) -> None:
        self._overlay = WireGuard(base, admit)
        self._file, self._node, self._config = base / "network.json", node, config
        self._lock = asyncio.Lock()
        self._until = self._overlay.until
        self._applied: Network | None = None
        self._cluster = ""
        self._wanted: Network | None = None
        with contextlib.suppress(FileNotFoundError):
            self._cluster, self._wanted = msgspec.json.decode(self._file.read_bytes(), type=tuple[str, Network])
        self._latencies: dict[str, float] = {}
        self._measuring: asyncio.Task[None] | None = None
        self._measured_at = 0.0

    async def offer(self, lease: str) -> Offer:
        """How others join this node for the lease, which may begin. Raises NetworkFailed."""
        if self._overlay.lease != lease:
            async with self._lock:
                await self._prepare(lease)
        key = await self._overlay.prepare(lease)
        is_joined = self._applied is not None and self._applied is self._wanted and self._overlay.is_whole
        joined = self._applied.digest if self._applied is not None and is_joined else None
        relays = list(self._config.relays[:2])
        return Offer(key, self._config.endpoint, relays, joined, dict(self._latencies) if is_joined else {})

    async def join(self, lease: LeaseView, now: int, network: Network) -> None:
        """As the launcher says, of a lease whose member may run here. Raises NetworkFailed."""
        async with self._lock:
            await self._prepare(network.lease)
            if network != self._wanted:
                known = {peer.lease: peer.key for peer in (self._wanted or network).peers}
                same = {peer.lease for peer in network.peers if known.get(peer.lease) == peer.key}
                self._latencies = {name: took for name, took in self._latencies.items() if name in same}
                write_private(self._file, msgspec.json.encode((str(lease.cluster), network)))
                self._wanted, self._cluster = network, str(lease.cluster)
            self._admit_for(lease, now)
            try:
                await self._apply()
            except OverlayFailed as error:
                raise NetworkFailed(error.detail) from None

    async def enter(self, lease: str) -> Path:
        """The network namespace for the lease's member. Raises NotJoined, NetworkFailed."""
        async with self._lock:
            if self._wanted is None or self._wanted.lease != lease:
                raise NotJoined("its launcher has to say who else is there")
            if self._overlay.network is None:
                try:
                    await self._apply()
                except OverlayFailed as error:
                    raise NetworkFailed(error.detail) from None
            path = self._overlay.network
            if path is None:
                raise NetworkFailed("it has just ended")
            return path

    @property
    def path(self) -> Path | None:
        """The network namespace, None where there is none."""
        return self._overlay.network

    async def dial(self, lease: str, port: int, *, loopback: bool = False) -> socket.socket:
        """A connection to a port of the lease's member. Raises NotJoined, and OSError.

        loopback: that of its network stands in where nothing listens at its address.
        """
        if self._wanted is None or self._wanted.lease != lease or self._overlay.network is None:
            raise NotJoined
        addresses = [address_of(lease), *(["127.0.0.1"] if loopback else [])]
        return await dial(self._overlay.enter, addresses, port)

    async def look(self, lease: LeaseView | None, now: int, running: str | None) -> None:
        """Set right what has ended, and leave what is over. running: the lease of the member. Raises OverlayFailed."""
        name = str(lease.address) if lease is not None and runs_at(lease, now) else None
        held = self._overlay.lease
        if running is None and held is not None and held != name:
            await self.leave(held)
        elif lease is not None and name is not None and self._wanted is not None and self._wanted.lease == name:
            async with self._lock:
                if self._admit_for(lease, now):
                    self._applied = None
                if self._applied is not self._wanted or not self._overlay.is_whole:
                    await self._apply()
            self._measure_again(running is not None)

    async def leave(self, lease: str) -> None:
        """Nothing of it is left. Raises OverlayFailed."""
        async with self._lock:
            if self._overlay.lease == lease:
                await self._clear()

    async def close(self) -> None:
        """Measure nothing any more; what is joined stays."""
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.gather(self._measuring, return_exceptions=True)

    # -- inside, with the lock

    async def _prepare(self, lease: str) -> None:
        try:
            if self._overlay.lease not in (None, lease):
                await self._clear()
            await self._overlay.prepare(lease)
        except OverlayFailed as error:
            raise NetworkFailed(error.detail) from None

    async def _clear(self) -> None:
        await self.close()
        self._file.unlink(missing_ok=True)
        self._wanted = self._applied = self._measuring = None
        self._until, self._latencies = 0, {}
        await self._overlay.down()

    def _admit_for(self, lease: LeaseView, now: int) -> bool:
        """Have relays' passes outlast the lease; False where they do, because a new one ends what carries packets."""
        needed = _until(lease, now)
        is_short = needed - _MORE_SECS + _LEAST_MORE_SECS > self._until
        if is_short:
            self._until = needed
        return is_short

    async def _apply(self) -> None:
        wanted = self._wanted
        assert wanted is not None
        # To others' relays only where everybody may be sent to: not into this owner's network.
        relays = tuple(place for place in wanted.relays if place in self._config.relays or is_public(place))
        endpoint = self._config.endpoint
        port = self._config.port or (int(endpoint.rpartition(":")[2]) if endpoint is not None else 0)
        member = Member(
            lease=wanted.lease,
            node=self._node,
            address=address_of(wanted.lease),
            tag=tag_of(self._cluster),
            until=self._until or int(time.time()) + _MORE_SECS,
            relays=relays,
            endpoint=endpoint,
            port=port,
            internet=self._config.internet,
        )
        peers = [Peer(peer.node, peer.key, address_of(peer.lease), peer.endpoint) for peer in wanted.peers]
        await self._overlay.up(member, peers)
        self._applied, self._until = wanted, member.until

    # -- latencies

    def _measure_again(self, is_busy: bool) -> None:
        """Beside all else. is_busy: a member runs, so only those are asked that have not answered yet."""
        if self._wanted is None or (self._measuring is not None and not self._measuring.done()):
            return
        missing = {peer.lease for peer in self._wanted.peers} - self._latencies.keys()
        pause = _MISSING_SECS if missing else _AGAIN_SECS
        if (is_busy and not missing) or time.monotonic() < self._measured_at + pause:
            return
        asked = missing if is_busy else {peer.lease for peer in self._wanted.peers}
        if asked:
            self._measuring = asyncio.create_task(self._measure({address_of(lease): lease for lease in asked}))

    async def _measure(self, leases: dict[str, str]) -> None:
        try:
            found = await self._overlay.latencies(list(leases))
            self._latencies.update({leases[address]: took for address, took in found.items() if address in leases})
        except (OverlayFailed, msgspec.MsgspecError) as error:
            _log.info("latencies: %s", error, extra={"action": "not_measured"})
        self._measured_at = time.monotonic()


def _until(lease: LeaseView, now: int) -> int:
    """Unix seconds by this machine's clock at which the lease is over for certain, and a day more."""
    left = (
        lease.ends_at - now if lease.started_at else ready_by(lease) + lease.accept_deadline_secs + lease.duration - now
    )
    return int(time.time()) + min(max(left, 0), _MOST_SECS) + _MORE_SECS
