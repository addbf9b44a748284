"""Clusters in IO and USDC, nodes that insist on coverage, and the books of IOSD, through the SDK."""

from __future__ import annotations

import msgspec
import pytest
from client.sdk.parties import IO, IOSD, PRICE, PROCESSORS, Machine, Party, hireable_node, party, terms
from client.sdk.patient import DOLLARS, Patient
from ionet.client import Client
from ionet.errors import InvalidInput
from ionet.generated import pdas
from ionet.generated.enums import Currency
from ionet.generated.errors import CoverageTooLow, CurrencyRefused, FeesTooSmall, PriceStillFresh, SlippageExceeded
from ionet.generated.events import (
    BudgetWithdrawn,
    ClusterClosed,
    ClusterOpened,
    IoBoughtBack,
    IosdMinted,
    IosdRedeemed,
    LeaseBooked,
    LeaseSettled,
    PriceRefreshed,
)
from ionet.generated.types import NodeTerms
from ionet.rules.pricing import Price, io_to_mint, minted_for
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="session")
DURATION, HOUR, HASH = 12, 3_600, bytes([1] * 32)
LOW = DOLLARS - 2 * 100_000


def changed(owner: Pubkey, **fields: int) -> NodeTerms:
    return msgspec.structs.replace(terms(owner), **fields)


async def machine_for(supplier: Party, **fields: int) -> Machine:
    machine = await hireable_node(supplier)
    await supplier.client.node.update(machine.node, changed(supplier.client.address, **fields))
    return machine


async def whole_life(
    patient: Patient, supplier: Party, renter: Client, currency: str, deposit: int
) -> tuple[LeaseBooked, LeaseSettled, ClusterClosed]:
    """A cluster of one node, proven to its end and closed."""
    machine = await machine_for(supplier, currencies=Currency.IOSD | Currency.USDC | Currency.IO)
    await patient.post_price()
    opened = (await renter.cluster.open(deposit, currency=currency)).event(ClusterOpened)
    booking = await renter.cluster.add_leases(opened.cluster, [machine.node], duration=DURATION)
    booked = booking.receipts[0].event(LeaseBooked)
    await supplier.client.lease.mark_ready(booked.lease, machine.device)
    await renter.lease.accept_ready(booked.lease)
    for interval in range(DURATION // 3):
        patient.pass_time(3)
        await supplier.client.lease.append_proof(
            booked.lease, machine.device, node=machine.node, interval=interval, served_secs=3, root=HASH, gpu_ms=1
        )
    patient.pass_time(9)
    settled = (await renter.lease.settle(booked.lease)).event(LeaseSettled)
    await renter.lease.close(booked.lease)
    taken = (await renter.cluster.withdraw_budget(opened.cluster, 1)).event(BudgetWithdrawn)
    assert taken.refunded_after == 1
    closed = (await renter.cluster.close(opened.cluster)).event(ClusterClosed)
    assert closed.deposit == deposit == closed.paid + closed.fees + closed.refunded
    return booked, settled, closed


async def test_cluster_in_io(patient: Patient) -> None:
    supplier, renter = await party(patient, 1_000 * IO), await party(patient, 100 * IO)
    before = await supplier.client.tokens.balance(pdas.io_mint(supplier.client.program.id)) - 800 * IO
    booked, settled, closed = await whole_life(patient, supplier, renter.client, "IO", 10 * IO)
    assert booked.price == -(-PRICE * 10**10 // LOW)
    gross = booked.price * PROCESSORS * DURATION // HOUR
    assert (settled.paid, settled.supplier_amount) == (gross, gross - -(-gross * 25 // 10_000))
    assert closed.paid == settled.supplier_amount
    assert await supplier.client.tokens.balance(pdas.io_mint(supplier.client.program.id)) == before + closed.paid


async def test_cluster_in_usdc_and_buyback_of_its_fees(patient: Patient) -> None:
    supplier, renter = await party(patient, 1_000 * IO), await party(patient, 100 * IO)
    client, usdc = renter.client, await renter.client.network.mint("USDC")
    await patient.give_usdc(client.address, 10 * IOSD)
    booked, settled, closed = await whole_life(patient, supplier, client, "USDC", 5 * IOSD)
    gross = PRICE * PROCESSORS * DURATION // HOUR
    assert booked.price == PRICE
    assert settled.renter_fee == settled.supplier_fee == -(-gross * 225 // 10_000)
    assert await supplier.client.tokens.balance(usdc) == gross - settled.supplier_fee

    fees = await client.rpc.token_balance(pdas.fee_vault(client.program.id, usdc))
    assert fees >= closed.fees > 0
    with pytest.raises(FeesTooSmall):
        await client.iosd.buyback(50 * IO)
    offered = closed.fees * 10**10 // LOW
    worth, before = await client.iosd.quote_buyback(offered), await client.tokens.balance(usdc)
    bought = (await client.iosd.buyback(offered)).event(IoBoughtBack)
    assert (bought.io_burned, bought.usdc_paid) == (offered, worth)
    assert await client.tokens.balance(usdc) == before + worth


async def test_currency_refused_fails(patient: Patient) -> None:
    supplier, renter = await party(patient, 1_000 * IO), await party(patient, 100 * IO)
    machine = await hireable_node(supplier)
    await patient.post_price()
    with pytest.raises(InvalidInput, match="currency 'EUR'; known are IOSD, USDC, IO"):
        await renter.client.cluster.open(1, currency="EUR")
    cluster = (await renter.client.cluster.open(IO, currency="IO")).event(ClusterOpened).cluster
    with pytest.raises(CurrencyRefused):
        await renter.client.cluster.add_lease(cluster, machine.node, duration=DURATION)


async def test_node_that_insists_on_coverage(patient: Patient) -> None:
    """The price comes along by itself; at this one a dollar's IO was burned for each IOSD, and a little more."""
    supplier, renter = await party(patient, 1_000 * IO), await party(patient, 100 * IO)
    machine = await machine_for(supplier, min_coverage_bps=9_000)
    await patient.post_price()
    await renter.client.iosd.mint(10 * IO)
    cluster = (await renter.client.cluster.open(IOSD)).event(ClusterOpened).cluster
    await supplier.client.node.update(machine.node, changed(supplier.client.address, min_coverage_bps=20_000))
    with pytest.raises(CoverageTooLow):
        await renter.client.cluster.add_lease(cluster, machine.node, duration=DURATION)
    booking = await renter.client.cluster.add_leases(cluster, [machine.node], duration=DURATION)
    assert [type(why) for why in booking.left_out.values()] == [CoverageTooLow]
    await supplier.client.node.update(machine.node, changed(supplier.client.address, min_coverage_bps=9_000))
    booked = (await renter.client.cluster.add_lease(cluster, machine.node, duration=DURATION)).event(LeaseBooked)
    assert booked.io_price == LOW // 100


async def test_iosd_minted_exactly_and_redeemed_at_their_quotes(patient: Patient) -> None:
    renter, io = await party(patient, 100 * IO), pdas.io_mint(patient.client().program.id)
    client = renter.client
    await patient.post_price()
    cost = await client.iosd.quote_exact(7 * IOSD)
    with pytest.raises(SlippageExceeded):
        await client.iosd.mint_exact(7 * IOSD, max_io=cost - 1)
    minted = (await client.iosd.mint_exact(7 * IOSD, max_io=cost)).event(IosdMinted)
    assert (minted.io_burned, minted.iosd_minted) == (cost, 7 * IOSD)
    assert await client.iosd.balance() == 7 * IOSD

    worth = await client.iosd.quote_redeem(5 * IOSD)
    with pytest.raises(SlippageExceeded):
        await client.iosd.redeem(5 * IOSD, min_io=worth + 1)
    redeemed = (await client.iosd.redeem(5 * IOSD, min_io=worth)).event(IosdRedeemed)
    assert (redeemed.iosd_burned, redeemed.io_minted, redeemed.last_rate) == (5 * IOSD, worth, False)
    assert await client.tokens.balance(io) == 100 * IO - cost + worth

    with pytest.raises(PriceStillFresh):
        await client.iosd.redeem(IOSD, last_rate=True)
    with pytest.raises(InvalidInput, match="no price account"):
        client.iosd.redeem(IOSD, last_rate=True, price_update=io)
    await patient.post_price()
    (await client.iosd.refresh()).event(PriceRefreshed)
    patient.pass_time((await client.network.get()).params.last_rate_after_secs)
    worth = await client.iosd.quote_redeem(IOSD, last_rate=True)
    redeemed = (await client.iosd.redeem(IOSD, min_io=worth, last_rate=True)).event(IosdRedeemed)
    assert (redeemed.io_minted, redeemed.last_rate) == (worth, True)


async def test_price_so_uncertain_that_it_is_nothing_fails() -> None:
    price = Price(Pubkey.default(), price=10, conf=5, exponent=-8, publish_time=0, ema_price=10, ema_conf=0)
    assert (price.low, minted_for(IO, price, 50), io_to_mint(IOSD, price, 50)) == (0, 0, None)
