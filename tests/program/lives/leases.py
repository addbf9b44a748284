"""Leases from booking to closing, proofs, disputes: honest progress, and every push in and out of its time."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from ionet.generated.accounts import Lease
from program import calls, disputes
from program.chain import who
from program.lives.attacker import Attack
from program.lives.base import ACTIVE, BOOKED, READY, Base, picks
from program.refs import LeaseRef, NodeRef
from solders.keypair import Keypair

PUSHES = [
    "settle",
    "settle",
    "report_missed",
    "end",
    "quit",
    "leave",
    "cancel",
    "close",
    "mark",
    "accept",
    "reject",
    "return",
]


class Leases(Base):
    @rule(slots=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 7)), min_size=1, max_size=30))
    def lurk(self, slots: list[tuple[int, int]]) -> None:
        """The next instructions are attacked before they go through."""
        self.attacks = [Attack(*slot) for slot in slots]

    @rule(intervals=st.sampled_from([0.5, 3, 12, 60, 900]), later=st.sampled_from([0, 0, 0.5, 0.999, 1]))
    def halt(self, intervals: float, later: float) -> None:
        """The chain stands still and is restarted; sometimes nobody acts until it has recovered, or nearly has."""
        self.world.warp(int(intervals * self.params.interval_secs), slots=1 + int(later * 10))
        self.world.svm.set_last_restart_slot(self.world.slot - 1)
        self.world.warp(int(later * self.params.recovery_secs))

    @rule(intervals=st.sampled_from([0.01, 0.5, 1, 1, 1, 2, 3, 3, 3, 7, 8, 12, 350]), stalled=st.integers(0, 4))
    def wait(self, intervals: float, stalled: int) -> None:
        secs = int(intervals * self.params.interval_secs)
        self.world.warp(secs, slots=1 if stalled == 0 else None)

    @property
    def params(self) -> Any:
        return self.world.params

    @rule(pick=picks, other=picks, intervals=st.sampled_from([0.1, 2, 12, 12.3, 60, 900]), at_once=st.integers(0, 3))
    def rent(self, pick: int, other: int, intervals: float, at_once: int) -> None:
        """A node is booked; mostly both sides are quick, so that the lease runs."""
        node, cluster = self.node(pick), self.cluster(other)
        if self.book(node, cluster, int(intervals * self.params.interval_secs)) and at_once:
            lease = self.leases[-1]
            self.attempt(calls.mark_ready(lease, device=self.device_of(node)))
            self.attempt(calls.accept_ready(lease, by=cluster.renter))

    @rule(pick=picks, by=picks)
    def fall_through(self, pick: int, by: int) -> None:
        """A lease that somebody leaves or lets lie before its time."""
        if not (known := self.running(pick)):
            return
        lease, found = known
        if found.status == READY and by % 2:
            self.attempt(calls.reject_ready(lease, by=self.sessions[lease.cluster.key]))
        elif found.status in (BOOKED, READY):
            self.world.warp(max(found.ready_deadline_secs, found.accept_deadline_secs))
            self.attempt(calls.cancel_lease(lease))
            self.attempt(calls.return_node(lease.node, self.supplier(lease, by)))
        elif by % 3 == 0:
            self.attempt(calls.quit_lease(lease))
        elif by % 3 == 1:
            self.attempt(calls.end_lease(lease, lease.cluster.renter))
        else:
            # Long enough a silence that a stranger may end it, if the lease lasts that long.
            self.world.warp(found.fault_after_secs + 2 * found.interval_secs)
            self.attempt(calls.end_lease(lease, self.world.stranger))

    @rule(pick=picks, other=picks, times=st.integers(1, 3))
    def break_promises(self, pick: int, other: int, times: int) -> None:
        """A node that is booked and never gets ready, and each time says that it is there again."""
        node = self.node(pick)
        for _ in range(times):
            self.attempt(calls.return_node(node, self.device_of(node)))
            if self.book(node, self.cluster(other), self.params.interval_secs):
                self.world.warp(self.params.ready_deadline_secs)
                self.attempt(calls.cancel_lease(self.leases[-1]))

    @rule(pick=picks, intervals=st.integers(1, 12))
    def progress(self, pick: int, intervals: int) -> None:
        """What an honest supplier and renter would do next, so that leases live through their whole lives."""
        if not (known := self.running(pick)):
            return
        lease, found = known
        if found.status == BOOKED:
            self.attempt(calls.mark_ready(lease, device=self.device_of(lease.node)))
        elif found.status == READY:
            self.attempt(calls.accept_ready(lease, by=self.sessions[lease.cluster.key]))
        elif found.status == ACTIVE and self.world.now < found.ends_at:
            for _ in range(intervals):
                self.world.warp(found.interval_secs)
                self.prove(pick, 1, 1.0)
            if intervals > 6:
                self.settle(lease)
        else:
            self.world.warp(found.interval_secs)
            self.settle(lease)
            self.attempt(calls.close_lease(lease))

    @rule(pick=picks, intervals=st.integers(1, 8))
    def go_on(self, pick: int, intervals: int) -> None:
        """The same with several leases in turn, since honest lives are long."""
        for step in range(3):
            self.progress(pick + step, intervals)

    @rule(pick=picks, back=st.integers(-1, 2), part=st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.0, 1.5]))
    def prove(self, pick: int, back: int, part: float) -> None:
        if known := self.running(pick):
            self.prove_of(*known, back, part)

    def prove_of(self, lease: LeaseRef, found: Lease, back: int, part: float) -> None:
        interval = max(self.interval_of(found) - back, 0)
        agent, session = self.agents[lease.key], self.sessions[lease.cluster.key]
        secs = int(part * found.interval_secs)
        call, proof = agent.proof(interval, secs, self.device_of(lease.node), session)
        if self.attempt(call):
            agent.keep(proof, session)

    @rule(pick=picks, name=st.sampled_from(PUSHES), by=picks)
    def push(self, pick: int, name: str, by: int) -> None:
        """One of the instructions on a lease, whether its time has come or not."""
        lease = self.lease(pick)
        if name == "settle":
            if lease.key in self.books.open_leases:
                self.settle(lease, prepared=by % 4 > 0)
            return
        made = {
            "report_missed": calls.report_missed(lease, self.anyone(by), rewarded=by % 3 > 0),
            "end": calls.end_lease(lease, lease.cluster.renter if by % 2 else self.anyone(by)),
            "quit": calls.quit_lease(lease),
            "leave": disputes.leave_lease(lease, self.anyone(by) if by % 5 == 0 else self.supplier(lease, by)),
            "reject": calls.reject_ready(lease, by=self.anyone(by) if by % 3 else lease.cluster.renter),
            "return": calls.return_node(lease.node, self.anyone(by) if by % 5 == 0 else self.supplier(lease, by)),
            "cancel": calls.cancel_lease(lease),
            "close": calls.close_lease(lease),
            "mark": calls.mark_ready(lease, device=self.device_of(lease.node)),
            "accept": calls.accept_ready(lease, by=self.anyone(by) if by % 3 else lease.cluster.renter),
        }
        self.attempt(made[name])

    # -- approvals and disputes

    @rule(pick=picks, behind=st.integers(0, 3), by=picks)
    def approve(self, pick: int, behind: int, by: int) -> None:
        if not (known := self.running(pick)):
            return
        lease, found = known
        signer = self.sessions[lease.cluster.key] if by % 2 else lease.cluster.renter
        self.attempt(disputes.approve_lease(self.world, lease, max(0, found.ring_next - behind), by=signer))

    @rule(pick=picks, length=st.integers(1, 5), behind=st.integers(-1, 3), session=st.booleans())
    def dispute(self, pick: int, length: int, behind: int, session: bool) -> None:
        """The last proven intervals, or some before them."""
        if not (known := self.running(pick)):
            return
        lease, found = known
        closed = max(0, self.interval_of(found) - found.grace_intervals)
        end = max(0, min(found.ring_next, closed) - behind)
        signer = self.sessions[lease.cluster.key] if session else lease.cluster.renter
        self.attempt(disputes.dispute_lease(lease, max(0, end - length), end, by=signer))

    @rule(pick=picks, length=st.integers(1, 4), defended=st.booleans())
    def prove_and_dispute(self, pick: int, length: int, defended: bool) -> None:
        """Intervals are served and disputed right away: a dispute needs what the window still lets it have."""
        if not (known := self.running(pick)) or known[1].status != ACTIVE:
            return
        for _ in range(length):
            self.world.warp(known[1].interval_secs)
            self.prove(pick, 1, 1.0)
        self.world.warp(known[1].grace_intervals * known[1].interval_secs)
        self.dispute(pick, min(length, 2), 0, True)
        if defended:
            self.defend(pick, 0, 0, length)

    @rule(pick=picks, length=st.integers(2, 4), later=st.booleans())
    def prove_and_leave(self, pick: int, length: int, later: bool) -> None:
        """No challenge comes any more, says the supplier; the renter may dispute what was before."""
        if not (known := self.running(pick)) or known[1].status != ACTIVE:
            return
        lease, found = known
        for _ in range(length):
            self.world.warp(found.interval_secs)
            self.prove(pick, 1, 1.0)
        self.attempt(disputes.leave_lease(lease, self.supplier(lease, pick)))
        if later:
            self.world.warp(found.grace_intervals * found.interval_secs)
            self.dispute(pick, 2, 2, True)

    def supplier(self, lease: LeaseRef, pick: int) -> Keypair:
        """The owner or the device."""
        return lease.node.owner if pick % 2 else self.device_of(lease.node)

    @rule(pick=picks, secs=st.sampled_from([1, 600, 3_600, 10**6]))
    def extend(self, pick: int, secs: int) -> None:
        lease = self.lease(pick)
        self.attempt(calls.extend_lease(lease, self.world.of_node(lease.node).model, secs))

    @rule(pick=picks, by=st.integers(0, 3), skip=st.integers(0, 2), times=st.integers(1, 3))
    def defend(self, pick: int, by: int, skip: int, times: int) -> None:
        """The supplier's side opens intervals from the last to the first, leaving some out; a stranger may not."""
        for _ in range(times):
            if not (known := self.running(pick)):
                return
            lease, found = known
            if not found.dispute_to > found.dispute_from:
                return
            signer = [self.device_of(lease.node), lease.node.owner, lease.node.owner, self.world.stranger][by]
            cluster = self.world.of_cluster(lease.cluster)
            call = self.agents[lease.key].defence(found, cluster, signer, skip if found.dispute_to % 2 else 0)
            if call is None:
                self.walk(lease.node, pick)
                return
            self.attempt(call)

    def walk(self, node: NodeRef, pick: int) -> None:
        """Passes over the last entry that is left without opening it."""
        if not (known := self.running(pick)):
            return
        lease, found = known
        agent = self.agents[lease.key]
        heads = [agent.head(count) for count in range(len(agent.proofs) + 1)]
        at = heads.index(found.dispute_head) - 1
        if at >= 0:
            entries = [agent.proofs[at].entry]
            self.attempt(disputes.defend_lease(lease, agent.head(at), entries, by=node.owner))

    @rule(pick=picks)
    def outlast(self, pick: int) -> None:
        """Nobody defends in time."""
        if known := self.running(pick):
            self.world.warp(known[1].defend_window_secs)
            self.settle(known[0])

    @rule(pick=picks, turn=st.integers(0, 2), secs=st.sampled_from([-1, 1, 1_000, 10**8, 10**8]))
    def rotate_session(self, pick: int, turn: int, secs: int) -> None:
        """Another session key, none, or the first one again."""
        cluster = self.cluster(pick)
        key = cluster.session if turn == 0 else who(f"{cluster.key} {turn}")
        named = calls.NOBODY if secs == 1_000 else key.pubkey()
        if self.attempt(calls.set_session_key(cluster, named, self.world.now + secs)):
            self.sessions[cluster.key] = key
