"""The chain halts for minutes or days and restarts: a lease's clock stood still, and for two hours nobody is held to
anything."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.enums import EndReason
from ionet.generated.events import (
    LeaseCancelled,
    LeaseEnded,
    NodeSlashed,
)
from program import calls, disputes
from program.calls import ID, IO, ata
from program.chain import refused
from program.disputes import INTERVAL
from program.halts import DAY, HALTS, HOURLY, OFFSETS, RECOVERY, finish, report, restart
from program.refs import LeaseRef
from program.world import H100, HOUR, World
from solders.pubkey import Pubkey

pytestmark = pytest.mark.matrix

# -- booked and ready


@HALTS
@pytest.mark.parametrize("offset", [0, 1, 299])
def test_a_node_may_be_ready_though_the_deadline_passed_meanwhile(world: World, halt: int, offset: int) -> None:
    lease = world.booked(world.staked_node(), world.cluster())
    world.warp(offset)
    restart(world, halt)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    world.warp(RECOVERY - 1)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    world.do(calls.mark_ready(lease))


@HALTS
def test_who_is_not_ready_two_hours_after_the_restart_is_absent(world: World, halt: int) -> None:
    lease = world.booked(world.staked_node(), world.cluster())
    world.warp(299)
    restart(world, halt)
    world.warp(RECOVERY)
    with refused("TooLate"):
        world.do(calls.mark_ready(lease))
    assert world.do(calls.cancel_lease(lease)).event(LeaseCancelled).reason == EndReason.NOT_READY


@HALTS
@pytest.mark.parametrize("offset", [0, 1, 1_199])
@pytest.mark.parametrize("answer", ["accepted", "rejected"])
def test_a_renter_may_answer_though_the_deadline_passed_meanwhile(
    world: World, halt: int, offset: int, answer: str
) -> None:
    lease = world.ready(world.staked_node(), world.cluster())
    world.warp(offset)
    restart(world, halt)
    world.warp(RECOVERY - 1)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    if answer == "accepted":
        world.do(calls.accept_ready(lease))
        return
    world.do(calls.reject_ready(lease))
    # The halt costs nothing; of the recovery no more than the deadline counts.
    assert world.of(lease).burned_secs == 1_200


@HALTS
def test_a_halt_before_a_rejection_costs_nothing(world: World, halt: int) -> None:
    lease = world.ready(world.staked_node(), world.cluster())
    world.warp(90)
    restart(world, halt)
    world.do(calls.reject_ready(lease))
    assert world.of(lease).burned_secs == 90


@HALTS
def test_whom_nobody_answered_by_then_is_paid_twenty_minutes(world: World, halt: int) -> None:
    lease = world.ready(world.staked_node(), world.cluster())
    world.warp(1_199)
    restart(world, halt)
    world.warp(RECOVERY)
    with refused("TooLate"):
        world.do(calls.accept_ready(lease))
    assert world.do(calls.cancel_lease(lease)).event(LeaseCancelled).unanswered_secs == 1_200


# -- active


@HALTS
@OFFSETS
def test_the_clock_of_a_running_lease_stood_still(world: World, halt: int, offset: int) -> None:
    """To the second: what ran before the halt, what can be proven of it, and the renter's hours."""
    lease = world.running()
    world.serve(lease, 3)
    world.warp(offset)
    before = world.of(lease)
    restart(world, halt)
    with refused("ServedTooLong"):
        world.do(calls.append_proof(lease, 3, offset + 1))
    if offset:
        world.do(calls.append_proof(lease, 3, offset))
    else:
        world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert found.started_at == before.started_at + halt
    assert found.ends_at == before.ends_at + halt
    assert (found.moved_secs, found.synced_at, found.synced_slot) == (halt, world.now, world.slot)
    # From the last proof to two hours after the restart.
    assert found.excused_from == before.started_at + 3 * INTERVAL + halt
    assert found.excused_to == world.now + RECOVERY
    kept = offset >= 300
    assert found.last_kept_at == (world.now if kept else before.last_kept_at + halt)


@HALTS
@OFFSETS
def test_who_goes_on_after_it_has_missed_nothing(world: World, halt: int, offset: int) -> None:
    lease = world.running()
    world.serve(lease, 3)
    world.warp(offset)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    world.serve(lease, 9, first=3)
    closed = finish(world, lease)
    assert (closed.served_secs, closed.missed_secs, closed.paid) == (2 * HOUR, 0, 2 * HOURLY)
    assert world.of_node(lease.node).slashed == 0


@HALTS
@OFFSETS
def test_what_is_not_proven_until_the_chain_has_recovered_is_nobodys_fault(
    world: World, halt: int, offset: int
) -> None:
    """Whether the lease is touched meanwhile or not: no tier, no miss, and the first hour is the supplier's."""
    lease = world.running(duration=8 * HOUR)
    world.serve(lease, 3)
    world.warp(offset)
    restart(world, halt)
    if offset % 2:
        world.do(calls.settle_lease(lease))
    world.warp(RECOVERY - 1)
    with refused("ChainRecovering"):
        report(world, lease)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    world.warp(1)
    with refused("NothingMissed"):
        report(world, lease)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    # The intervals that overlap those two hours are not served, and not missed either.
    next_interval = 3 + -(-(offset + RECOVERY) // INTERVAL)
    world.do(calls.settle_lease(lease))
    world.serve(lease, 48 - next_interval, first=next_interval)
    closed = finish(world, lease)
    assert (closed.served_secs, closed.missed_secs) == ((48 - next_interval + 3) * INTERVAL, 0)
    assert world.of_node(lease.node).slashed == 0


@HALTS
def test_who_ends_it_then_owes_the_rest_of_the_hour_to_the_supplier(world: World, halt: int) -> None:
    lease = world.running()
    world.serve(lease, 1)
    restart(world, halt)
    world.warp(INTERVAL)
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.rest_secs) == (EndReason.RENTER, HOUR - 2 * INTERVAL)
    closed = finish(world, lease)
    assert (closed.missed_secs, closed.paid) == (0, HOURLY * (INTERVAL + ended.rest_secs) // HOUR)


@HALTS
def test_an_outage_goes_on_where_the_two_hours_end(world: World, halt: int) -> None:
    """The tier waits, it is not forgiven for ever."""
    lease = world.running(duration=10 * DAY)
    world.serve(lease, 1)
    restart(world, halt)
    world.warp(RECOVERY + 2 * INTERVAL)
    with refused("NothingMissed"):
        report(world, lease)
    # Two intervals later than they end the first is closed, and another one later the second.
    world.warp(INTERVAL)
    assert report(world, lease).bps == 200
    world.warp(HOUR - 3 * INTERVAL - 1)
    with refused("NothingMissed"):
        report(world, lease)
    world.warp(1)
    assert report(world, lease).bps == 200


@HALTS
@pytest.mark.parametrize("touched", [False, True])
def test_silence_long_before_the_halt_is_not_forgiven(world: World, halt: int, touched: bool) -> None:
    """Fifty hours of it, then a restart: all but the last interval of grace is an outage as before."""
    lease = world.running(duration=20 * DAY)
    world.serve(lease, 1)
    world.warp(50 * HOUR)
    restart(world, halt)
    if touched:
        world.do(calls.settle_lease(lease))
    world.warp(RECOVERY - 1)
    with refused("ChainRecovering"):
        report(world, lease)
    world.warp(1)
    slashed = report(world, lease)
    assert slashed.bps == 3_000
    # From the last proof to the intervals that could still be proven when it halted.
    assert slashed.missed_secs == 50 * HOUR - INTERVAL


@HALTS
def test_two_halts_in_a_row(world: World, halt: int) -> None:
    lease = world.running()
    before = world.of(lease)
    world.serve(lease, 2)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    world.warp(HOUR)
    restart(world, halt // 2)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert found.started_at == before.started_at + halt + halt // 2
    assert found.excused_to == world.now + RECOVERY
    world.warp(RECOVERY)
    world.do(calls.settle_lease(lease))
    closed = finish(world, lease)
    # Of its two hours twenty minutes were served, and none was missed.
    assert (closed.served_secs, closed.missed_secs) == (1_200, 0)


def test_a_meter_that_starts_while_the_chain_recovers(world: World) -> None:
    lease = world.ready(world.staked_node(), world.cluster(), 8 * HOUR)
    restart(world, DAY)
    world.warp(HOUR)
    world.do(calls.accept_ready(lease))
    found = world.of(lease)
    assert (found.moved_secs, found.started_at) == (0, world.now)
    assert (found.excused_from, found.excused_to) == (world.now, world.now + HOUR)
    world.warp(HOUR + 3 * INTERVAL - 1)
    with refused("NothingMissed"):
        report(world, lease)
    world.warp(1)
    assert report(world, lease).bps == 200


def test_a_restart_before_the_last_proof_changes_nothing(world: World) -> None:
    lease = world.running()
    world.serve(lease, 1)
    before = world.of(lease)
    world.svm.set_last_restart_slot(before.synced_slot - 1)
    world.warp(100)
    world.do(calls.settle_lease(lease))
    assert world.of(lease) == before


@HALTS
def test_a_halt_is_measured_from_the_last_proof(world: World, halt: int) -> None:
    """Slots of 200 ms look like 250: a quarter of what ran since the last proof is not seen, and no more."""
    lease = world.running(duration=20 * DAY)
    for interval in range(100):
        world.warp(INTERVAL, slots=INTERVAL * 5)
        world.do(calls.append_proof(lease, interval, INTERVAL))
    world.warp(300, slots=300 * 5)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).moved_secs == max(0, halt - 75)


@HALTS
def test_an_extension_and_a_quit_after_it_count_from_the_moved_end(world: World, halt: int) -> None:
    lease = world.running()
    world.serve(lease, 11)
    ends_at = world.of(lease).ends_at
    restart(world, halt)
    world.do(calls.extend_lease(lease, H100, HOUR))
    assert world.of(lease).ends_at == ends_at + halt + HOUR
    slashed = world.do(calls.quit_lease(lease)).event(NodeSlashed)
    assert (slashed.bps, slashed.missed_secs) == (200, 0)
    assert world.of(lease).ends_at == ends_at + halt - INTERVAL


@HALTS
def test_a_supplier_may_leave_after_it_and_the_renter_end(world: World, halt: int) -> None:
    lease = world.running()
    world.serve(lease, 3)
    restart(world, halt)
    ended = world.do(disputes.leave_lease(lease, lease.node.device)).event(LeaseEnded)
    assert (ended.reason, ended.burned_secs) == (EndReason.UNCHALLENGED, 1_200)


@HALTS
@pytest.mark.parametrize("offset", [0, 1, 599])
@pytest.mark.parametrize("served", [0, 1, 12, 13, 40])
def test_every_end_of_a_lease_that_missed_nothing_works_after_it(
    world: World, halt: int, offset: int, served: int
) -> None:
    """At any time after the restart, while less is closed than was kept: leaving, quitting, ending, reporting."""
    lease = world.running(duration=DAY)
    world.serve(lease, 4)
    world.warp(offset)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    world.serve(lease, served, first=4)
    with refused("NothingMissed" if served * INTERVAL - offset >= RECOVERY else "ChainRecovering"):
        report(world, lease)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    deeds = {
        EndReason.UNCHALLENGED: disputes.leave_lease(lease, lease.node.device),
        EndReason.QUIT: calls.quit_lease(lease),
        EndReason.RENTER: calls.end_lease(lease),
    }
    before, account = world.of(lease), {key: world.raw(key) for key in accounts(lease)}
    for reason, call in deeds.items():
        landed = world.do(call)
        assert landed.event(LeaseEnded).reason == reason
        assert [event.bps for event in landed.events if isinstance(event, NodeSlashed)] == (
            [200] if reason == EndReason.QUIT else []
        )
        for key, kept in account.items():
            world.svm.set_account(key, kept)
        assert world.of(lease) == before


def accounts(lease: LeaseRef) -> list[Pubkey]:
    """Everything that an end of a lease writes."""
    burn = pdas.burn_vault(ID, IO)
    return [lease.key, lease.node.key, lease.cluster.key, lease.node.vault, burn, ata(lease.cluster.renter, IO)]
