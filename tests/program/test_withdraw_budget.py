from __future__ import annotations

import pytest
from ionet.generated.events import BudgetWithdrawn
from program import calls
from program.calls import IO, USD, ata
from program.chain import refused
from program.world import USD_UNIT, World

# Two hours of eight processors at $2 and the renter's fee on it.
LOCKED = 32_000_000 + 80_000


def test_part_and_rest(world: World) -> None:
    cluster = world.cluster(deposit=10 * USD_UNIT)
    before = world.tokens(ata(cluster.renter, USD))
    first = world.do(calls.withdraw_budget(cluster, 3))
    assert first.events == (BudgetWithdrawn(cluster=cluster.key, seq=2, at=world.now, amount=3, refunded_after=3),)
    rest = 10 * USD_UNIT - 3
    second = world.do(calls.withdraw_budget(cluster, rest))
    assert second.event(BudgetWithdrawn).refunded_after == 10 * USD_UNIT
    assert world.tokens(ata(cluster.renter, USD)) - before == 10 * USD_UNIT
    assert world.tokens(cluster.escrow) == 0
    assert world.of_cluster(cluster).refunded == 10 * USD_UNIT


def test_what_a_lease_has_locked_stays(world: World) -> None:
    cluster = world.cluster(deposit=100 * USD_UNIT)
    world.booked(world.staked_node(), cluster)
    free = 100 * USD_UNIT - LOCKED
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(cluster, free + 1))
    world.do(calls.withdraw_budget(cluster, free))
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(cluster, 1))


def test_tokens_that_somebody_sent_are_not_budget(world: World) -> None:
    cluster = world.cluster(deposit=10)
    world.move(cluster.renter, cluster.escrow, USD, 5)
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(cluster, 11))


def test_zero_fails(world: World) -> None:
    with refused("ZeroAmount"):
        world.do(calls.withdraw_budget(world.cluster(), 0))


@pytest.mark.parametrize("amount", [20_000 * USD_UNIT + 1, 2**64 - 1])
def test_more_than_there_is_fails(world: World, amount: int) -> None:
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(world.cluster(), amount))


def test_by_another_than_the_renter_fails(world: World) -> None:
    cluster = world.cluster()
    for other in (cluster.session, world.stranger):
        with refused("NotRenter"):
            world.do(calls.withdraw_budget(cluster, 1).signed_by("renter", other))


def test_to_anything_but_the_payers_account_fails(world: World) -> None:
    cluster = world.cluster()
    call = calls.withdraw_budget(cluster, 1)
    other = world.supplier("other")
    second = world.token_account("second", cluster.renter.pubkey(), USD)
    for wrong in (ata(other, USD), ata(cluster.renter, IO), second):
        with refused("NotAssociatedAccount"):
            world.do(call.swapped(to=wrong))
