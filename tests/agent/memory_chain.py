"""The program's rules for proofs over one lease in memory: a twin of the chain behind the agent's small interface.

The rules are those of the program's ring; the suites that run the whole stack check the agent against the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import msgspec
from ionet import defence
from ionet.errors import ChainRefused, ProgramError, TransactionExpired
from ionet.generated import errors
from ionet.generated.enums import LeaseStatus
from ionet.generated.types import ProofEntry
from ionet.lease_view import LeaseView, NodeView
from ionet.program import PROGRAM
from ionet.rules import merkle
from ionet.rules.challenges import is_signed_by, leaf_zero
from ionet.rules.disputes import Dispute, Evidence, Step, can_defend, chain_head, is_disputed, next_head
from ionet.rules.lease_time import interval_end, interval_start, intervals, proof_deadline
from ionet_agent.node_chain import Signed
from leases import DEVICE, SESSION
from solders.pubkey import Pubkey


class MemoryChain:
    """One node. `now` is its clock; `lost` makes the next sends land without an answer or vanish."""

    def __init__(self, lease: LeaseView | None, now: Callable[[], int]) -> None:
        self.lease, self.now = lease, now
        self.past: LeaseView | None = None
        self.flags = 0
        self.left: list[Pubkey] = []
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
        return NodeView(self.now(), self.now(), self.lease, self.flags, past)

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed:
        return self._sign(ready=report_hash.hex(), lease=str(lease.address))

    async def sign_return(self) -> Signed:
        return self._sign(returned=True)

    async def sign_leave(self, lease: LeaseView) -> Signed:
        return self._sign(left=str(lease.address))

    async def sign_proof(self, lease: LeaseView, interval: int, served_secs: int, root: bytes, gpu_ms: int) -> Signed:
        return self._sign(
            lease=str(lease.address), interval=interval, served=served_secs, root=root.hex(), gpu_ms=gpu_ms
        )

    def fits(self, dispute: Dispute, step: Step) -> bool:
        return defence.fits(dispute, step, defender=DEVICE.pubkey(), program=PROGRAM)

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        self._steps[self._signed + 1] = step
        return self._sign(lease=str(dispute.lease), step=self._signed + 1)

    async def proofs(self, _lease: Pubkey) -> Sequence[ProofEntry]:
        return self.chain

    def dispute(self, first: int, end: int) -> None:
        """As `dispute_lease`, by a key that may."""
        lease = self.past or self.lease
        assert lease is not None
        assert self.now() >= proof_deadline(lease, end - 1)
        self.put(
            lease,
            dispute_from=first,
            dispute_to=end,
            dispute_head=lease.proof_head,
            disputed_at=self.now(),
        )

    def _defend(self, lease: LeaseView, step: Step) -> None:
        """As `defend_lease`: the chain, the signature, the path, the place."""
        entry = step.entries[0]
        if not is_disputed(lease) or chain_head(step.entries, step.prev_head) != lease.dispute_head:
            raise errors.WrongProofChain
        if step.evidence is not None:
            self._check(lease, entry, step.evidence)
            self.defended.append((entry.interval, entry.served_secs))
            lease = self.put(lease, dispute_to=entry.interval)
        self.put(lease, dispute_head=step.prev_head)

    def _check(self, lease: LeaseView, entry: ProofEntry, evidence: Evidence) -> None:
        if not is_signed_by(SESSION.pubkey(), lease.address, entry.interval, evidence.signature):
            raise ChainRefused("the precompile refuses the signature")
        node = leaf_zero(lease.address, entry.interval, evidence.signature)
        for sibling in evidence.path:
            node = merkle.inner(node, sibling)
        if node != entry.root or not can_defend(lease, entry.interval):
            raise errors.WrongEvidence

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
            raise TransactionExpired("blockhash expired")
        what = json.loads(signed.raw)
        if "returned" in what:
            self.flags = 0
            self.executed.append(signed.raw)
            return
        if "left" in what:
            assert self.lease is not None
            self.left.append(self.lease.address)
            self.end(min(self.now(), self.lease.ends_at))
            self.executed.append(signed.raw)
            return
        lease = (await self.view([what["lease"]])).find(what["lease"])
        if lease is None:
            raise ChainRefused("no such lease")
        if "step" in what:
            self._defend(lease, self._steps[what["step"]])
        elif "ready" in what:
            self._mark_ready(lease, bytes.fromhex(what["ready"]))
        else:
            self._append(lease, what["interval"], what["served"], bytes.fromhex(what["root"]), what["gpu_ms"])
        self.executed.append(signed.raw)

    def _mark_ready(self, lease: LeaseView, report_hash: bytes) -> None:
        if lease.status != LeaseStatus.BOOKED:
            raise errors.WrongLeaseState
        self.ready.append(report_hash)
        self.put(lease, status=LeaseStatus.READY, ready_at=self.now(), accept_deadline_secs=2**31)

    def accept(self, duration: int) -> None:
        assert self.lease is not None
        assert self.lease.status == LeaseStatus.READY
        now = self.now()
        self.lease = msgspec.structs.replace(
            self.lease, status=LeaseStatus.ACTIVE, started_at=now, ends_at=now + duration
        )

    def _append(self, lease: LeaseView, interval: int, served: int, root: bytes, gpu_ms: int) -> None:
        now, before = self.now(), self.served.get(interval, 0)
        checks: dict[type[ProgramError], bool] = {
            errors.WrongLeaseState: lease.status in (LeaseStatus.ACTIVE, LeaseStatus.ENDED),
            errors.ZeroHash: root != bytes(32),
            errors.ZeroAmount: served > 0,
            errors.LeaseOver: 0 <= interval < intervals(lease),
            errors.IntervalNotOpen: interval_start(lease, interval) <= now < proof_deadline(lease, interval),
            errors.ServedTooLong: served <= min(now, interval_end(lease, interval)) - interval_start(lease, interval),
            errors.ProofOutOfOrder: interval >= lease.ring_next or before > 0,
            errors.ProofLowered: served >= before,
        }
        for refusal, holds in checks.items():
            if not holds:
                raise refusal
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
