"""Nobody can block the end of a lease, a cluster or a stake by not being able to receive: they are paid into their owed
account, which anyone may open, and claim it when they can."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.enums import Currency, LeaseStatus
from ionet.generated.events import (
    ClusterClosed,
    DisputeResolved,
    LeaseEnded,
    LeaseSettled,
    OwedClaimed,
    StakeWithdrawn,
)
from program import calls, currencies, disputes, staking
from program.calls import ID, IO, NETWORK, NOBODY, USD, ata
from program.chain import TOKEN_PROGRAM, Call, Landed, refused, who
from program.refs import ClusterRef, LeaseRef
from program.staking import DAY
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World, required_stake
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import close_account, freeze_account, thaw_account
from spl.token.models import CloseAccountParams, FreezeAccountParams, ThawAccountParams

STATES = ["missing", "closed", "given away", "frozen"]
IDLE = 7 * DAY


def block(world: World, wallet: Keypair, mint: Pubkey, state: str) -> None:
    """Makes a wallet's associated account unable to receive; its tokens go to the stranger first."""
    account = ata(wallet, mint)
    if world.tokens(account):
        world.move(wallet, world.open_ata(world.stranger, mint), mint, world.tokens(account))
    if state == "given away":
        world.give_account(wallet, account, world.stranger.pubkey())
    elif state == "closed":
        params = CloseAccountParams(
            program_id=TOKEN_PROGRAM, account=account, dest=wallet.pubkey(), owner=wallet.pubkey()
        )
        world.send([close_account(params)], [world.payer, wallet])
    elif state == "missing":
        world.svm.set_account(account, Account(0, b"", Pubkey.default()))
    elif mint == world.usdc:
        freeze(world, account)
    else:  # IO and IOSD have no freeze authority; the program does not rely on it
        held = world.raw(account)
        data = held.data[:108] + b"\x02" + held.data[109:]
        world.svm.set_account(account, Account(held.lamports, data, held.owner))


def freeze(world: World, account: Pubkey) -> None:
    params = FreezeAccountParams(
        program_id=TOKEN_PROGRAM, account=account, mint=world.usdc, authority=world.authority.pubkey()
    )
    world.send([freeze_account(params)], [world.authority])


def pay_owed(world: World, call: Call, owner: Keypair, mint: Pubkey) -> Landed:
    """The call is refused without the owed account, with another's, and goes through with the right one."""
    with refused("RecipientCannotReceive"):
        world.do(call)
    other = world.authority.pubkey()
    if not world.exists(pdas.owed(ID, mint, other)):
        world.do(staking.open_owed(world.stranger, other, mint))
    world.do(staking.open_owed(world.stranger, owner.pubkey(), mint))
    with refused("WrongOwedAccount"):
        world.do(staking.with_owed(call, other, mint))
    return world.do(staking.with_owed(call, owner.pubkey(), mint))


def claim(world: World, owner: Keypair, mint: Pubkey) -> int:
    to = world.token_account(f"of {owner.pubkey()} {mint} {world.now}", owner.pubkey(), mint)
    amount = world.do(staking.claim_owed(owner, mint, to)).event(OwedClaimed).amount
    assert world.tokens(to) == amount
    assert not world.exists(pdas.owed(ID, mint, owner.pubkey()))
    return amount


def usdc_lease(world: World) -> LeaseRef:
    """A lease of two hours in a cluster paid in USDC, served, its dispute window over."""
    renter = who("renter a")
    world.fund(renter.pubkey())
    world.give_io(renter, 1)
    world.do(calls.init_vaults(world.stranger, world.usdc))
    world.give_usdc(renter, 1_000 * USD_UNIT)
    cluster = ClusterRef(renter, 0, who("session a 0"))
    opened = calls.open_cluster(cluster, 1_000 * USD_UNIT, world.now + 10 * 365 * DAY)
    world.do(opened.swapped(mint=world.usdc, **{"from": ata(renter, world.usdc)}))
    node = world.staked_node(currencies=Currency.IOSD | Currency.USDC)
    world.open_ata(node.owner, world.usdc)
    lease = world.active(node, cluster, 2 * HOUR)
    world.serve(lease, 12)
    world.final(lease)
    return lease


def settled(lease: LeaseRef, mint: Pubkey) -> Call:
    return calls.settle_lease(lease).swapped(payout_account=ata(lease.node.owner, mint))


def cluster_closed(cluster: ClusterRef, mint: Pubkey) -> Call:
    vaults = {"fee_vault": pdas.fee_vault(ID, mint), "burn_vault": pdas.burn_vault(ID, mint)}
    return calls.close_cluster(cluster, signed=False).swapped(refund_to=ata(cluster.renter, mint), **vaults)


@pytest.mark.parametrize("state", STATES)
def test_a_supplier_cannot_block_the_end_of_a_lease_in_usdc(world: World, state: str) -> None:
    lease = usdc_lease(world)
    owner = lease.node.owner
    block(world, owner, world.usdc, state)
    paid = pay_owed(world, settled(lease, world.usdc), owner, world.usdc).event(LeaseSettled)
    assert paid.owed
    assert paid.supplier_amount > 0
    # Nothing is left to pay: the account that cannot receive is no longer in the way.
    world.do(settled(lease, world.usdc), calls.close_lease(lease))
    assert claim(world, owner, world.usdc) == paid.supplier_amount


@pytest.mark.parametrize("state", STATES)
def test_a_supplier_cannot_block_the_end_of_a_lease_in_iosd(world: World, state: str) -> None:
    lease = world.running()
    world.serve(lease, 12)
    world.final(lease)
    block(world, lease.node.owner, USD, state)
    paid = pay_owed(world, calls.settle_lease(lease), lease.node.owner, USD).event(LeaseSettled)
    assert paid.owed
    world.do(calls.close_lease(lease))
    assert claim(world, lease.node.owner, USD) == paid.supplier_amount == 31_920_000


@pytest.mark.parametrize("state", STATES)
def test_a_payer_cannot_block_the_end_of_a_cluster(world: World, state: str) -> None:
    lease = usdc_lease(world)
    world.do(settled(lease, world.usdc), calls.close_lease(lease))
    cluster = lease.cluster
    block(world, cluster.renter, world.usdc, state)
    world.warp(IDLE)
    free = world.of_cluster(cluster).deposit - world.of_cluster(cluster).paid - world.of_cluster(cluster).fees
    closed = pay_owed(world, cluster_closed(cluster, world.usdc), cluster.renter, world.usdc).event(ClusterClosed)
    assert (closed.owed, closed.refund) == (True, free)
    assert not world.exists(cluster.escrow)
    assert claim(world, cluster.renter, world.usdc) == free


@pytest.mark.parametrize("state", STATES)
def test_a_cluster_without_a_rest_needs_no_recipient(world: World, state: str) -> None:
    cluster = world.cluster(deposit=10)
    world.do(calls.withdraw_budget(cluster, 10))
    block(world, cluster.renter, USD, state)
    world.warp(IDLE)
    closed = world.do(calls.close_cluster(cluster, signed=False)).event(ClusterClosed)
    assert (closed.refund, closed.owed) == (0, False)


@pytest.mark.parametrize("state", STATES)
def test_a_staker_cannot_block_the_end_of_a_stake(world: World, state: str) -> None:
    node, stake = world.staked_node(), required_stake(H100, 8)
    world.do(calls.retire_node(node))
    world.warp(14 * DAY)
    block(world, node.owner, IO, state)
    paid = pay_owed(world, calls.withdraw(node), node.owner, IO).event(StakeWithdrawn)
    assert (paid.owed, paid.amount, paid.position_closed) == (True, stake, True)
    world.do(staking.close_stake_vault(node))
    assert claim(world, node.owner, IO) == stake


def test_who_can_receive_is_paid_directly_though_an_owed_account_is_there(world: World) -> None:
    node, stake = world.staked_node(), required_stake(H100, 8)
    world.do(calls.retire_node(node), staking.open_owed(world.stranger, node.owner.pubkey(), IO))
    world.warp(14 * DAY)
    paid = world.do(staking.with_owed(calls.withdraw(node), node.owner.pubkey(), IO)).event(StakeWithdrawn)
    assert (paid.owed, paid.amount) == (False, stake)
    assert claim(world, node.owner, IO) == 0


def test_a_frozen_owed_account_waits_for_its_thaw_and_blocks_no_other(world: World) -> None:
    lease = usdc_lease(world)
    owner = lease.node.owner
    block(world, owner, world.usdc, "frozen")
    pay_owed(world, settled(lease, world.usdc), owner, world.usdc)
    owed = pdas.owed(ID, world.usdc, owner.pubkey())
    freeze(world, owed)
    world.do(calls.close_lease(lease))
    world.warp(IDLE)
    world.do(cluster_closed(lease.cluster, world.usdc))
    to = world.token_account("thawed", owner.pubkey(), world.usdc)
    with refused("Custom 17"):  # the token program: account is frozen
        world.do(staking.claim_owed(owner, world.usdc, to))
    thaw(world, owed)
    assert claim(world, owner, world.usdc) > 0


def thaw(world: World, account: Pubkey) -> None:
    params = ThawAccountParams(
        program_id=TOKEN_PROGRAM, account=account, mint=world.usdc, authority=world.authority.pubkey()
    )
    world.send([thaw_account(params)], [world.authority])


def paid_lease(world: World) -> tuple[LeaseRef, int]:
    """A lease in USDC that is settled and closed, and what both sides' fees came to."""
    lease = usdc_lease(world)
    world.do(settled(lease, world.usdc), calls.close_lease(lease))
    fee = 32_000_000 * 225 // 10_000
    assert world.of_cluster(lease.cluster).fees == 2 * fee
    return lease, 2 * fee


def test_a_frozen_fee_vault_does_not_block_the_end_of_a_cluster(world: World) -> None:
    lease, fees = paid_lease(world)
    cluster, vault = lease.cluster, pdas.fee_vault(ID, world.usdc)
    freeze(world, vault)
    call = calls.close_cluster(cluster).swapped(
        refund_to=ata(cluster.renter, world.usdc), fee_vault=vault, burn_vault=pdas.burn_vault(ID, world.usdc)
    )
    with refused("RecipientCannotReceive"):
        world.do(call)
    for owner in (NETWORK, cluster.renter.pubkey()):
        world.do(staking.open_owed(world.stranger, owner, world.usdc))
    wrong = staking.filled(call, fees_owed=pdas.owed(ID, world.usdc, cluster.renter.pubkey()))
    with refused("WrongOwedAccount"):
        world.do(wrong)
    owed = pdas.owed(ID, world.usdc, NETWORK)
    before = world.tokens(ata(cluster.renter, world.usdc))
    closed = world.do(staking.filled(call, fees_owed=owed)).event(ClusterClosed)
    # The renter has nothing to do with it: they are paid directly, and all of it.
    assert (closed.owed, closed.fees, closed.fees_to_burn, closed.fees_owed) == (False, fees, 0, fees)
    assert world.tokens(ata(cluster.renter, world.usdc)) - before == closed.refund > 0
    assert (world.tokens(owed), world.tokens(vault)) == (fees, 0)
    assert not world.exists(cluster.escrow)


def test_what_somebody_sent_waits_with_the_fees_beside_a_refund_that_waits_too(world: World) -> None:
    lease, fees = paid_lease(world)
    cluster = lease.cluster
    world.give_usdc(cluster.renter, 7)
    world.move(cluster.renter, cluster.escrow, world.usdc, 7)
    freeze(world, pdas.fee_vault(ID, world.usdc))
    freeze(world, ata(cluster.renter, world.usdc))
    for owner in (NETWORK, cluster.renter.pubkey()):
        world.do(staking.open_owed(world.stranger, owner, world.usdc))
    world.warp(IDLE)
    mine, theirs = (pdas.owed(ID, world.usdc, owner) for owner in (cluster.renter.pubkey(), NETWORK))
    closing = staking.filled(cluster_closed(cluster, world.usdc), owed=mine, fees_owed=theirs)
    closed = world.do(closing).event(ClusterClosed)
    assert (closed.owed, closed.surplus, closed.fees_owed) == (True, 7, fees + 7)
    assert (world.tokens(mine), world.tokens(theirs)) == (closed.refund, fees + 7)


def test_what_the_network_is_owed_goes_to_its_fee_vault_once_that_is_thawed(world: World) -> None:
    lease, fees = paid_lease(world)
    vault, owed = pdas.fee_vault(ID, world.usdc), pdas.owed(ID, world.usdc, NETWORK)
    freeze(world, vault)
    world.do(staking.open_owed(world.stranger, NETWORK, world.usdc))
    world.warp(IDLE)
    world.do(staking.filled(cluster_closed(lease.cluster, world.usdc), fees_owed=owed))
    with refused("Custom 17"):  # the token program: account is frozen
        world.do(staking.collect_owed(world.stranger, world.usdc))
    thaw(world, vault)
    rent, lamports = world.lamports(owed), world.lamports(world.stranger.pubkey())
    landed = world.do(staking.collect_owed(world.stranger, world.usdc))
    assert landed.events == (OwedClaimed(owner=NETWORK, mint=world.usdc, at=world.now, amount=fees),)
    assert (world.tokens(vault), world.exists(owed)) == (fees, False)
    assert world.lamports(world.stranger.pubkey()) - lamports == rent
    # It is the network's money as ever: it buys IO.
    seller = who("seller")
    world.give_io(seller, 10 * IO_UNIT)
    world.open_ata(seller, world.usdc)
    world.post_price(currencies.DOLLAR)
    world.do(currencies.buyback(world, seller, world.oracle, fees * 100))
    assert world.tokens(ata(seller, world.usdc)) == fees


def test_a_thawed_fee_vault_is_paid_directly_though_an_owed_account_is_there(world: World) -> None:
    lease, fees = paid_lease(world)
    world.do(staking.open_owed(world.stranger, NETWORK, world.usdc))
    world.warp(IDLE)
    owed = pdas.owed(ID, world.usdc, NETWORK)
    closing = staking.filled(cluster_closed(lease.cluster, world.usdc), fees_owed=owed)
    assert world.do(closing).event(ClusterClosed).fees_owed == 0
    assert (world.tokens(pdas.fee_vault(ID, world.usdc)), world.tokens(owed)) == (fees, 0)


def test_a_cluster_without_fees_needs_no_fee_vault(world: World) -> None:
    world.do(calls.init_vaults(world.stranger, world.usdc))
    cluster = currencies.cluster_in(world, world.usdc, "c", 7_000_000)
    freeze(world, pdas.fee_vault(ID, world.usdc))
    world.warp(IDLE)
    assert world.do(cluster_closed(cluster, world.usdc)).event(ClusterClosed).refund == 7_000_000


def test_the_networks_money_is_collected_by_nobody_else(world: World) -> None:
    lease, _ = paid_lease(world)
    freeze(world, pdas.fee_vault(ID, world.usdc))
    world.do(staking.open_owed(world.stranger, NETWORK, world.usdc))
    world.warp(IDLE)
    owed = pdas.owed(ID, world.usdc, NETWORK)
    world.do(staking.filled(cluster_closed(lease.cluster, world.usdc), fees_owed=owed))
    call = staking.collect_owed(world.stranger, world.usdc)
    with refused("WrongOwedAccount"):
        world.do(call.swapped(vault=world.open_ata(world.stranger, world.usdc)))
    with refused("WrongOwedAccount"):
        world.do(call.swapped(vault=pdas.fee_vault(ID, IO)))


def test_a_frozen_escrow_ends_the_lease_all_the_same(world: World) -> None:
    """It cannot pay anybody; the node is free for the next renter, and what is due stays due."""
    lease = usdc_lease(world)
    freeze(world, lease.cluster.escrow)
    before = world.of(lease)
    landed = world.do(settled(lease, world.usdc))
    assert [type(event) for event in landed.events] == [LeaseEnded]
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.status, world.of_node(lease.node).current_lease) == (LeaseStatus.ENDED, NOBODY)
    assert (found.paid, found.locked, cluster.paid, cluster.fees) == (0, before.locked, 0, 0)
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))
    again = world.booked(lease.node, world.cluster("b"))
    assert world.of_node(lease.node).current_lease == again.key
    # Thawed, all of it is paid, and nothing twice.
    thaw(world, lease.cluster.escrow)
    paid = world.do(settled(lease, world.usdc)).event(LeaseSettled)
    fee = 32_000_000 * 225 // 10_000
    assert (paid.paid, paid.supplier_amount, paid.owed) == (32_000_000, 32_000_000 - fee, False)
    world.do(calls.close_lease(lease))


def test_a_frozen_escrow_does_not_keep_a_dispute_open(world: World) -> None:
    """The bond's end is booked, only the payment waits."""
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = world.staked_node(currencies=Currency.USDC)
    cluster = currencies.cluster_in(world, world.usdc, "c")
    record = disputes.Record(world, currencies.active_in(world, world.usdc, node, cluster))
    record.serve(2)
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(record.lease, 0, 1))
    freeze(world, cluster.escrow)
    world.warp(disputes.DEFENCE)
    landed = world.do(settled(record.lease, world.usdc))
    assert [type(event) for event in landed.events] == [DisputeResolved]
    assert (world.of_cluster(cluster).disputes_open, world.of(record.lease).undefended_secs) == (0, 600)
