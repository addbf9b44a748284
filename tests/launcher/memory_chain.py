"""The program's rules for proofs over one lease in memory: a twin of the chain behind the agent's small interface.

The rules are those of the program's ring; the suites that run the whole stack check the agent against the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import msgspec
from ionet.defence import Step
from ionet.generated.types import ProofEntry
from ionet.rules import merkle
from ionet.rules.disputes import Dispute, Evidence, next_head
from ionet.rules.lease_time import LeaseStatus, LeaseView, NodeView
from ionet_agent.chain import ExpiredError, RefusedError, Signed
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

SESSION, RENTER = Keypair.from_seed(bytes([1] * 32)), Keypair.from_seed(bytes([2] * 32))


def lease_view(**changes: object) -> LeaseView:
    """A booked lease of a head with ten intervals of 10 s."""
    lease = LeaseView(
        address=Pubkey.from_bytes(bytes([3] * 32)),
        node=Pubkey.from_bytes(bytes([4] * 32)),
        cluster=Pubkey.from_bytes(bytes([5] * 32)),
        renter=RENTER.pubkey(),
        session_key=SESSION.pubkey(),
        session_expires_at=2**40,
        head_lease=Pubkey.from_bytes(bytes([3] * 32)),
        status=LeaseStatus.BOOKED,
        processors=2,
        ready_by=2**40,
        accept_by=0,
        started_at=0,
        ends_at=0,
        interval_secs=10,
        grace_intervals=1,
        ring_next=0,
        proof_head=bytes(32),
    )
    return msgspec.structs.replace(lease, **changes)


class MemoryChain:
    """One node. `now` is its clock; `lost` makes the next sends land without an answer or vanish."""

    def __init__(self, lease: LeaseView | None, now: Callable[[], int]) -> None:
        self.lease, self.now = lease, now
        self.past: LeaseView | None = None
        self.served: dict[int, int] = {}
        self.roots: dict[int, bytes] = {}
        self.executed: list[bytes] = []
        self.ready: list[bytes] = []
        self.chain: list[ProofEntry] = []
        self.defended: list[tuple[int, int]] = []
        self._steps: dict[int, Step] = {}
        self._signed = 0

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        past = tuple(lease for lease in (self.past,) if lease is not None and str(lease.address) in others)
        return NodeView(self.now(), self.now(), self.lease, past)

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed:
        return self._sign(ready=report_hash.hex(), lease=str(lease.address))

    async def sign_proof(self, lease: LeaseView, interval: int, served_secs: int, root: bytes, gpu_ms: int) -> Signed:
        return self._sign(
            lease=str(lease.address), interval=interval, served=served_secs, root=root.hex(), gpu_ms=gpu_ms
        )

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        self._steps[self._signed + 1] = step
        return self._sign(lease=str(dispute.lease), step=self._signed + 1)

    async def proofs(self, _lease: Pubkey) -> Sequence[ProofEntry]:
        return self.chain

    def dispute(self, first: int, end: int) -> None:
        """As `dispute_lease`, by whoever may."""
        lease = self.past or self.lease
        assert lease is not None
        assert self.now() >= lease.proof_deadline(end - 1)
        self.put(
            lease,
            dispute_from=first,
            dispute_to=end,
            dispute_head=lease.proof_head,
            disputed_at=self.now(),
        )

    def _defend(self, lease: LeaseView, step: Step) -> None:
        """As `defend_lease`: the chain, the signature, the path, the place."""
        head, entry = step.prev_head, step.entries[0]
        for each in step.entries:
            head = next_head(head, each)
        if not lease.is_disputed or head != lease.dispute_head:
            raise RefusedError("WrongProofChain")
        if step.evidence is not None:
            self._check(lease, entry, step.evidence)
            self.defended.append((entry.interval, entry.served_secs))
            lease = self.put(lease, dispute_to=entry.interval)
        self.put(lease, dispute_head=step.prev_head)

    def _check(self, lease: LeaseView, entry: ProofEntry, evidence: Evidence) -> None:
        name, signature = bytes(lease.address), Signature.from_bytes(evidence.signature)
        if not signature.verify(SESSION.pubkey(), merkle.challenge_message(name, entry.interval)):
            raise RefusedError("the precompile refuses the signature")
        task, result = merkle.CHALLENGE_TASK_ID, merkle.result_hash(evidence.signature)
        node = merkle.leaf(name, entry.interval, 0, task, result)
        for sibling in evidence.path:
            node = merkle.inner(node, sibling)
        if node != entry.root or not lease.can_defend(entry.interval):
            raise RefusedError("WrongEvidence")

    def put(self, lease: LeaseView, **changes: object) -> LeaseView:
        """Change a lease."""
        after = msgspec.structs.replace(lease, **changes)
        if self.past is not None and self.past.address == lease.address:
            self.past = after
        else:
            self.lease = after
        return after

    def _sign(self, **what: object) -> Signed:
        self._signed += 1
        return Signed(json.dumps({**what, "n": self._signed}).encode(), self.now() + 60)

    async def send(self, signed: Signed) -> None:
        if signed.raw in self.executed:
            return
        if self.now() > signed.last_valid_block_height:
            raise ExpiredError("blockhash expired")
        what = json.loads(signed.raw)
        lease = (await self.view([what["lease"]])).find(what["lease"])
        if lease is None:
            raise RefusedError("no such lease")
        if "step" in what:
            self._defend(lease, self._steps[what["step"]])
        elif "ready" in what:
            self._mark_ready(lease, bytes.fromhex(what["ready"]))
        else:
            self._append(lease, what["interval"], what["served"], bytes.fromhex(what["root"]), what["gpu_ms"])
        self.executed.append(signed.raw)

    def _mark_ready(self, lease: LeaseView, report_hash: bytes) -> None:
        if lease.status is not LeaseStatus.BOOKED:
            raise RefusedError("WrongLeaseState")
        self.ready.append(report_hash)
        self.lease = msgspec.structs.replace(lease, status=LeaseStatus.READY, accept_by=2**40)

    def accept(self, duration: int) -> None:
        assert self.lease is not None
        assert self.lease.status is LeaseStatus.READY
        now = self.now()
        self.lease = msgspec.structs.replace(
            self.lease, status=LeaseStatus.ACTIVE, started_at=now, ends_at=now + duration
        )

    def _append(self, lease: LeaseView, interval: int, served: int, root: bytes, gpu_ms: int) -> None:
        now, before = self.now(), self.served.get(interval, 0)
        checks = {
            "WrongLeaseState": lease.status in (LeaseStatus.ACTIVE, LeaseStatus.ENDED),
            "ZeroHash": root != bytes(32),
            "ZeroAmount": served > 0,
            "LeaseEnded": 0 <= interval < lease.intervals(),
            "IntervalNotOpen": lease.interval_start(interval) <= now < lease.proof_deadline(interval),
            "ServedTooLong": served <= min(now, lease.interval_end(interval)) - lease.interval_start(interval),
            "ProofOutOfOrder": interval >= lease.ring_next or before > 0,
            "ProofLowered": served >= before,
        }
        for name, holds in checks.items():
            if not holds:
                raise RefusedError(name)
        self.served[interval], self.roots[interval] = served, root
        entry = ProofEntry(interval, served, gpu_ms, root)
        self.chain.append(entry)
        ring_next = max(lease.ring_next, interval + 1)
        self.put(lease, ring_next=ring_next, proof_head=next_head(lease.proof_head, entry))

    def end(self, at: int) -> None:
        """As `end_lease`: the node is free at once, the lease stays until it is closed."""
        assert self.lease is not None
        self.past = msgspec.structs.replace(self.lease, status=LeaseStatus.ENDED, ends_at=at)
        self.lease = None
