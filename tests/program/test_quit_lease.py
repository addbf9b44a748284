from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.enums import EndReason, SlashReason
from ionet.generated.events import LeaseEnded, NodeSlashed
from program import calls
from program.calls import ID, IO, NOBODY, ata
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, World, required_stake

INTERVAL = 600
STAKE = required_stake(H100, 8)
BURN = pdas.burn_vault(ID, IO)


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running()


def test_all_fields_ok(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 3)
    world.warp(100)
    before = world.of(lease)
    landed = world.do(calls.quit_lease(lease))
    charge = STAKE * 200 // 10_000
    assert landed.events == (
        LeaseEnded(
            lease=lease.key,
            seq=7,
            at=world.now,
            node=lease.node.key,
            node_seq=4,
            cluster=lease.cluster.key,
            reason=EndReason.QUIT,
            ends_at_before=before.ends_at,
            ends_at=before.started_at + 3 * INTERVAL,
            rest_secs=0,
            burned_secs=0,
            pending_bps=0,
            by=lease.node.owner.pubkey(),
        ),
        NodeSlashed(
            node=lease.node.key,
            seq=5,
            at=world.now,
            lease=lease.key,
            reason=SlashReason.QUIT,
            bps=200,
            missed_secs=0,
            amount=charge,
            from_bonded=charge,
            from_unbonding=0,
            to_renter=0,
            to_reporter=0,
            burned=charge,
            reporter=NOBODY,
            bonded_after=STAKE - charge,
            unbonding_after=0,
        ),
    )
    assert world.tokens(BURN) == charge
    assert world.tokens(lease.node.vault) == STAKE - charge
    node, cluster = world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (node.current_lease, node.slashed, cluster.head_lease) == (NOBODY, charge, NOBODY)


def test_payment_ends_at_the_last_proof(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 3)
    world.warp(INTERVAL)
    world.do(calls.quit_lease(lease))
    with refused("LeaseOver"):
        world.do(calls.append_proof(lease, 3, INTERVAL))
    world.final(lease)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).paid == 8_000_000
    world.do(calls.close_lease(lease))
    assert world.of_node(lease.node).missed_secs == 0


def test_a_proof_of_the_running_interval_counts_until_now(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    world.warp(100)
    world.do(calls.append_proof(lease, 1, 100))
    world.warp(50)
    landed = world.do(calls.quit_lease(lease))
    assert landed.event(LeaseEnded).ends_at == world.now
    world.do(calls.append_proof(lease, 1, 150))
    world.final(lease)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).matured_secs == INTERVAL + 150


def test_before_any_proof(world: World, lease: LeaseRef) -> None:
    world.warp(100)
    landed = world.do(calls.quit_lease(lease))
    assert landed.event(LeaseEnded).ends_at == world.of(lease).started_at
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    world.do(calls.close_cluster(lease.cluster))


@pytest.mark.parametrize(("silent", "bps"), [(2, 200), (3, 200), (6, 400), (48 * 6, 3_000)])
def test_after_silence_the_tier_it_reached_if_that_is_more(world: World, silent: int, bps: int) -> None:
    lease = world.running("b", duration=10 * 24 * HOUR)
    world.open_ata(lease.cluster.renter, IO)
    world.serve(lease, 1)
    world.warp(silent * INTERVAL)
    slashed = world.do(calls.quit_lease(lease)).event(NodeSlashed)
    missed = (silent - 1) * INTERVAL
    # A quarter of the price of the missed time in IO at $3, which was its price when the lease was booked.
    to_renter = 16_000_000 * missed // 3_600 * 2_500 // 10_000 * 10**8 // 3_000_000
    assert (slashed.bps, slashed.amount, slashed.missed_secs) == (bps, STAKE * bps // 10_000, missed)
    assert (slashed.to_renter, slashed.burned) == (to_renter, slashed.amount - to_renter)
    assert world.tokens(ata(lease.cluster.renter, IO)) == to_renter


def test_what_was_charged_for_the_same_silence_is_not_charged_again(world: World, lease: LeaseRef) -> None:
    world.warp(7 * INTERVAL)
    world.do(calls.report_missed(lease, lease.node.owner, rewarded=False))
    slashed = world.do(calls.quit_lease(lease)).event(NodeSlashed)
    assert (slashed.bps, slashed.amount, slashed.missed_secs) == (0, 0, 0)


def test_it_always_costs_less_than_the_same_silence(world: World) -> None:
    silent, quits = world.running("a", 24 * HOUR), world.running("b", 24 * HOUR)
    world.serve(quits, 1)
    world.do(calls.quit_lease(quits))
    world.warp(24 * HOUR)
    slashed = world.do(calls.report_missed(silent, world.stranger, rewarded=False)).event(NodeSlashed)
    assert world.of_node(quits.node).slashed < slashed.amount


def test_a_renter_without_an_io_account_gets_nothing_and_all_is_burned(world: World) -> None:
    lease = world.running("b")
    world.close_ata(lease.cluster.renter, IO)
    world.warp(3 * INTERVAL)
    slashed = world.do(calls.quit_lease(lease)).event(NodeSlashed)
    assert (slashed.missed_secs, slashed.to_renter, slashed.burned) == (2 * INTERVAL, 0, slashed.amount)


@pytest.mark.parametrize("late", [0, 1])
def test_after_the_end_fails(world: World, lease: LeaseRef, late: int) -> None:
    world.warp(2 * HOUR + late)
    with refused("LeaseOver"):
        world.do(calls.quit_lease(lease))


def test_before_the_meter_runs_or_twice_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.quit_lease(lease))
    ready = world.ready(world.staked_node("b"), world.cluster("b"))
    for other in (lease, ready):
        with refused("WrongLeaseState"):
            world.do(calls.quit_lease(other))


def test_by_another_than_the_owner_fails(world: World, lease: LeaseRef) -> None:
    for other in (lease.node.device, lease.cluster.renter, world.stranger):
        with refused("NotNodeOwner"):
            world.do(calls.quit_lease(lease).signed_by("owner", other))
