"""Approvals, disputes and their evidence. `Record` is what a node's agent keeps of a lease whose intervals are
challenged: it proves them, and defends them from what it kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ionet import ed25519
from ionet.generated.types import ProofEntry
from ionet.program import PROGRAM
from ionet.rules import challenges, merkle
from program import calls
from program.chain import Call, Landed
from program.refs import LeaseRef
from program.world import World
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

INTERVAL, GRACE, WINDOW, DEFENCE = 600, 600, 3_600, 3_600


def approve_lease(world: World, lease: LeaseRef, through: int, *, by: Keypair | None = None) -> Call:
    """Of the proofs that are there now."""
    by = by or lease.cluster.session
    instruction = PROGRAM.ix.approve_lease(
        authority=by.pubkey(),
        cluster=lease.cluster.key,
        lease=lease.key,
        through_interval=through,
        proof_head=world.of(lease).proof_head,
    )
    return Call("approve_lease", instruction, (by,))


def dispute_lease(lease: LeaseRef, first: int, end: int, by: Keypair | None = None) -> Call:
    by = by or lease.cluster.session
    instruction = PROGRAM.ix.dispute_lease(
        authority=by.pubkey(), cluster=lease.cluster.key, lease=lease.key, from_interval=first, to_interval=end
    )
    return Call("dispute_lease", instruction, (by,))


def defend_lease(
    lease: LeaseRef,
    prev_head: bytes,
    entries: Sequence[ProofEntry],
    *,
    opened: bool = False,
    path: Sequence[bytes] = (),
    by: Keypair | None = None,
) -> Call:
    by = by or lease.node.device
    instruction = PROGRAM.ix.defend_lease(
        defender=by.pubkey(),
        cluster=lease.cluster.key,
        node=lease.node.key,
        lease=lease.key,
        prev_head=prev_head,
        open=opened,
        entries=tuple(entries),
        path=tuple(path),
    )
    return Call("defend_lease", instruction, (by,))


def leave_lease(lease: LeaseRef, by: Keypair | None = None) -> Call:
    by = by or lease.node.owner
    instruction = PROGRAM.ix.leave_lease(
        supplier=by.pubkey(), cluster=lease.cluster.key, node=lease.node.key, lease=lease.key
    )
    return Call("leave_lease", instruction, (by,))


def challenge(lease: LeaseRef, interval: int, key: Keypair) -> bytes:
    """The signature that a session key sends in an interval."""
    return challenges.sign_challenge(key, lease.key, interval)


@dataclass(frozen=True)
class Proof:
    """One link of the chain, with what the agent kept of it."""

    entry: ProofEntry
    head: bytes
    signature: bytes
    leaves: tuple[bytes, ...]


@dataclass
class Record:
    """All proofs of a lease, oldest first, and how far a defence has walked them back."""

    world: World
    lease: LeaseRef
    key: Keypair = field(init=False)
    proofs: list[Proof] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = self.lease.cluster.session

    # -- proving

    def prove(self, interval: int, secs: int, *, results: int = 2, signature: bytes | None = None) -> Landed:
        """Appends a proof of the challenge (`signature`; the present session key's by default) and some results."""
        signature = signature or challenge(self.lease, interval, self.key)
        tasks = [challenges.TASK_ID, *(sha256(bytes([i])).digest() for i in range(results))]
        hashes = [merkle.result_hash(signature), *tasks[1:]]
        lease = bytes(self.lease.key)
        leaves = tuple(
            merkle.leaf(lease, interval, i, task, hashed)
            for i, (task, hashed) in enumerate(zip(tasks, hashes, strict=True))
        )
        entry = ProofEntry(interval, secs, 77, merkle.root(leaves))
        landed = self.world.do(calls.append_proof(self.lease, interval, secs, root=entry.root, gpu_ms=entry.gpu_ms))
        self.proofs.append(Proof(entry, link(self.head(), entry), signature, leaves))
        assert self.world.of(self.lease).proof_head == self.head()
        return landed

    def serve(self, intervals: int, first: int = 0) -> None:
        """Lives through whole intervals, answering and proving each at its end."""
        for interval in range(first, first + intervals):
            found = self.world.of(self.lease)
            start = found.started_at + interval * INTERVAL
            end = min(start + INTERVAL, found.ends_at)
            self.world.warp_to(end)
            self.prove(interval, end - start)

    def head(self, proofs: int | None = None) -> bytes:
        """Head of the chain after this many proofs; after all of them by default."""
        count = len(self.proofs) if proofs is None else proofs
        return self.proofs[count - 1].head if count else bytes(32)

    # -- defending

    def reached(self) -> int:
        """How many proofs are left before where the defence has got to."""
        head = self.world.of(self.lease).dispute_head
        return [self.head(count) for count in range(len(self.proofs) + 1)].index(head)

    def defence(self, at: int, *, opened: bool = True, by: Keypair | None = None) -> Call:
        """Walks back to proof number `at`, from where the defence has got to, and opens it."""
        proof = self.proofs[at]
        entries = [kept.entry for kept in self.proofs[at : self.reached()]]
        path = merkle.path(proof.leaves, 0) if opened else []
        call = defend_lease(self.lease, self.head(at), entries, opened=opened, path=path, by=by)
        return replace(call, before=(self.evidence(at),)) if opened else call

    def evidence(self, at: int, key: Pubkey | None = None) -> Instruction:
        """The instruction that verifies the challenge answered in proof number `at`."""
        proof = self.proofs[at]
        message = challenges.challenge_message(self.lease.key, proof.entry.interval)
        return ed25519.verify_instruction(key or self.key.pubkey(), message, proof.signature)

    def defend(self, *ats: int) -> list[Landed]:
        """Defends proofs, the latest first, each in a transaction."""
        return [self.world.do(self.defence(at)) for at in ats]


def link(head: bytes, entry: ProofEntry) -> bytes:
    """The chain's head after a proof."""
    numbers = entry.interval.to_bytes(4, "little") + entry.served_secs.to_bytes(4, "little")
    return sha256(head + numbers + entry.gpu_ms.to_bytes(8, "little") + entry.root).digest()


def served(world: World, intervals: int, name: str = "a", duration: int = 7_200) -> Record:
    """A running lease of which this many intervals were challenged and proven."""
    record = Record(world, world.running(name, duration))
    record.serve(intervals)
    return record


def disputed(world: World, intervals: int, first: int, end: int, name: str = "a") -> Record:
    """The same, with a part of them in dispute since one interval after the last proof."""
    record = served(world, intervals, name)
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, first, end))
    return record
