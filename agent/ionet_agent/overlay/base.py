"""What a cluster's network does for one member: `loopback` on one machine, `wireguard` anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from ionet.errors import IonetError


class OverlayFailed(IonetError):
    """the network of the cluster cannot be made"""


class Peer(msgspec.Struct, frozen=True):
    """Another member. node: its address on the chain. key: what its `prepare` said. address: inside the cluster.

    endpoint: HOST:PORT at which it can be dialled, None behind NAT.
    """

    node: str
    key: str
    address: str
    endpoint: str | None = None


class Member(msgspec.Struct, frozen=True):
    """This node's part in a cluster.

    address: inside the cluster, an IPv4 address. tag: the cluster's, 16 bytes in hex, the same for all members. relays:
    HOST:PORT of relays' UDP, in one order for all members. until: unix seconds at which the lease is over for certain.
    port: UDP, where peers dial this machine if `endpoint` is not None; 0 takes a free one. internet: whether its
    processes may reach addresses that are nobody's own network.
    """

    lease: str
    node: str
    address: str
    tag: str
    until: int
    relays: tuple[str, ...] = ()
    endpoint: str | None = None
    port: int = 0
    internet: bool = False


class Overlay(Protocol):
    """The network of at most one lease at a time. Every call may be repeated, also by another process after a kill."""

    async def prepare(self, lease: str) -> str:
        """The public key by which peers know this member: one for each lease, the same until `down`."""

    async def up(self, member: Member, peers: Sequence[Peer]) -> str:
        """Join, or replace the peers where it is joined; returns the address. Raises OverlayFailed."""

    async def latency(self, address: str) -> float:
        """Milliseconds to a peer and back, the median of five. Raises OverlayFailed when it does not answer."""

    @property
    def enter(self) -> tuple[str, ...]:
        """What stands before a command so that it runs in this network; empty for that of the machine."""

    async def down(self) -> None:
        """Leave; no process, interface, namespace or file of it is left."""
