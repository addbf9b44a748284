"""Whole lives of leases: whatever happens, strangers can push everything to its end and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from ionet.generated import pdas
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.errors import NothingMissed
from ionet.generated.events import LeaseCancelled, LeaseEnded, NodeSlashed
from program import calls
from program.calls import ID, IO, USD, LeaseRef, ata
from program.chain import refused, who
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World, required_stake

INTERVAL, DAY = 600, 86_400
STAKE = required_stake(H100, 8)
DEPOSIT = 20_000 * USD_UNIT
HOURLY = 16_000_000


class Life:
    """A lease with everybody's wealth before it, and what must be true when all of it is over."""

    def __init__(self, world: World, duration: int = 2 * HOUR) -> None:
        self.world = world
        world.supplier("supplier a")
        world.renter("renter a")
        self.owner, self.renter, self.reporter = who("supplier a"), who("renter a"), world.stranger
        world.open_ata(self.reporter, IO)
        self.before = self.wealth()
        self.lamports = self.rent()
        node = world.staked_node("a")
        self.lease = LeaseRef(node, world.cluster("a", DEPOSIT), 0)
        world.booked(node, self.lease.cluster, duration)

    def wealth(self) -> dict[str, tuple[int, int]]:
        """IO and IOSD of everybody, base units."""
        names = {"owner": self.owner, "renter": self.renter, "reporter": self.reporter}
        tokens = self.world.tokens
        return {name: (tokens(ata(wallet, IO)), tokens(ata(wallet, USD))) for name, wallet in names.items()}

    def rent(self) -> list[int]:
        return [self.world.lamports(wallet.pubkey()) for wallet in (self.owner, self.renter)]

    def start(self) -> None:
        self.world.do(calls.mark_ready(self.lease))
        self.world.do(calls.accept_ready(self.lease))

    def report(self) -> NodeSlashed:
        return self.world.do(calls.report_missed(self.lease, self.reporter)).event(NodeSlashed)

    def finish(self) -> dict[str, tuple[int, int]]:
        """Strangers close everything and the owner's stake comes back; returns what everybody gained, IO and IOSD."""
        world, lease = self.world, self.lease
        if world.exists(lease.key):
            if world.of(lease).status in (LeaseStatus.ACTIVE, LeaseStatus.ENDED):
                world.final(lease)
                world.do(calls.settle_lease(lease))
            world.do(calls.close_lease(lease))
        world.warp(7 * DAY)
        world.do(calls.close_cluster(lease.cluster, signed=False))
        world.do(calls.retire_node(lease.node))
        world.warp(14 * DAY)
        world.do(calls.withdraw(lease.node))
        burned = [world.tokens(pdas.burn_vault(ID, mint)) for mint in (IO, USD)]
        self.nothing_is_left()
        after = self.wealth()
        gained = {name: (after[name][0] - io, after[name][1] - usd) for name, (io, usd) in self.before.items()}
        gained["burned"] = (burned[0], burned[1])
        assert [sum(part) for part in zip(*gained.values(), strict=True)] == [0, 0]
        return gained

    def nothing_is_left(self) -> None:
        world, lease = self.world, self.lease
        gone = (lease.key, lease.cluster.key, lease.cluster.escrow, lease.node.position)
        assert not any(world.exists(key) for key in gone)
        assert world.tokens(lease.node.vault) == 0
        kept = [[lease.node.key, lease.node.vault], [pdas.renter_account(ID, self.renter.pubkey())]]
        spent = [before - after for before, after in zip(self.lamports, self.rent(), strict=True)]
        assert spent == [sum(world.lamports(key) for key in keys) for keys in kept]


def fees(gross: int) -> int:
    return -(-gross * 25 // 10_000)


def outcome(gross: int, hold: int = 0) -> dict[str, tuple[int, int]]:
    """IOSD side of a life: gross pay, both fees burned; IO untouched."""
    fee = fees(gross)
    return {
        "owner": (0, gross - fee),
        "renter": (0, -gross - fee - hold),
        "reporter": (0, 0),
        "burned": (0, 2 * fee + hold),
    }


def test_normal_end(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 12)
    assert life.finish() == outcome(2 * HOURLY)


@pytest.mark.parametrize(("served", "paid_secs"), [(1, HOUR), (6, HOUR), (9, 9 * INTERVAL)])
def test_early_end_by_the_renter(world: World, served: int, paid_secs: int) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, served)
    world.do(calls.end_lease(life.lease))
    assert life.finish() == outcome(HOURLY * paid_secs // HOUR)


def test_early_end_by_the_renter_after_a_miss(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 1)
    world.warp(INTERVAL)
    world.serve(life.lease, 1, first=2)
    world.do(calls.end_lease(life.lease))
    assert life.finish() == outcome(HOURLY * 2 * INTERVAL // HOUR)


def test_extended_and_served(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 6)
    world.do(calls.extend_lease(life.lease, H100, HOUR))
    world.serve(life.lease, 12, first=6)
    assert life.finish() == outcome(3 * HOURLY)


def slashed(gross: int, bps: int, missed_secs: int) -> dict[str, tuple[int, int]]:
    """The IOSD side and one slash, divided: a quarter of the missed price in IO at $3, five percent, the rest."""
    taken = STAKE * bps // 10_000
    to_renter = HOURLY * missed_secs // HOUR * 2_500 // 10_000 * IO_UNIT // 3_000_000
    to_reporter = min(taken * 500 // 10_000, 500 * IO_UNIT)
    usd = outcome(gross)
    return {
        "owner": (-taken, usd["owner"][1]),
        "renter": (to_renter, usd["renter"][1]),
        "reporter": (to_reporter, 0),
        "burned": (taken - to_renter - to_reporter, usd["burned"][1]),
    }


def test_ended_by_a_stranger_as_the_suppliers_fault(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 2)
    world.warp(8 * INTERVAL)
    ended = world.do(calls.end_lease(life.lease, world.stranger)).event(LeaseEnded)
    assert ended.reason == EndReason.SUPPLIER_FAULT
    world.final(life.lease)
    life.report()
    assert life.finish() == slashed(HOURLY * 2 * INTERVAL // HOUR, 400, 8 * INTERVAL)


def test_quit(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 3)
    world.do(calls.quit_lease(life.lease))
    taken = STAKE * 200 // 10_000
    gained = life.finish()
    usd = outcome(HOURLY // 2)
    assert gained == {**usd, "owner": (-taken, usd["owner"][1]), "burned": (taken, usd["burned"][1])}


@pytest.mark.parametrize("ready", [False, True])
def test_never_started(world: World, ready: bool) -> None:
    life = Life(world)
    if ready:
        world.do(calls.mark_ready(life.lease))
    world.warp(1_200)
    world.do(calls.cancel_lease(life.lease))
    hold = fees(2 * HOURLY) + HOURLY * 600 // HOUR if ready else 0
    assert life.finish() == outcome(0, hold)


def test_never_ready_for_the_third_time(world: World) -> None:
    life = Life(world)
    taken = 0
    for number in range(3):
        lease = LeaseRef(life.lease.node, life.lease.cluster, number)
        if number:
            world.do(calls.pause_node(lease.node, False))
            world.booked(lease.node, lease.cluster)
        world.warp(1_200)
        landed = world.do(calls.cancel_lease(lease))
        assert landed.event(LeaseCancelled).reason == EndReason.NOT_READY
        taken += sum(event.amount for event in landed.events if isinstance(event, NodeSlashed))
        world.do(calls.close_lease(lease))
    assert taken == STAKE * 50 // 10_000
    assert life.finish()["owner"] == (-taken, 0)


@pytest.mark.parametrize(
    ("silence", "bps"), [(3 * INTERVAL, 200), (HOUR, 400), (48 * HOUR, 3_000), (120 * HOUR, 5_000)]
)
def test_missed_time_of_every_tier(world: World, silence: int, bps: int) -> None:
    life = Life(world, duration=10 * DAY)
    life.start()
    world.serve(life.lease, 6)
    world.warp(silence)
    assert life.report().bps == bps
    # They come back for a last interval, so that the outage is over, and the renter ends it.
    back = (world.now - world.of(life.lease).started_at) // INTERVAL - 1
    world.do(calls.append_proof(life.lease, back, INTERVAL))
    missed = (back - 6) * INTERVAL
    world.do(calls.end_lease(life.lease))
    gained = life.finish()
    assert gained == slashed(HOURLY * 7 * INTERVAL // HOUR, bps, missed)


def test_the_same_time_is_never_slashed_twice_however_often_it_is_reported(world: World) -> None:
    life = Life(world, 10 * DAY)
    life.start()
    charged = []
    for _ in range(7 * 48):
        world.warp(HOUR // 2)
        with suppress(NothingMissed):
            charged.append(life.report().bps)
    assert charged == [200, 200, 2_600, 2_000]
    assert world.of_node(life.lease.node).slashed == STAKE // 2


def test_a_gap_is_charged_before_the_lease_can_close(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 2)
    world.warp(3 * INTERVAL)
    world.serve(life.lease, 7, first=5)
    world.final(life.lease)
    world.do(calls.settle_lease(life.lease))
    with refused("MissedNotCharged"):
        world.do(calls.close_lease(life.lease))
    life.report()
    assert life.finish() == slashed(HOURLY * 9 * INTERVAL // HOUR, 200, 3 * INTERVAL)


def _restart(world: World) -> None:
    world.warp(48 * HOUR, slots=10)
    world.svm.set_last_restart_slot(world.slot)


def _jump(world: World) -> None:
    world.warp(48 * HOUR, slots=10)


@pytest.mark.parametrize("halt", [_restart, _jump], ids=["restart", "clock jump"])
def test_a_chain_that_halts_costs_the_supplier_no_stake_and_the_renter_no_money(
    world: World, halt: Callable[[World], None]
) -> None:
    life = Life(world, duration=4 * DAY)
    life.start()
    world.serve(life.lease, 6)
    halt(world)
    back = (world.now - world.of(life.lease).started_at) // INTERVAL - 1
    world.do(calls.append_proof(life.lease, back, INTERVAL))
    with refused("NothingMissed"):
        life.report()
    world.do(calls.end_lease(life.lease))
    assert life.finish() == outcome(HOURLY * 7 * INTERVAL // HOUR)


def test_a_thousand_settlements_pay_what_one_pays(world: World) -> None:
    """At a price and with seconds that never divide evenly, settled after every second step."""
    leases = []
    for name in "ab":
        node = world.staked_node(name, price=1_000_003, processors=7)
        leases.append(world.active(node, world.cluster(name), 50 * HOUR))
    often, once = leases
    settlements = 0
    for interval in range(300):
        world.warp(INTERVAL)
        for lease in leases:
            world.do(calls.append_proof(lease, interval, 1 + interval * 97 % INTERVAL))
        for _ in range(4):
            world.do(calls.settle_lease(often))
            settlements += 1
    for lease in leases:
        world.final(often)
        world.do(calls.settle_lease(lease))
    first, second = world.of(often), world.of(once)
    assert settlements > 1_000
    assert (first.paid, first.supplier_fee, first.renter_fee) == (second.paid, second.supplier_fee, second.renter_fee)
    served = sum(1 + interval * 97 % INTERVAL for interval in range(300))
    assert first.paid == 1_000_003 * 7 * served // HOUR
    assert world.tokens(ata(often.node.owner, USD)) == world.tokens(ata(once.node.owner, USD))


@pytest.mark.parametrize("how", ["served", "missed", "quit", "fault", "not ready", "not accepted", "ended at once"])
def test_who_is_supplier_renter_and_reporter_at_once_only_loses(world: World, how: str) -> None:
    """One person behind every key: nothing that they do to themselves makes their IO or IOSD more."""
    alone, friend = world.supplier("alone"), who("friend")
    world.give_iosd(alone, 5_000 * IO_UNIT)
    world.open_ata(friend, IO)
    accounts = [ata(alone, IO), ata(alone, USD), ata(friend, IO)]
    before = [world.tokens(account) for account in accounts]
    node = calls.NodeRef(alone, who("device alone"))
    world.do(calls.register_node(node, H100, 8), calls.stake(node, STAKE))
    cluster = calls.ClusterRef(alone, 0, who("session"))
    world.do(calls.open_cluster(cluster, 1_000 * USD_UNIT, world.now + DAY))
    lease = world.booked(node, cluster)
    _live(world, lease, how)
    if world.of(lease).status != LeaseStatus.CANCELLED:
        world.final(lease)
        world.do(calls.settle_lease(lease))
        with suppress(NothingMissed):
            world.do(calls.report_missed(lease, friend))
    world.do(calls.close_lease(lease), calls.close_cluster(cluster), calls.retire_node(node))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    lost = [amount - world.tokens(account) for amount, account in zip(before, accounts, strict=True)]
    assert lost[0] + lost[2] == world.tokens(pdas.burn_vault(ID, IO)) >= 0
    assert lost[1] == world.tokens(pdas.burn_vault(ID, USD)) >= 0
    assert sum(lost) > 0 or how == "not ready"


def _live(world: World, lease: LeaseRef, how: str) -> None:
    if how not in ("not ready", "not accepted"):
        world.do(calls.mark_ready(lease))
        world.do(calls.accept_ready(lease))
    if how == "served":
        world.serve(lease, 12)
    elif how == "missed":
        world.warp(2 * HOUR)
    elif how == "quit":
        world.warp(HOUR)
        world.do(calls.quit_lease(lease))
    elif how == "fault":
        world.warp(HOUR + 3 * INTERVAL)
        world.do(calls.end_lease(lease))
    elif how == "ended at once":
        world.do(calls.end_lease(lease))
    else:
        if how == "not accepted":
            world.do(calls.mark_ready(lease))
        world.warp(1_200)
        world.do(calls.cancel_lease(lease))
