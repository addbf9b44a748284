"""Income that an owner shares: who gets what of each settlement, in which currency."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.events import IncomeClaimed, IncomeShared, LeaseSettled
from program import calls, governance, staking
from program.calls import ID, IO, USD, ata
from program.chain import refused, who
from program.currencies import active_in, cluster_in, mint_of, paid_in
from program.disputes import GRACE, Record, dispute_lease
from program.preludes import frozen
from program.refs import LeaseRef, NodeRef
from program.staking import co_stake, held_by, with_income
from program.world import HOUR, IO_UNIT, World, required_stake

OWN = 16_000 * IO_UNIT
NET = 16_000_000 - 40_000
# Half of an hour's pay after fees. An IO is worth 3 USD, so 2 USD are 66,666,667 units; fees of 0.25 %, in USDC 2.25 %.
HALVES = {"iosd": NET // 2, "usdc": (16_000_000 - 360_000) // 2, "io": (8 * 66_666_667 - 1_333_334) // 2}


def shared_node(world: World, income_bps: int = 5_000, co: int = OWN) -> NodeRef:
    """An owner who shares income, and a co-staker with as much stake."""
    node = world.staked_node(currencies=calls.EVERY_CURRENCY)
    for mint in (USD, world.usdc, IO):
        world.do(staking.open_income_vault(node, world.stranger, mint))
    world.do(staking.set_co_stake_terms(node, 0, income_bps))
    co_stake(world, node, "co", co)
    return node


def lived(world: World, node: NodeRef, intervals: int = 6, name: str = "a") -> LeaseRef:
    """An hour's lease that is over and not settled."""
    lease = world.active(node, world.cluster(name), HOUR)
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
        seq=before.seq + 3,  # after the end and the settlement
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
        seq=before.seq + 4,
        at=world.now,
        position=held.position,
        staker=held.owner.pubkey(),
        mint=USD,
        amount=to_co - 1,  # shares of the accumulator are rounded down
        owed=False,
        co_income_after=1,
    )
    assert world.tokens(ata(held.owner, USD)) == to_co - 1


@pytest.mark.parametrize("currency", HALVES)
def test_in_the_currency_of_the_lease_and_in_no_other(world: World, currency: str) -> None:
    mint, half = mint_of(world, currency), HALVES[currency]
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = shared_node(world)
    lease = active_in(world, mint, node, cluster_in(world, mint, "c", 1_000 * IO_UNIT), HOUR)
    world.serve(lease, 6)
    world.final(lease)
    before = world.tokens(world.open_ata(node.owner, mint))
    call = paid_in(mint, calls.settle_lease(lease), node.owner)
    call = staking.filled(call, income_vault=pdas.income_vault(ID, node.key, mint))
    settled = world.do(call).event(LeaseSettled)
    assert settled.to_stakers == world.tokens(pdas.income_vault(ID, node.key, mint)) == half // 2
    assert world.tokens(ata(node.owner, mint)) - before == settled.supplier_amount - half // 2
    held = held_by(node, who("co"))
    before = world.tokens(world.open_ata(held.owner, mint))
    for other in {USD, world.usdc, IO} - {mint}:
        with refused("NothingToClaim"):
            world.do(staking.claim_income(held, other))
    world.do(staking.claim_income(held, mint))
    assert world.tokens(ata(held.owner, mint)) - before == half // 2 - 1


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


def test_who_comes_later_shares_later_leases_alone(world: World) -> None:
    """Of the first lease a third falls on the only co-staker, of the second a quarter on each of two."""
    node = shared_node(world, co=OWN // 2)
    world.do(with_income(calls.settle_lease(lived(world, node))))
    later = co_stake(world, node, "later", OWN // 2)
    world.do(with_income(calls.settle_lease(lived(world, node, name="b"))))
    expected = {"co": NET // 2 // 3 + NET // 2 // 4, "later": NET // 2 // 4}
    for name, amount in expected.items():
        claimed = world.do(staking.claim_income(held_by(later, who(name)), USD)).event(IncomeClaimed)
        assert claimed.amount == amount - 1
    assert world.of_node(node).co_income == (2, 0, 0)


def test_who_leaves_keeps_what_was_settled_and_shares_no_more(world: World) -> None:
    node = shared_node(world)
    held = held_by(node, who("co"))
    world.do(with_income(calls.settle_lease(lived(world, node))))
    world.do(calls.request_unbond(held, OWN))
    settled = world.do(with_income(calls.settle_lease(lived(world, node, name="b")))).event(LeaseSettled)
    assert settled.to_stakers == 0
    found = world.of_node(node)
    assert (found.co_income[0], found.co_income_settled[0]) == (NET // 2 // 2, NET // 2 // 2 - 1)
    world.warp(21 * staking.DAY)
    world.do(calls.withdraw(held))
    assert world.exists(held.position)  # there is income in it
    assert world.do(staking.claim_income(held, USD)).event(IncomeClaimed).amount == NET // 2 // 2 - 1
    assert world.of_node(node).co_income_settled == (0, 0, 0)


def test_a_bond_that_the_supplier_won_is_not_income(world: World) -> None:
    """It makes up for the defence; the shares get their part of the time defended, as of any other."""
    node = shared_node(world)
    record = Record(world, world.active(node, world.cluster(), HOUR))
    record.serve(6)
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, 0, 2))
    record.defend(1, 0)
    world.final(record.lease)
    settled = world.do(with_income(calls.settle_lease(record.lease))).event(LeaseSettled)
    # 1 % of twenty minutes' price, rounded up.
    assert (settled.bond_paid, settled.supplier_amount, settled.to_stakers) == (53_334, NET, NET // 2 // 2)
    assert world.tokens(ata(node.owner, USD)) == NET - NET // 2 // 2 + 53_334


def test_what_nobody_answered_is_shared_too(world: World) -> None:
    """Twenty minutes of readiness are pay: 5,333,333 less a fee of 13,334, half of it over two equal stakes."""
    node = shared_node(world)
    lease = world.ready(node, world.cluster(), HOUR)
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))
    settled = world.do(with_income(calls.settle_lease(lease))).event(LeaseSettled)
    assert (settled.supplier_amount, settled.to_stakers) == (5_319_999, 1_329_999)


@pytest.mark.parametrize("state", ["frozen", "blocked", "retired"])
def test_whatever_became_of_the_node(world: World, state: str) -> None:
    node = shared_node(world)
    lease = lived(world, node)
    world.do(with_income(calls.settle_lease(lease)), calls.close_lease(lease))
    if state == "retired":
        world.do(calls.retire_node(node))
    else:
        case = governance.accused(world, node)
        if state == "blocked":
            world.do(governance.appeal_case(case), governance.decide_case(case, 0, True))
    claimed = world.do(staking.claim_income(held_by(node, who("co")), USD)).event(IncomeClaimed)
    assert claimed.amount == NET // 2 // 2 - 1


def test_who_cannot_receive_it_claims_it_from_an_owed_account(world: World) -> None:
    node = shared_node(world)
    world.do(with_income(calls.settle_lease(lived(world, node))))
    held, call = held_by(node, who("co")), staking.claim_income(held_by(node, who("co")), USD)
    owed = staking.unpayable(world, call, held.owner, USD)
    with refused("RecipientCannotReceive"):
        world.do(call)
    world.do(staking.open_owed(world.treasury, world.stranger.pubkey(), USD))
    with refused("WrongOwedAccount"):
        world.do(staking.with_owed(call, world.stranger.pubkey(), USD))
    assert world.do(owed).event(IncomeClaimed).owed
    assert world.tokens(pdas.owed(ID, USD, held.owner.pubkey())) == NET // 2 // 2 - 1


def test_into_another_account_or_by_another_position_fails(world: World) -> None:
    node, other = shared_node(world), world.staked_node("b")
    world.do(with_income(calls.settle_lease(lived(world, node))))
    call = staking.claim_income(held_by(node, who("co")), USD)
    with refused("NotAssociatedAccount"):
        world.do(call.swapped(to=ata(node.owner, USD)))
    with refused("WrongPosition"):
        world.do(call.swapped(position=other.position))
    with refused("WrongMint"):
        world.do(call.swapped(mint=world.create_mint(who("odd mint"), 6)))
