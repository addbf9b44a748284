"""The chain of proofs of a lease, and how a dispute walks back along it. Pure.

The program keeps a hash chain over all proofs of a lease and, in a dispute, the place to which the defence has walked
back. A step gives the entries before that place; its first one may be opened: with the session key's signature over the
interval's challenge and the path from that leaf 0 to the proof's root. What was walked over cannot be opened any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

import msgspec
from solders.pubkey import Pubkey

from ionet.errors import InvalidInput
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.types import ProofEntry
from ionet.rules.merkle import HASH_LEN

START = bytes(HASH_LEN)
"""Head of a chain without proofs."""


class WrongChain(InvalidInput):
    """these proofs are not the lease's"""


class Evidence(msgspec.Struct, frozen=True):
    """What opens an interval: the session key's signature (64 bytes) and leaf 0's siblings from the bottom up."""

    signature: bytes
    path: tuple[bytes, ...]


class Dispute(msgspec.Struct, frozen=True):
    """An open dispute: intervals first..end, and where its defence has walked back to."""

    lease: Pubkey
    node: Pubkey
    cluster: Pubkey
    first: int
    end: int
    head: bytes


def dispute_of(key: Pubkey, lease: Lease) -> Dispute:
    """The dispute of a lease; without one it has no intervals."""
    return Dispute(key, lease.node, lease.cluster, lease.dispute_from, lease.dispute_to, lease.dispute_head)


def challenge_key(cluster: Cluster, disputed_at: int) -> Pubkey:
    """The key whose signatures count in a dispute: the session key, or the one before if it changed since."""
    return cluster.previous_session_key if cluster.session_changed_at >= disputed_at else cluster.session_key


def closed_intervals(lease: Lease, now: int) -> int:
    """How many intervals can no longer be proven, from the first one on."""
    reference = now - lease.grace_intervals * lease.interval_secs
    if lease.started_at == 0 or reference < lease.started_at:
        return 0
    span = min(reference, lease.ends_at) - lease.started_at
    return -(-span // lease.interval_secs) if reference >= lease.ends_at else span // lease.interval_secs


def next_head(head: bytes, entry: ProofEntry) -> bytes:
    """The lease's proof chain after one more proof."""
    numbers = entry.interval.to_bytes(4, "little") + entry.served_secs.to_bytes(4, "little")
    return sha256(head + numbers + entry.gpu_ms.to_bytes(8, "little") + entry.root).digest()


def openings(dispute: Dispute, proofs: Sequence[ProofEntry], chosen: Collection[int]) -> list[list[ProofEntry]]:
    """The entries to walk over for each interval chosen, each list oldest first, in the order of defending.

    proofs: the lease's whole chain, oldest first. The first entry of each list is the last proof of a chosen interval,
    which counts most seconds; the rest lead from it to where the list before began. Raises WrongChain.
    """
    behind = proofs_before(dispute.head, proofs)
    last = {entry.interval: at for at, entry in enumerate(behind)}
    places = [last[i] for i in sorted(chosen, reverse=True) if dispute.first <= i < dispute.end and i in last]
    ends = [len(behind), *places]
    return [list(behind[at:end]) for at, end in zip(places, ends, strict=False)]


def proofs_before(head: bytes, proofs: Sequence[ProofEntry]) -> Sequence[ProofEntry]:
    """The proofs that lead to `head`. Raises WrongChain when it is not on their chain."""
    at = START
    for count, entry in enumerate(proofs):
        if at == head:
            return proofs[:count]
        at = next_head(at, entry)
    if at != head:
        raise WrongChain(f"their chain does not lead to {head.hex()}")
    return proofs
