"""When the duties of a lease are due, compared with the compiled program over random lives, halts included."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from ionet.duties import Habits, Seen
from ionet.duties.lease import LEASE_DUTIES, report_pays
from ionet.errors import ChainRefused
from ionet.generated import pdas
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import LeaseSettled, NodeSlashed
from ionet.rules.disputes import is_disputed
from ionet.rules.lease_time import closed_intervals, intervals
from ionet.rules.outage import due_bps
from ionet.rules.payment import folded, payment
from ionet.rules.restarts import Moment, caught_up
from program import calls, disputes
from program.chain import Call
from program.halts import restart
from program.world import H100, HOUR, World
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

pytestmark = pytest.mark.matrix

INTERVAL = 600
DUE = {duty.name: duty.due for duty in LEASE_DUTIES}
HABITS = Habits(settle_secs=HOUR)


class Life:
    """A lease, the time, and whether an instruction would be taken now."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.draw, self.restart = world, random.Random(seed), 0
        node = world.staked_node("a")
        self.lease = world.booked(node, world.cluster("a"), self.draw.choice([HOUR, 2 * HOUR, 9 * INTERVAL + 7]))
        world.open_ata(world.stranger, calls.IO)

    @property
    def at(self) -> Moment:
        return Moment(self.world.now, self.world.slot, self.restart)

    @property
    def seen(self) -> Seen:
        return Seen(self.lease.key, self.world.of(self.lease), self.world.params, HABITS)

    def takes(self, *some: Call) -> bool:
        """Whether a transaction of these would land now. Nothing changes."""
        world = self.world
        world.svm.expire_blockhash()
        signers = list({key.pubkey(): key for key in [world.payer, *(k for c in some for k in c.signers)]}.values())
        message = MessageV0.try_compile(
            world.payer.pubkey(), [call.instruction for call in some], [], world.svm.latest_blockhash()
        )
        result = world.svm.simulate_transaction(VersionedTransaction(message, signers))
        return not isinstance(result, FailedTransactionMetadata)

    @contextmanager
    def then(self, time: int) -> Iterator[None]:
        """As it will be at a time, if nothing happens until then."""
        now, slot = self.world.now, self.world.slot
        self.world.warp_to(time)
        yield
        self.world.now, self.world.slot = now, slot
        self.world._set_clock()

    def calls_of(self, name: str) -> list[list[Call]]:
        """The ways in which a stranger would do a duty; one of them must work."""
        lease, stranger = self.lease, self.world.stranger
        settle, close = calls.settle_lease(lease), calls.close_lease(lease)
        report = calls.report_missed(lease, stranger)
        return {
            "cancel_lease": [[calls.cancel_lease(lease)]],
            "report_missed": [[report]],
            "end_lease": [[calls.end_lease(lease, stranger)]],
            "close_lease": [[settle, close], [settle, report, close], [close]],
        }[name]

    def is_taken(self, name: str) -> bool:
        return any(self.takes(*some) for some in self.calls_of(name))

    def check(self) -> None:
        for name in ("cancel_lease", "report_missed", "end_lease", "close_lease"):
            when = DUE[name](self.seen, self.at)
            if name == "close_lease" and is_disputed(self.seen.account):
                # A settlement decides the dispute first, and what it says decides when to close.
                assert when is None
                continue
            due = when is not None and when <= self.world.now
            assert due == self.is_taken(name), (name, when, self.at, self.seen.account)
            if when is not None and when > self.world.now:
                with self.then(when - 1):
                    assert not self.is_taken(name), (name, "too early", when, self.at)
                with self.then(when):
                    assert self.is_taken(name), (name, "too late", when, self.at)
        self.check_payment()
        self.check_charge()

    def check_payment(self) -> None:
        """What is owed is what a settlement pays."""
        lease = caught_up(self.seen.account, self.at)
        if lease.status in (LeaseStatus.BOOKED, LeaseStatus.READY):
            return
        resolved = DUE["settle_lease"](self.seen, self.at)
        if resolved is not None and resolved <= self.world.now and lease.dispute_to > lease.dispute_from:
            return  # the settlement first decides the dispute
        if lease.status == LeaseStatus.ACTIVE and self.world.now >= lease.ends_at:
            return  # it first ends the lease
        expected = payment(lease if lease.status == LeaseStatus.CANCELLED else folded(lease, self.at))
        with self.undone():
            events = self.world.do(calls.settle_lease(self.lease)).events
        paid = [event for event in events if isinstance(event, LeaseSettled)]
        assert bool(paid) != expected.is_empty, (expected, paid)
        for event in paid:
            assert event.paid - event.paid_before == expected.gross
            assert (event.supplier_fee, event.renter_fee) == (expected.supplier_fee, expected.renter_fee)
            assert (event.burned, event.bond_paid) == (expected.burned, expected.bond)

    def check_charge(self) -> None:
        """What can be charged is what a report charges, and the reporter gets no more than was said."""
        if not self.takes(*self.calls_of("report_missed")[0]):
            return
        lease = caught_up(self.seen.account, self.at)
        expected, most = due_bps(lease, self.at), report_pays(self.seen, self.at).io
        with self.undone():
            slashed = self.world.do(*self.calls_of("report_missed")[0]).event(NodeSlashed)
        assert slashed.bps == expected
        assert slashed.to_reporter <= most

    @contextmanager
    def undone(self) -> Iterator[None]:
        """The block's changes to the accounts of the lease are taken back."""
        lease = self.lease
        keys = [lease.key, lease.node.key, lease.cluster.key, lease.cluster.escrow, lease.node.vault]
        keys += [calls.ata(wallet, mint) for wallet in self.wallets() for mint in (calls.IO, calls.USD)]
        keys += [pdas.burn_vault(calls.ID, calls.IO)]
        before = {key: self.world.raw(key) for key in keys if self.world.exists(key)}
        yield
        for key, account in before.items():
            self.world.svm.set_account(key, account)

    def wallets(self) -> list[Keypair]:
        return [self.lease.node.owner, self.lease.cluster.renter, self.world.stranger]

    # -- what happens

    def step(self) -> None:
        lease = self.seen.account
        if lease.status == LeaseStatus.BOOKED:
            self.draw.choice([self.ready, self.ready, self.wait])()
        elif lease.status == LeaseStatus.READY:
            self.draw.choice([self.accept, self.accept, self.wait])()
        else:
            doings = [self.wait, self.wait, *[self.prove] * 6, self.dispute, self.settle, self.halt, self.extend]
            doings += [self.report, self.end, self.quit] if self.draw.random() < 0.3 else []
            self.draw.choice(doings)()

    def wait(self) -> None:
        self.world.warp(self.draw.choice([1, 59, 300, 599, INTERVAL, INTERVAL + 1, HOUR, 3 * HOUR]))

    def ready(self) -> None:
        self.world.do(calls.mark_ready(self.lease))

    def accept(self) -> None:
        self.world.do(calls.accept_ready(self.lease))

    def prove(self) -> None:
        lease = caught_up(self.seen.account, self.at)
        interval = closed_intervals(lease, self.world.now) + self.draw.choice([0, 1])
        if interval >= intervals(lease):
            self.wait()
            return
        end = min(lease.started_at + (interval + 1) * INTERVAL, lease.ends_at)
        self.world.warp_to(max(self.world.now, end))
        self.world.do(calls.append_proof(self.lease, interval, self.draw.choice([1, 299, 300, INTERVAL])))

    def dispute(self) -> None:
        lease = caught_up(self.seen.account, self.at)
        first = lease.ring_base + self.draw.randrange(3)
        self.world.do(disputes.dispute_lease(self.lease, first, first + 1 + self.draw.randrange(3)))

    def settle(self) -> None:
        self.world.do(calls.settle_lease(self.lease))

    def report(self) -> None:
        self.world.do(*self.calls_of("report_missed")[0])

    def end(self) -> None:
        self.world.do(calls.end_lease(self.lease))

    def quit(self) -> None:
        self.world.do(calls.quit_lease(self.lease))

    def extend(self) -> None:
        self.world.do(calls.extend_lease(self.lease, H100, INTERVAL))

    def halt(self) -> None:
        last = self.world.slot
        restart(self.world, self.draw.choice([60, HOUR, 12 * HOUR]))
        self.restart = last


@pytest.mark.parametrize("seed", range(24))
def test_what_is_due_is_what_the_program_takes(world: World, seed: int) -> None:
    life = Life(world, seed)
    life.check()
    for _ in range(40):
        # Much of what is tried at random is refused.
        with suppress(ChainRefused):
            life.step()
        life.check()
