"""The network of a cluster whose members are on several machines: its addresses, and what is said about joining it.

An agent offers how its node can be joined, in its status; the launcher tells each member of all others. A member's
address follows from its lease, so nobody gives any out and nobody can claim another's.
"""

from __future__ import annotations

import ipaddress
import re
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta
from solders.pubkey import Pubkey

from ionet.agent_errors import BadAnswer, BadRequest, one_line

MOST_PEERS, MOST_RELAYS, MOST_OFFERED = 255, 4, 2
"""Other members of a cluster; relays that its members use; those of them that one member offers."""
TAG_LEN = 16
_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
_RELAY = re.compile(r"[A-Za-z0-9.:\[\]-]{1,250}:[0-9]{1,5}")
_MOST_MS = 60_000.0
NOT_PUBLIC_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
)
NOT_PUBLIC_6 = ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")
"""Where an owner's own network may be, or nobody at all."""
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, (*NOT_PUBLIC_4, *NOT_PUBLIC_6)))
Name = Annotated[str, Meta(max_length=256)]


class Offer(msgspec.Struct, frozen=True):
    """How a node can be joined for its lease. key: WireGuard's, public, made for this lease.

    endpoint: HOST:PORT of UDP at which it can be dialled, None behind NAT. relays: HOST:PORT of those it uses.
    joined: the digest of what it was told last, once that is so. latencies: milliseconds there and back to other
    members, by their leases, the median of several times.
    """

    key: str
    endpoint: str | None = None
    relays: list[str] = []
    joined: str | None = None
    latencies: dict[str, float] = {}

    def checked(self) -> Offer:
        """The same, where a node can mean it. Raises BadAnswer."""
        if not _KEY.fullmatch(self.key):
            raise BadAnswer(f"the key of its network is {one_line(self.key)}")
        if self.endpoint is not None and not is_public(self.endpoint):
            raise BadAnswer(f"it is dialled at {one_line(self.endpoint)}, which is not a public address and its port")
        if len(self.relays) > MOST_OFFERED or not all(map(is_relay, self.relays)):
            raise BadAnswer("its relays are not HOST:PORT of two at most")
        if len(self.latencies) > MOST_PEERS or not all(0 <= one <= _MOST_MS for one in self.latencies.values()):
            raise BadAnswer("its latencies are not milliseconds")
        return self

    @property
    def place(self) -> Offer:
        """What others need of it, which stays while its agent does."""
        return msgspec.structs.replace(self, joined=None, latencies={})


class NetworkPeer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another member, as it offered to be joined."""

    lease: Name
    node: Name
    key: Name
    endpoint: Name | None = None


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that one member has to know. relays: HOST:PORT, in one order for all members."""

    lease: Name
    peers: Annotated[list[NetworkPeer], Meta(max_length=MOST_PEERS)] = []
    relays: Annotated[list[Name], Meta(max_length=MOST_RELAYS)] = []

    @property
    def digest(self) -> str:
        return sha256(msgspec.json.encode(self)).hexdigest()[:32]

    def checked(self) -> Network:
        """The same, where an agent can join it. Raises BadRequest."""
        for peer in self.peers:
            try:
                Pubkey.from_string(peer.node)
                Pubkey.from_string(peer.lease)
            except ValueError:
                raise BadRequest("a peer's node and lease are addresses") from None
            if not _KEY.fullmatch(peer.key):
                raise BadRequest("a peer's key is 32 bytes in base64")
            if peer.endpoint is not None and not is_public(peer.endpoint):
                raise BadRequest("a peer's endpoint is a public address and its port")
        addresses = {address_of(lease) for lease in (self.lease, *(peer.lease for peer in self.peers))}
        if len(addresses) <= len(self.peers):
            raise BadRequest("two members have one address")
        if not all(map(is_relay, self.relays)):
            raise BadRequest("a relay is HOST:PORT")
        return self


def address_of(lease: str) -> str:
    """Where the member of a lease is inside its cluster; two of 100 members meet in one cluster of 3,000."""
    number = int.from_bytes(sha256(b"ionet:overlay-address:v1\0" + lease.encode()).digest()[:8], "big")
    return str(ipaddress.IPv4Address("10.0.0.0") + 1 + number % (2**24 - 2))


def tag_of(cluster: str) -> str:
    """What relays keep the clusters' packets apart by, in hex; no secret."""
    return sha256(b"ionet:overlay-tag:v1\0" + cluster.encode()).digest()[:TAG_LEN].hex()


def is_relay(text: str) -> bool:
    return _RELAY.fullmatch(text) is not None and 0 < int(text.rpartition(":")[2]) < 2**16


def is_public(place: str) -> bool:
    """Whether this is HOST:PORT with an address that everybody may be sent to, and no name."""
    host, _, port = place.rpartition(":")
    try:
        address = ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return False
    if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 2**16) or "%" in host:
        return False
    if (address.version == 6) != host.startswith("["):
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)
