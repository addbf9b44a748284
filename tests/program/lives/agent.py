"""What a node's agent keeps of one lease: every proof with the challenge it answers, so that it can defend them."""

from __future__ import annotations

from hashlib import sha256

from ionet import ed25519
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.types import ProofEntry
from ionet.rules import challenges, merkle
from program import calls
from program.chain import Call
from program.disputes import Proof, challenge, defend_lease, link
from program.refs import LeaseRef
from solders.keypair import Keypair
from solders.pubkey import Pubkey


class Agent:
    """Proofs oldest first; `keys` are the session keys that their challenges came from."""

    def __init__(self, lease: LeaseRef) -> None:
        self.lease = lease
        self.proofs: list[Proof] = []
        self.keys: list[Pubkey] = []

    def head(self, count: int) -> bytes:
        """Head of the chain after this many proofs."""
        return self.proofs[count - 1].head if count else bytes(32)

    def proof(self, interval: int, secs: int, device: Keypair, session: Keypair) -> tuple[Call, Proof]:
        """The call that proves an interval which the session key challenged, and what to keep if it goes through."""
        signature = challenge(self.lease, interval, session)
        tasks = [challenges.TASK_ID, sha256(b"a task").digest()]
        hashes = [merkle.result_hash(signature), tasks[1]]
        key = bytes(self.lease.key)
        leaves = tuple(merkle.leaf(key, interval, i, *pair) for i, pair in enumerate(zip(tasks, hashes, strict=True)))
        entry = ProofEntry(interval, secs, 7, merkle.root(leaves))
        call = calls.append_proof(self.lease, interval, secs, root=entry.root, gpu_ms=7, device=device)
        return call, Proof(entry, link(self.head(len(self.proofs)), entry), signature, leaves)

    def keep(self, proof: Proof, session: Keypair) -> None:
        self.proofs.append(proof)
        self.keys.append(session.pubkey())

    def defence(self, found: Lease, cluster: Cluster, by: Keypair, skip: int = 0) -> Call | None:
        """Opens the latest proof in dispute that can be opened, but for `skip` of them; None when there is none."""
        changed = cluster.session_changed_at >= found.disputed_at
        key = cluster.previous_session_key if changed else cluster.session_key
        heads = [self.head(count) for count in range(len(self.proofs) + 1)]
        reached = heads.index(found.dispute_head)
        seen: set[int] = set()
        for at in reversed(range(reached)):
            interval = self.proofs[at].entry.interval
            fits = found.dispute_from <= interval < found.dispute_to and self.keys[at] == key and interval not in seen
            seen.add(interval)
            if fits and skip <= 0:
                return self.opening(at, reached, key, by)
            skip -= fits
        return None

    def opening(self, at: int, reached: int, key: Pubkey, by: Keypair) -> Call:
        proof = self.proofs[at]
        entries = [kept.entry for kept in self.proofs[at:reached]]
        path = merkle.path(proof.leaves, 0)
        call = defend_lease(self.lease, self.head(at), entries, opened=True, path=path, by=by)
        message = challenges.challenge_message(self.lease.key, proof.entry.interval)
        verified = ed25519.verify_instruction(key, message, proof.signature)
        return Call(call.name, call.instruction, call.signers, (verified,))
