"""Whole lives with disputes in every phase: whatever is decided, nothing is made, lost or left behind."""

from __future__ import annotations

import os
import random
from contextlib import suppress

import pytest
from ionet.errors import ChainRefused
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.errors import NothingMissed
from program import calls, disputes
from program.calls import ID, IO, USD, ata
from program.chain import refused, who
from program.disputes import DEFENCE, GRACE, INTERVAL, Record
from program.refs import ClusterRef, NodeRef
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World, required_stake

pytestmark = pytest.mark.matrix

DEPOSIT = 1_000 * USD_UNIT
# What the lives came to: lives that reach little prove little.
REACHED: set[str] = set()
ENDS = ("expired", "renter", "fault", "quit", "left")
NAMES = (
    "matured_secs",
    "missed_secs",
    "held_secs",
    "undefended_secs",
    "undefended_early_secs",
    "burned_secs",
    "rest_secs",
    "burned",
    "bond_due",
    "approved_through",
    "pending_bps",
)
HOURLY = 16_000_000


class Life:
    """One supplier, one renter, a stranger; their wealth before, and the same sum after."""

    def __init__(self, world: World, duration: int = 2 * HOUR) -> None:
        self.world = world
        world.supplier("supplier a")
        world.renter("renter a")
        self.owner, self.renter, self.stranger = who("supplier a"), who("renter a"), world.stranger
        world.open_ata(self.stranger, IO)
        self.before = self.wealth()
        self.record = Record(world, world.active(world.staked_node("a"), world.cluster("a", DEPOSIT), duration))
        self.lease = self.record.lease

    def wealth(self) -> tuple[int, int]:
        """IO and IOSD of everybody and of the vaults to be burned."""
        io = [ata(wallet, IO) for wallet in (self.owner, self.renter, self.stranger)] + [pdas.burn_vault(ID, IO)]
        usd = [ata(wallet, USD) for wallet in (self.owner, self.renter)] + [pdas.burn_vault(ID, USD)]
        return sum(map(self.world.tokens, io)), sum(map(self.world.tokens, usd))

    def end(self, how: str) -> None:
        world, lease = self.world, self.lease
        if how == "expired":
            world.warp_to(world.of(lease).ends_at)
            world.do(calls.settle_lease(lease))
        elif how == "renter":
            world.do(calls.end_lease(lease))
        elif how == "fault":
            world.warp(HOUR + 1)
            world.do(calls.end_lease(lease, self.stranger))
        elif how == "quit":
            world.do(calls.quit_lease(lease))
        else:
            world.do(disputes.leave_lease(lease))

    def check(self) -> None:
        """Every second is in one place, and the budget holds what is locked for the lease."""
        world, lease, cluster = self.world, self.world.of(self.lease), self.world.of_cluster(self.lease.cluster)
        assert cluster.locked == lease.locked + lease.dispute_bond + lease.bond_due
        escrow = cluster.deposit - cluster.paid - cluster.fees - cluster.refunded
        assert 0 <= cluster.locked <= escrow
        assert world.tokens(self.lease.cluster.escrow) == escrow + cluster.fees
        assert 0 <= cluster.burned <= cluster.fees
        assert lease.burned <= cluster.burned
        assert self.decided(lease) <= lease.duration or lease.end_reason == EndReason.QUIT
        assert (lease.held_secs > 0) == (lease.dispute_to > lease.dispute_from) == (cluster.disputes_open > 0)
        REACHED.update(name for name in NAMES if getattr(lease, name))
        REACHED.add(f"end {lease.end_reason}")

    def decided(self, lease: Lease) -> int:
        """Seconds of which it is known whose they are, or that are in dispute."""
        return lease.matured_secs + lease.missed_secs + lease.held_secs + lease.undefended_secs + lease.burned_secs

    def finish(self) -> Lease:
        """Strangers push everything to its end; returns the lease as it was when everything was decided."""
        world, lease = self.world, self.lease
        world.final(lease)
        world.do(calls.settle_lease(lease))
        if world.of(lease).held_secs:
            world.warp(DEFENCE)
            world.do(calls.settle_lease(lease))
        world.warp(max(0, world.of(lease).blocked_until - world.now))
        world.do(calls.settle_lease(lease))
        self.check()
        found = world.of(lease)
        # Who quits after a silence ends the lease at the last proof: what was missed after it stays missed.
        beyond = self.decided(found) - (found.ends_at - found.started_at)
        assert beyond == 0 or (beyond > 0 and found.end_reason == EndReason.QUIT)
        assert (found.paid, found.burned) == owed(found)
        with suppress(NothingMissed):
            world.do(calls.report_missed(lease, self.stranger))
        world.do(calls.close_lease(lease))
        assert world.of_cluster(lease.cluster).locked == 0
        world.warp(7 * 86_400)
        world.do(calls.close_cluster(lease.cluster, signed=False), calls.retire_node(lease.node))
        world.warp(14 * 86_400)
        world.do(calls.withdraw(lease.node))
        gone = (lease.key, lease.cluster.key, lease.cluster.escrow, lease.node.position)
        assert not any(world.exists(key) for key in gone)
        assert self.wealth() == self.before
        return found


def owed(lease: Lease) -> tuple[int, int]:
    """What is paid and what is burned, by the rules of the first hour and of the first hour that nobody defends."""
    paid, burned = lease.matured_secs, lease.burned_secs
    if lease.end_reason in (EndReason.QUIT, EndReason.SUPPLIER_FAULT):
        return HOURLY * paid // HOUR, HOURLY * burned // HOUR
    early = lease.undefended_early_secs
    burned += max(0, min(lease.undefended_secs, HOUR) - early)
    if lease.missed_secs == 0:
        burned += early + (lease.rest_secs if lease.undefended_secs else 0)
        paid += 0 if lease.undefended_secs else lease.rest_secs
    return HOURLY * paid // HOUR, HOURLY * burned // HOUR


# When an hour of silence makes it the supplier's fault, of what they served before only the last interval is open.
PHASES = [(when, how) for when in ("before", "after") for how in ENDS if (when, how) != ("after", "fault")]


@pytest.mark.parametrize("defended", [0, 1, 2])
@pytest.mark.parametrize(("when", "how"), PHASES)
def test_a_dispute_before_and_after_every_end(world: World, when: str, how: str, defended: int) -> None:
    """The first two of six intervals, disputed before or after the end; none, one or both of them defended."""
    life = Life(world, {"expired": HOUR, "fault": 4 * HOUR}.get(how, 2 * HOUR))
    life.record.serve(6)
    dispute = disputes.dispute_lease(life.lease, 0, 2)
    if when == "before":
        world.do(dispute)
    if how != "fault":  # there it would be too late to defend
        life.end(how)
    if when == "after":
        world.do(dispute)
    life.check()
    for at in (1, 0)[:defended]:
        life.record.defend(at)
        life.check()
    if how == "fault":
        life.end(how)
    found = life.finish()
    named = 2 if how == "left" else 0
    assert found.matured_secs == (4 - named + defended) * INTERVAL
    assert (found.undefended_secs, found.burned_secs) == ((2 - defended) * INTERVAL, named * INTERVAL)
    # Nothing of the first hour goes back to the renter, but from a supplier who quit or is at fault.
    burned = 0 if how in ("fault", "quit") else named + 2 - defended
    assert (found.paid, found.burned) == (HOURLY * (4 - named + defended) // 6, HOURLY * burned // 6)


@pytest.mark.parametrize("defended", [False, True])
def test_a_dispute_after_the_end_as_the_suppliers_fault(world: World, defended: bool) -> None:
    life = Life(world, 4 * HOUR)
    life.record.serve(6)
    life.end("fault")
    with refused("RangeNotDisputable"):
        world.do(disputes.dispute_lease(life.lease, 4, 6))
    world.do(disputes.dispute_lease(life.lease, 5, 6))
    if defended:
        life.record.defend(5)
    found = life.finish()
    assert (found.matured_secs, found.missed_secs) == ((5 + defended) * INTERVAL, HOUR + 1)
    assert (found.paid, found.burned) == (HOURLY * (5 + defended) // 6, 0)


@pytest.mark.parametrize("defended", [False, True])
def test_every_interval_disputed_one_after_the_other(world: World, defended: bool) -> None:
    """As soon as it is closed; one that is not defended keeps the lease's dispute for an hour: of two hours, the first
    interval and the seventh are burned, the rest is paid."""
    life = Life(world)
    for interval in range(12):
        life.record.serve(1, first=interval)
        world.do(calls.settle_lease(life.lease))
        if interval > 0 and not world.of(life.lease).held_secs:
            world.do(disputes.dispute_lease(life.lease, interval - 1, interval))
            if defended:
                life.record.defend(interval - 1)
        life.check()
    found = life.finish()
    assert found.undefended_secs == (0 if defended else 2 * INTERVAL)
    assert (found.paid, found.burned) == (HOURLY * (12 if defended else 10) // 6, 0 if defended else HOURLY * 2 // 6)


@pytest.mark.parametrize("seed", range(25))
def test_random_lives(seed: int) -> None:
    """Proofs, gaps, raises, disputes of any range, defences that skip, approvals, key changes, any end."""
    source, world = random.Random(seed), World.started()
    life = Life(world, source.choice([HOUR, 2 * HOUR, 5 * HOUR]))
    key_changes = 0
    while world.now < world.of(life.lease).ends_at and world.of(life.lease).status == LeaseStatus.ACTIVE:
        world.warp(source.choice([30, 200, INTERVAL, INTERVAL, 2 * INTERVAL]))
        for _ in range(source.randrange(1, 4)):
            with suppress(ChainRefused):
                key_changes += _step(source, life, key_changes)
            life.check()
        if source.randrange(20) == 0:
            break
    with suppress(ChainRefused):
        life.end(source.choice(ENDS))
    life.check()
    life.finish()


def test_the_lives_reached_everything() -> None:
    if not REACHED or "IONET_SAMPLE" in os.environ:
        pytest.skip("the lives were not selected, or not all")
    assert set(NAMES) | {f"end {reason}" for reason in (1, 2, 3, 4, 7)} <= REACHED


def _step(source: random.Random, life: Life, key_changes: int) -> int:
    """One random action; returns whether the session key changed."""
    world, record, lease = life.world, life.record, life.lease
    found = world.of(lease)
    now = (world.now - found.started_at) // INTERVAL
    kind = source.randrange(12)
    if kind < 4:
        for interval in (now - 1, now):
            start = found.started_at + max(0, interval) * INTERVAL
            with suppress(ChainRefused):
                record.prove(max(0, interval), source.randrange(1, min(INTERVAL, max(2, world.now - start)) + 1))
    elif kind < 6:
        first = source.randrange(max(1, now - 7), now + 1) if now else 0
        world.do(disputes.dispute_lease(lease, first, first + source.randrange(1, 5), lease.cluster.renter))
    elif kind < 8 and found.held_secs and record.reached():
        at = source.randrange(record.reached())
        world.do(record.defence(at, opened=source.random() < 0.8))
    elif kind == 8:
        world.do(disputes.approve_lease(world, lease, max(0, now - source.randrange(3)), by=lease.cluster.renter))
    elif kind == 9:
        world.do(calls.settle_lease(lease))
    elif kind == 10 and not found.held_secs:
        record.key = who(f"session {key_changes + 1}")
        world.do(calls.set_session_key(lease.cluster, record.key.pubkey(), world.now + 10**7))
        return 1
    elif kind == 11:
        world.do(calls.extend_lease(lease, H100, source.randrange(1, HOUR)))
    return 0


def test_who_is_renter_and_supplier_at_once_gains_nothing_by_disputing_himself(world: World) -> None:
    """The bond goes from one pocket to the other; both fees are burned all the same, and what is not defended."""
    alone = world.supplier("alone")
    world.give_iosd(alone, 1_000 * IO_UNIT)
    before = [world.tokens(ata(alone, mint)) for mint in (IO, USD)]
    node = NodeRef(alone, who("device alone"))
    world.do(calls.register_node(node, H100, 8), calls.stake(node, required_stake(H100, 8)))
    cluster = ClusterRef(alone, 0, who("session"))
    world.do(calls.open_cluster(cluster, 100 * USD_UNIT, world.now + 10 * 86_400))
    record = Record(world, world.active(node, cluster))
    record.serve(12)
    world.warp(GRACE)
    world.do(disputes.dispute_lease(record.lease, 8, 12))
    record.defend(11, 9)
    world.warp(DEFENCE)
    world.do(calls.settle_lease(record.lease))
    world.warp(INTERVAL)
    world.do(calls.settle_lease(record.lease), calls.close_lease(record.lease), calls.close_cluster(cluster))
    world.do(calls.retire_node(node))
    world.warp(14 * 86_400)
    world.do(calls.withdraw(node))
    after = [world.tokens(ata(alone, mint)) for mint in (IO, USD)]
    gross = 16_000_000 * 10 // 6
    assert (before[0] - after[0], before[1] - after[1]) == (0, 2 * -(-gross * 25 // 10_000) + 16_000_000 * 2 // 6)
