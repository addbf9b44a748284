"""Whole lives with disputes in every phase: whatever is decided, nothing is made, lost or left behind."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from ionet.errors import ChainRefused
from ionet.generated import pdas
from ionet.generated.enums import LeaseStatus
from ionet.generated.errors import NothingMissed
from program import calls, disputes
from program.calls import ID, IO, USD, ClusterRef, NodeRef, ata
from program.chain import who
from program.disputes import DEFENCE, GRACE, INTERVAL, Record
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World, required_stake

DEPOSIT = 1_000 * USD_UNIT
# What the lives came to: lives that reach little prove little.
REACHED: set[str] = set()
ENDS = ("expired", "renter", "fault", "quit", "left")


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
            world.warp(HOUR + 3 * INTERVAL)
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
        decided = lease.matured_secs + lease.missed_secs + lease.held_secs + lease.undefended_secs
        assert decided <= lease.duration
        assert (lease.held_secs > 0) == (lease.dispute_to > lease.dispute_from) == (cluster.disputes_open > 0)
        names = ("matured_secs", "missed_secs", "held_secs", "undefended_secs", "bond_due", "approved_through")
        REACHED.update(name for name in names if getattr(lease, name))
        REACHED.add(f"end {lease.end_reason}")

    def finish(self) -> tuple[int, int, int]:
        """Strangers push everything to its end; returns what was paid, and the seconds served and refunded."""
        world, lease = self.world, self.lease
        world.final(lease)
        world.do(calls.settle_lease(lease))
        if world.of(lease).held_secs:
            world.warp(DEFENCE)
            world.do(calls.settle_lease(lease))
        self.check()
        found = world.of(lease)
        secs = found.matured_secs + found.missed_secs + found.undefended_secs
        assert secs == found.ends_at - found.started_at
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
        return found.paid, found.matured_secs, found.undefended_secs


# When an hour of silence makes it the supplier's fault, what they served before has matured.
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
    life.end(how)
    if when == "after":
        world.do(dispute)
    life.check()
    for at in (1, 0)[:defended]:
        life.record.defend(at)
        life.check()
    paid, served, refunded = life.finish()
    assert (served, refunded) == ((4 + defended) * INTERVAL, (2 - defended) * INTERVAL)
    assert paid == 16_000_000 * served // HOUR


@pytest.mark.parametrize("defended", [False, True])
def test_every_interval_disputed_one_after_the_other(world: World, defended: bool) -> None:
    """As soon as it is closed; an undefended one keeps the lease's dispute for a day, so the rest is paid."""
    life = Life(world)
    for interval in range(12):
        life.record.serve(1, first=interval)
        if interval > 0 and (defended or interval == 1):
            world.do(disputes.dispute_lease(life.lease, interval - 1, interval))
            if defended:
                life.record.defend(interval - 1)
        life.check()
    paid, served, refunded = life.finish()
    assert refunded == (0 if defended else INTERVAL)
    assert paid == 16_000_000 * served // HOUR


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
    with suppress(ChainRefused):
        life.end(source.choice(ENDS))
    life.check()
    paid, served, _ = life.finish()
    assert paid >= 16_000_000 * served // HOUR


def test_the_lives_reached_everything() -> None:
    if not REACHED:
        pytest.skip("the lives were not selected")
    secs = {"matured_secs", "missed_secs", "held_secs", "undefended_secs", "bond_due", "approved_through"}
    assert secs | {f"end {reason}" for reason in (1, 2, 3, 4, 7)} <= REACHED


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
    """The bond goes from one pocket to the other; both fees are burned all the same."""
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
    world.do(calls.settle_lease(record.lease), calls.close_lease(record.lease), calls.close_cluster(cluster))
    world.do(calls.retire_node(node))
    world.warp(14 * 86_400)
    world.do(calls.withdraw(node))
    after = [world.tokens(ata(alone, mint)) for mint in (IO, USD)]
    gross = 16_000_000 * 10 // 6
    assert (before[0] - after[0], before[1] - after[1]) == (0, 2 * -(-gross * 25 // 10_000))
