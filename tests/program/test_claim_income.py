"""Income that an owner shares: who gets what of each settlement, in which currency."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.events import IncomeClaimed, IncomeShared, LeaseSettled
from program import calls, staking
from program.calls import ID, IO, USD, ata
from program.chain import refused, who
from program.currencies import active_in, cluster_in, mint_of, paid_in
from program.preludes import frozen
from program.refs import LeaseRef, NodeRef
from program.staking import co_stake, held_by, with_income
from program.world import HOUR, IO_UNIT, World, required_stake

OWN = 16_000 * IO_UNIT
NET = 16_000_000 - 40_000


def shared_node(world: World, income_bps: int = 5_000) -> NodeRef:
    """An owner who shares income, and a co-staker with as much stake."""
    node = world.staked_node(currencies=calls.EVERY_CURRENCY)
    for mint in (USD, world.usdc, IO):
        world.do(staking.open_income_vault(node, world.stranger, mint))
    world.do(staking.set_co_stake_terms(node, 0, income_bps))
    co_stake(world, node, "co", OWN)
    return node


def lived(world: World, node: NodeRef, intervals: int = 6) -> LeaseRef:
    """An hour's lease that is over and not settled."""
    lease = world.active(node, world.cluster(), HOUR)
    world.serve(lease, intervals)
    world.final(lease)
    return lease


def test_a_settlement_hands_its_share_to_the_pool_all_fields(world: World) -> None:
    """Half of the net is divided over all shares; the owner's part of it stays with the payout."""
    node = shared_node(world)
    lease = lived(world, node)
    before = world.of_node(node)
    landed = world.do(with_income(calls.settle_lease(lease)))
    amount, to_co = NET // 2, NET // 2 // 2
    shared = landed.event(IncomeShared)
    assert shared == IncomeShared(
        node=node.key,
        seq=before.seq + 2,
        at=world.now,
        lease=lease.key,
        mint=USD,
        amount=amount,
        to_co_stakers=to_co,
        owed=False,
        co_income_after=to_co,
        income_per_share=to_co * 2**64 // (1_000 * OWN),
    )
    settled = landed.event(LeaseSettled)
    assert (settled.supplier_amount, settled.to_stakers) == (NET, to_co)
    assert world.tokens(ata(node.owner, USD)) == NET - to_co
    assert world.tokens(pdas.income_vault(ID, node.key, USD)) == to_co
    held = held_by(node, who("co"))
    world.open_ata(held.owner, USD)
    claimed = world.do(staking.claim_income(held, USD)).event(IncomeClaimed)
    assert claimed == IncomeClaimed(
        node=node.key,
        seq=before.seq + 3,
        at=world.now,
        position=held.position,
        staker=held.owner.pubkey(),
        mint=USD,
        amount=to_co - 1,  # shares of the accumulator are rounded down
        owed=False,
        co_income_after=1,
    )
    assert world.tokens(ata(held.owner, USD)) == to_co - 1


@pytest.mark.parametrize("currency", ["iosd", "usdc", "io"])
def test_in_the_currency_of_the_lease(world: World, currency: str) -> None:
    mint = mint_of(world, currency)
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = shared_node(world)
    lease = active_in(world, mint, node, cluster_in(world, mint, "c", 1_000 * IO_UNIT), HOUR)
    world.serve(lease, 6)
    world.final(lease)
    world.open_ata(node.owner, mint)
    call = paid_in(mint, calls.settle_lease(lease), node.owner)
    call = staking.filled(call, income_vault=pdas.income_vault(ID, node.key, mint))
    settled = world.do(call).event(LeaseSettled)
    assert settled.to_stakers == settled.supplier_amount // 2 // 2
    assert world.tokens(pdas.income_vault(ID, node.key, mint)) == settled.to_stakers


def test_a_thousand_settlements_share_as_one(world: World) -> None:
    """Each hands the share of all that was paid so far, rounded down once, less what was handed before."""
    node = shared_node(world, income_bps=3_333)
    lease = world.active(node, world.cluster(), 2 * HOUR)
    amounts = 0
    for interval in range(12):
        world.serve(lease, 1, first=interval)
        landed = world.do(with_income(calls.settle_lease(lease)))
        amounts += sum(event.amount for event in landed.events if isinstance(event, IncomeShared))
    world.final(lease)
    amounts += world.do(with_income(calls.settle_lease(lease))).event(IncomeShared).amount
    found = world.of(lease)
    assert amounts == found.shared == (found.paid - found.supplier_fee) * 3_333 // 10_000


def test_without_co_stakers_all_of_it_stays_with_the_payout(world: World) -> None:
    node = world.staked_node()
    world.do(staking.open_income_vault(node, world.stranger, USD), staking.set_co_stake_terms(node, 0, 5_000))
    settled = world.do(with_income(calls.settle_lease(lived(world, node)))).event(LeaseSettled)
    assert (settled.to_stakers, world.tokens(ata(node.owner, USD))) == (0, NET)


def test_a_newcomer_shares_nothing_that_others_stood_behind(world: World) -> None:
    """A stranger's stake is refused while an ended lease with a share is not settled in full (H19)."""
    node = shared_node(world)
    lease = world.active(node, world.cluster(), HOUR)
    late = world.supplier("late")
    world.do(calls.stake(node, IO_UNIT * 10))
    world.serve(lease, 6)
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))  # without the lease that occupies the node
    world.do(calls.stake(node, IO_UNIT, late, lease))  # nothing has matured yet
    world.warp(600 + 3_000)
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late, lease))
    world.do(with_income(calls.settle_lease(lease)))
    assert world.of_node(node).unsettled == 1
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))
    world.do(calls.stake(node, IO_UNIT))  # the owner's own is never refused
    world.final(lease)
    world.do(with_income(calls.settle_lease(lease)))
    assert world.of_node(node).unsettled == 0
    world.do(calls.stake(node, IO_UNIT, late))


def test_a_lease_that_is_closed_is_counted_no_more(world: World) -> None:
    """Where nothing was owed, nothing had to be settled."""
    node = shared_node(world)
    lease = world.active(node, world.cluster(), HOUR)
    world.do(calls.quit_lease(lease))
    assert world.of_node(node).unsettled == 1
    world.final(lease)
    world.do(calls.close_lease(lease))
    assert world.of_node(node).unsettled == 0


def test_another_vault_or_none_fails(world: World) -> None:
    lease = lived(world, shared_node(world))
    with refused("IncomeVaultRequired"):
        world.do(calls.settle_lease(lease))
    wrong = staking.filled(calls.settle_lease(lease), income_vault=pdas.fee_vault(ID, USD))
    with refused("WrongIncomeVault"):
        world.do(wrong)


def test_what_a_frozen_vault_cannot_receive_is_owed_and_collected(world: World) -> None:
    """The issuer of a currency can freeze any account: the end of the lease does not wait for it."""
    node = shared_node(world)
    lease, vault = lived(world, node), pdas.income_vault(ID, node.key, USD)
    thawed = world.raw(vault)
    frozen(world, vault)
    call = with_income(calls.settle_lease(lease))
    with refused("RecipientCannotReceive"):
        world.do(call)
    world.do(staking.open_owed(world.stranger, node.key, USD))
    owed = pdas.owed(ID, USD, node.key)
    shared = world.do(staking.filled(call, income_owed=owed)).event(IncomeShared)
    assert (shared.owed, world.tokens(owed), world.tokens(vault)) == (True, shared.to_co_stakers, 0)
    world.svm.set_account(vault, thawed)
    world.do(staking.collect_owed(world.stranger, USD, node))
    assert world.tokens(vault) == shared.to_co_stakers
    world.open_ata(who("co"), USD)
    world.do(staking.claim_income(held_by(node, who("co")), USD))


def test_nothing_to_claim_fails(world: World) -> None:
    node = shared_node(world)
    for held in (held_by(node, who("co")), node):
        with refused("NothingToClaim"):
            world.do(staking.claim_income(held, USD))
    assert world.of_node(node).bonded.amount == required_stake(3, 8) + OWN
