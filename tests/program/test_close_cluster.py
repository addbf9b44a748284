from __future__ import annotations

import msgspec
import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Network, Renter
from ionet.generated.events import ClusterClosed
from program import calls
from program.calls import ID, IO, NETWORK, USD, ata
from program.chain import refused
from program.refs import ClusterRef
from program.world import USD_UNIT, World

IDLE = 7 * 86_400
FEES = pdas.fee_vault(ID, USD)
BURN = pdas.burn_vault(ID, USD)


def lived(world: World) -> ClusterRef:
    """A cluster whose only lease was served, paid and closed."""
    lease = world.active(world.staked_node(), world.cluster(deposit=100 * USD_UNIT))
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    return lease.cluster


def test_all_fields_ok(world: World) -> None:
    cluster = lived(world)
    world.do(calls.withdraw_budget(cluster, 5))
    before = world.tokens(ata(cluster.renter, USD))
    rent = world.lamports(cluster.key) + world.lamports(cluster.escrow)
    lamports = world.lamports(cluster.renter.pubkey())
    landed = world.do(calls.close_cluster(cluster))
    rest = 100 * USD_UNIT - 32_080_000 - 5
    assert landed.events == (
        ClusterClosed(
            cluster=cluster.key,
            seq=7,
            at=world.now,
            renter=cluster.renter.pubkey(),
            id=0,
            deposit=100 * USD_UNIT,
            paid=31_920_000,
            fees=160_000,
            burned=0,
            fees_to_burn=160_000,
            refunded=rest + 5,
            refund=rest,
            surplus=0,
            owed=False,
            fees_owed=0,
        ),
    )
    assert world.tokens(ata(cluster.renter, USD)) - before == rest
    assert (world.tokens(BURN), world.tokens(FEES)) == (160_000, 0)
    assert not world.exists(cluster.key)
    assert not world.exists(cluster.escrow)
    assert world.lamports(cluster.renter.pubkey()) - lamports == rent
    counter = world.get(Renter, pdas.renter_account(ID, cluster.renter.pubkey()))
    assert (counter.open_clusters, counter.next_cluster_id) == (0, 1)


def test_tokens_that_somebody_sent_go_to_the_fee_vault(world: World) -> None:
    cluster = world.cluster(deposit=10)
    world.move(cluster.renter, cluster.escrow, USD, 7)
    closed = world.do(calls.close_cluster(cluster)).event(ClusterClosed)
    assert (closed.refund, closed.surplus) == (10, 7)
    assert (world.tokens(FEES), world.tokens(BURN)) == (7, 0)


def test_the_part_of_fees_that_is_burned_is_a_parameter(world: World) -> None:
    cluster = lived(world)
    network = world.get(Network, NETWORK)
    params = msgspec.structs.replace(network.params, burn_share_bps=3_333)
    world.forge(Network, NETWORK, params=params)
    closed = world.do(calls.close_cluster(cluster)).event(ClusterClosed)
    assert closed.fees_to_burn == 160_000 * 3_333 // 10_000
    assert (world.tokens(BURN), world.tokens(FEES)) == (closed.fees_to_burn, 160_000 - closed.fees_to_burn)


@pytest.mark.parametrize(("late", "allowed"), [(-1, False), (0, True), (1, True)])
def test_anyone_closes_it_once_it_was_idle_for_a_week(world: World, late: int, allowed: bool) -> None:
    cluster = lived(world)
    world.warp(IDLE + late)
    call = calls.close_cluster(cluster, signed=False)
    if not allowed:
        with refused("ClusterNotIdle"):
            world.do(call)
        return
    before = world.tokens(ata(cluster.renter, USD))
    world.do(call)
    assert world.tokens(ata(cluster.renter, USD)) - before == 100 * USD_UNIT - 32_080_000


def test_an_open_lease_fails(world: World) -> None:
    cluster = world.cluster()
    lease = world.booked(world.staked_node(), cluster)
    with refused("LeasesOpen"):
        world.do(calls.close_cluster(cluster))
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))
    with refused("LeasesOpen"):
        world.do(calls.close_cluster(cluster))
    world.do(calls.close_lease(lease), calls.close_cluster(cluster))


def test_to_anything_but_the_payers_account_fails(world: World) -> None:
    cluster = world.cluster()
    call = calls.close_cluster(cluster)
    second = world.token_account("second", cluster.renter.pubkey(), USD)
    for wrong in (ata(world.supplier("other"), USD), ata(cluster.renter, IO), second):
        with refused("NotAssociatedAccount"):
            world.do(call.swapped(refund_to=wrong))


def test_used_again_in_the_same_transaction_fails(world: World) -> None:
    cluster = world.cluster()
    for after in (calls.close_cluster(cluster), calls.set_session_key(cluster, calls.NOBODY, 0)):
        with refused("AccountDataTooSmall"):
            world.do(calls.close_cluster(cluster), after)
