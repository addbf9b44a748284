"""Disputes of a lease, and their defence from the last interval to the first along its chain of proofs. Pure.

The program keeps a hash chain over all proofs of a lease and, in a dispute, the place to which the defence has walked
back. A step gives the entries before that place; its first one may be opened: with the session key's signature over the
interval's challenge and the path from that leaf 0 to the proof's root. What was walked over cannot be opened any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256

import msgspec
from solders.pubkey import Pubkey

from ionet.errors import InvalidInput
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.enums import TAKEN
from ionet.generated.types import ProofEntry
from ionet.rules.lease_time import closed_intervals, final_at, intervals, mature_intervals, provable_at
from ionet.rules.merkle import HASH_LEN

START = bytes(HASH_LEN)
"""Head of a chain without proofs."""


class WrongChain(InvalidInput):
    """these proofs are not the lease's"""


# -- which intervals


def is_disputed(lease: Lease) -> bool:
    return lease.dispute_to > lease.dispute_from


def is_open(lease: Lease, interval: int) -> bool:
    """Whether an interval between ring_base and ring_next is proven, and was not disputed yet."""
    return 0 < lease.ring[interval % len(lease.ring)] < TAKEN


def first_undecided(lease: Lease) -> int:
    """The first interval that was neither paid nor approved."""
    return max(lease.ring_base, lease.approved_through)


def closed_proofs(lease: Lease, now: int) -> int:
    """Of the intervals proven so far, how many can no longer be proven otherwise, from the first one on."""
    return min(closed_intervals(lease, now), lease.ring_next)


def disputable(lease: Lease, now: int, *, recovering: bool = False) -> range:
    """The intervals among which a dispute may choose; it must hold something that is still open in the ring."""
    first = max(lease.ring_base, mature_intervals(lease, now, recovering=recovering))
    return range(first, max(first, closed_proofs(lease, now)))


def may_be_disputed(lease: Lease, now: int) -> bool:
    """Whether there is a dispute about the lease, or one can still come."""
    if is_disputed(lease) or provable_at(lease, now):
        return True
    undecided = now < final_at(lease) or mature_intervals(lease, now) < intervals(lease)
    return lease.started_at > 0 and undecided


def can_defend(lease: Lease, interval: int) -> bool:
    """Whether an interval is in dispute and evidence for it would be taken."""
    return lease.dispute_from <= interval < lease.dispute_to


# -- how they are defended


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


class Step(msgspec.Struct, frozen=True):
    """One instruction of a defence. evidence: opens the first entry; None walks only."""

    prev_head: bytes
    entries: tuple[ProofEntry, ...]
    evidence: Evidence | None = None


def dispute_of(key: Pubkey, lease: Lease) -> Dispute:
    """The dispute of the lease at `key`; without one it has no intervals."""
    return Dispute(key, lease.node, lease.cluster, lease.dispute_from, lease.dispute_to, lease.dispute_head)


def challenge_key(cluster: Cluster, disputed_at: int) -> Pubkey:
    """The key whose signatures count in a dispute: the session key, or the one before if it changed since."""
    return cluster.previous_session_key if cluster.session_changed_at >= disputed_at else cluster.session_key


def next_head(head: bytes, entry: ProofEntry) -> bytes:
    """The lease's proof chain after one more proof."""
    numbers = entry.interval.to_bytes(4, "little") + entry.served_secs.to_bytes(4, "little")
    return sha256(head + numbers + entry.gpu_ms.to_bytes(8, "little") + entry.root).digest()


def chain_head(proofs: Sequence[ProofEntry], head: bytes = START) -> bytes:
    """The lease's proof chain after all of `proofs`, oldest first."""
    for entry in proofs:
        head = next_head(head, entry)
    return head


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


def next_step(
    dispute: Dispute, proofs: Sequence[ProofEntry], evidence: Mapping[int, Evidence], fits: Callable[[Step], bool]
) -> Step | None:
    """The next step that fits into a transaction; None when nothing is left that the evidence opens.

    evidence: by interval. Raises WrongChain, and InvalidInput when an opening by itself is too long.
    """
    lists = openings(dispute, proofs, evidence)
    if not lists:
        return None
    entries = lists[0]
    before = chain_head(proofs_before(dispute.head, proofs)[: -len(entries)])
    whole = Step(before, tuple(entries), evidence[entries[0].interval])
    if fits(whole):
        return whole
    # Walk towards it from the end of the chain, with as many entries as fit.
    for at in range(1, len(entries)):
        part = Step(chain_head(entries[:at], before), tuple(entries[at:]))
        if fits(part):
            return part
    raise InvalidInput(f"the path of interval {entries[0].interval}'s proof is too long for a transaction")
