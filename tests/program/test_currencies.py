"""Clusters paid in IOSD, USDC and IO: what a booking locks, and whole lives to the last unit."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Iosd
from ionet.generated.enums import Currency
from ionet.generated.events import LeaseBooked
from program import calls, currencies, disputes, staking
from program.calls import EVERY_CURRENCY, ID, IO, IOSD, USD, ata
from program.chain import refused, who
from program.currencies import DOLLAR, active_in, booking, cluster_in, paid_in, priced
from program.disputes import Record
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, World
from solders.pubkey import Pubkey

HOURLY = 16_000_000  # micro-dollars
CURRENCIES = ("iosd", "usdc", "io")
EACH = pytest.mark.parametrize("currency", CURRENCIES)


def mint_of(world: World, currency: str) -> Pubkey:
    return {"iosd": USD, "usdc": world.usdc, "io": IO}[currency]


# -- opening


@EACH
def test_a_cluster_in_each_currency(world: World, currency: str) -> None:
    mint = mint_of(world, currency)
    cluster = cluster_in(world, mint, "c", 7_000_000)
    found = world.of_cluster(cluster)
    assert (found.mint, found.currency, found.deposit) == (mint, {"iosd": 1, "usdc": 2, "io": 4}[currency], 7_000_000)
    assert (world.tokens(cluster.escrow), world.tokens(ata(cluster.renter, mint))) == (7_000_000, 0)
    renter = cluster.renter
    world.do(paid_in(mint, calls.withdraw_budget(cluster, 1_000_000), renter))
    world.do(calls.init_vaults(world.stranger, world.usdc))
    world.do(paid_in(mint, calls.close_cluster(cluster), renter))
    assert world.tokens(ata(renter, mint)) == 7_000_000


def test_a_node_names_the_currencies_it_takes(world: World) -> None:
    for accepted in range(1, 8):
        node = world.staked_node(f"n{accepted}", currencies=accepted)
        for currency in CURRENCIES:
            mint = mint_of(world, currency)
            cluster = cluster_in(world, mint, f"{accepted} {currency}", 1_000 * IO_UNIT)
            world.post_price(3 * DOLLAR)
            call = priced(booking(world, node, cluster, HOUR)[1], world.oracle)
            if accepted & world.of_cluster(cluster).currency:
                stay = call  # one booking occupies the node, so only try it in the end
                continue
            with refused("CurrencyRefused"):
                world.do(call)
        world.do(stay)


# -- booking


def test_in_io_the_price_is_converted_once_all_fields(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 100 * IO_UNIT)
    world.post_price(3 * DOLLAR, ema_price=4 * DOLLAR, conf=1_000_000)
    low = 3 * DOLLAR - 2_000_000
    lease, call = booking(world, node, cluster, HOUR)
    booked = world.do(priced(call, world.oracle)).event(LeaseBooked)
    per_hour = -(-2_000_000 * 10**10 // low)
    cost = per_hour * 8
    assert (booked.price, booked.io_price) == (per_hour, 2_980_000)
    assert booked.locked == cost + -(-cost * 25 // 10_000)
    found = world.of(lease)
    assert (found.price, found.currency, found.renter_fee_bps, found.supplier_fee_bps) == (per_hour, 4, 25, 25)


@pytest.mark.parametrize("price", [1, 7, 999_983, 2_000_000])
@pytest.mark.parametrize("io_price", [1_234_567, 3 * DOLLAR, 77_777_777_777])
def test_in_io_a_price_is_rounded_up(world: World, price: int, io_price: int) -> None:
    node, cluster = (
        world.staked_node(currencies=Currency.IO, price=price),
        cluster_in(world, IO, "c", 100_000 * IO_UNIT),
    )
    world.post_price(io_price)
    booked = world.do(priced(booking(world, node, cluster, HOUR)[1], world.oracle)).event(LeaseBooked)
    assert booked.price == -(-price * 10**10 // io_price)
    assert (booked.price - 1) * io_price < price * 10**10 <= booked.price * io_price


@pytest.mark.parametrize(("older", "counts"), [(1, 1), (4, 4), (8, 4)])
def test_in_io_of_an_older_price_and_a_newer_one_seen_the_worse_counts(world: World, older: int, counts: int) -> None:
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 100 * IO_UNIT)
    world.warp(100)
    world.post_price(4 * DOLLAR)
    world.do(currencies.refresh_price(world.oracle))
    other = currencies.other_price(world, 60, older * DOLLAR)
    booked = world.do(priced(booking(world, node, cluster, HOUR)[1], other)).event(LeaseBooked)
    assert (booked.price, booked.io_price) == (2 * IO_UNIT // counts, counts * 1_000_000)


def test_in_io_without_a_price_fails(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 100 * IO_UNIT)
    call = booking(world, node, cluster, HOUR)[1]
    with refused("PriceRequired"):
        world.do(call)
    world.warp(61)
    with refused("OracleStale"):
        world.do(priced(call, world.oracle))


def test_in_io_the_most_that_is_paid_stays_in_dollars(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 100 * IO_UNIT)
    world.post_price(3 * DOLLAR)
    lease, _ = booking(world, node, cluster, HOUR)
    for most, error in ((1_999_999, "PriceTooHigh"), (2_000_000, "")):
        call = priced(calls.add_lease(lease, H100, HOUR, max_price=most), world.oracle)
        if error:
            with refused(error):
                world.do(call)
        else:
            world.do(call)


def test_in_io_an_extension_costs_the_locked_price(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 1_000 * IO_UNIT)
    lease = active_in(world, IO, node, cluster, HOUR)
    before = world.of(lease)
    world.warp(600)
    world.post_price(DOLLAR // 100)
    world.do(calls.extend_lease(lease, H100, HOUR))
    found = world.of(lease)
    cost = found.price * 8 * 2
    assert (found.price, found.duration) == (before.price, 2 * HOUR)
    assert found.locked == world.of_cluster(cluster).locked == cost + -(-cost * 25 // 10_000)


def test_in_io_an_extension_beyond_the_budget_fails(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 6 * IO_UNIT)
    lease = active_in(world, IO, node, cluster, HOUR)
    with refused("BudgetTooSmall"):
        world.do(calls.extend_lease(lease, H100, HOUR))


def test_in_usdc_both_fees_are_two_percent_higher(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.USDC), cluster_in(world, world.usdc, "c")
    booked = world.do(booking(world, node, cluster, HOUR)[1]).event(LeaseBooked)
    assert (booked.price, booked.locked) == (2_000_000, HOURLY + HOURLY * 225 // 10_000)
    lease = LeaseRef(node, cluster, 0)
    assert (world.of(lease).renter_fee_bps, world.of(lease).supplier_fee_bps) == (225, 225)


# -- coverage


@pytest.mark.parametrize(("coverage", "allowed"), [(9_999, True), (10_000, True), (10_001, False)])
def test_a_node_may_insist_on_coverage(world: World, coverage: int, allowed: bool) -> None:
    """A dollar of IO, at the low end of the price, behind every IOSD."""
    node, cluster = world.staked_node(min_coverage_bps=coverage), world.cluster("a")
    books = world.get(Iosd, IOSD)
    supply = books.minted - books.redeemed - books.fee_burned
    # At $2.98 a coverage of exactly one dollar, rounded up to a whole base unit of IO.
    world.forge(Iosd, IOSD, io_burned=-(-supply * IO_UNIT // 2_980_000))
    world.post_price(3 * DOLLAR, ema_price=9 * DOLLAR, conf=1_000_000)
    call = booking(world, node, cluster, HOUR)[1]
    with refused("PriceRequired"):
        world.do(call)
    if allowed:
        assert world.do(priced(call, world.oracle)).event(LeaseBooked).io_price == 2_980_000
        return
    with refused("CoverageTooLow"):
        world.do(priced(call, world.oracle))


@pytest.mark.parametrize("short", [0, 1])
def test_coverage_counts_what_was_redeemed(world: World, short: int) -> None:
    node, cluster = world.staked_node(min_coverage_bps=10_000), world.cluster("a")
    books = world.get(Iosd, IOSD)
    supply = books.minted - books.redeemed - books.fee_burned
    whole = -(-supply * IO_UNIT // 3_000_000)
    world.forge(Iosd, IOSD, io_burned=whole + 1_000, io_redeemed=1_000 + short * 10**6)
    world.post_price(3 * DOLLAR)
    call = priced(booking(world, node, cluster, HOUR)[1], world.oracle)
    if not short:
        world.do(call)
        return
    with refused("CoverageTooLow"):
        world.do(call)


def test_coverage_is_asked_of_iosd_alone(world: World) -> None:
    node = world.staked_node(min_coverage_bps=2**32 - 1, currencies=EVERY_CURRENCY)
    cluster = cluster_in(world, world.usdc, "c")
    world.do(booking(world, node, cluster, HOUR)[1])
    other = world.staked_node("b", min_coverage_bps=2**32 - 1, currencies=EVERY_CURRENCY)
    in_io = cluster_in(world, IO, "d", 100 * IO_UNIT)
    world.post_price(3 * DOLLAR)
    world.do(priced(booking(world, other, in_io, HOUR)[1], world.oracle))


def test_a_price_that_is_not_needed_is_checked_all_the_same(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster("a")
    call = priced(booking(world, node, cluster, HOUR)[1], world.oracle)
    world.warp(61)
    with refused("OracleStale"):
        world.do(call)
    world.post_price(2 * DOLLAR)
    assert world.do(call).event(LeaseBooked).io_price == 2_000_000


# -- whole lives


@EACH
def test_a_whole_life_to_the_last_unit(world: World, currency: str) -> None:
    """Opened, booked, extended, served, disputed in part, settled, closed: what left the renter is where it belongs."""
    mint, deposit = mint_of(world, currency), 1_000 * IO_UNIT
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = world.staked_node(currencies=EVERY_CURRENCY)
    world.open_ata(node.owner, mint)
    before = world.tokens(ata(node.owner, mint))
    cluster = cluster_in(world, mint, "c", deposit)
    record = Record(world, active_in(world, mint, node, cluster, HOUR))
    lease, owner = record.lease, node.owner
    record.serve(3)
    world.do(calls.extend_lease(lease, H100, HOUR))
    record.serve(9, first=3)
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(lease, 9, 12))
    bond = world.of(lease).dispute_bond
    record.defend(11)
    world.warp(disputes.DEFENCE)
    price = world.of(lease).price
    world.do(paid_in(mint, calls.settle_lease(lease), owner))
    found = world.of(lease)
    gross = price * 8 * 10 * 600 // 3_600
    bps = 225 if currency == "usdc" else 25
    fee = -(-gross * bps // 10_000)
    assert (found.matured_secs, found.undefended_secs, found.paid) == (6_000, 1_200, gross)
    assert (found.supplier_fee, found.renter_fee) == (fee, fee)
    world.warp(disputes.INTERVAL)
    world.do(paid_in(mint, calls.settle_lease(lease), owner), calls.close_lease(lease))
    world.do(paid_in(mint, calls.close_cluster(cluster), cluster.renter))
    undefended = price * 8 * 1_200 // 3_600
    earned = world.tokens(ata(owner, mint)) - before
    assert earned == gross - fee + bond // 3
    assert world.tokens(ata(cluster.renter, mint)) == deposit - gross - fee - bond // 3 - undefended
    fees, burned = world.tokens(pdas.fee_vault(ID, mint)), world.tokens(pdas.burn_vault(ID, mint))
    kept = 2 * fee + undefended
    assert (fees, burned) == ((kept, 0) if currency == "usdc" else (0, kept))
    assert not world.exists(cluster.escrow)
    counted = world.of_node(node)
    assert (counted.earned, counted.earned_io) == ((0, gross) if currency == "io" else (gross, 0))


def test_compensation_in_io_is_a_part_of_the_price_in_io(world: World) -> None:
    """A quarter of the locked price of what was missed, whatever IO costs by then."""
    node, cluster = world.staked_node(currencies=Currency.IO), cluster_in(world, IO, "c", 1_000 * IO_UNIT)
    lease = active_in(world, IO, node, cluster, 2 * HOUR)
    world.warp(HOUR)
    world.post_price(DOLLAR // 100)
    missed = HOUR - 600
    before = world.tokens(ata(cluster.renter, IO))
    world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    price = world.of(lease).price * 8 * missed // HOUR
    assert world.tokens(ata(cluster.renter, IO)) - before == price * 2_500 // 10_000


@EACH
def test_a_ready_node_that_nobody_answered_is_paid_in_its_currency(world: World, currency: str) -> None:
    mint = mint_of(world, currency)
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node, cluster = (
        world.staked_node(currencies=EVERY_CURRENCY),
        cluster_in(world, mint, "c", 100 * IO_UNIT),
    )
    lease, call = booking(world, node, cluster, HOUR)
    world.post_price(3 * DOLLAR)
    world.do(priced(call, world.oracle))
    world.do(calls.mark_ready(lease))
    world.warp(1_200)
    world.open_ata(node.owner, mint)
    before = world.tokens(ata(node.owner, mint))
    world.do(calls.cancel_lease(lease), paid_in(mint, calls.settle_lease(lease), node.owner), calls.close_lease(lease))
    gross = (8 * 66_666_667 if currency == "io" else HOURLY) // 3
    fee = -(-gross * (225 if currency == "usdc" else 25) // 10_000)
    assert world.tokens(ata(node.owner, mint)) - before == gross - fee
    assert (world.of_cluster(cluster).fees, world.of_cluster(cluster).burned) == (2 * fee, 0)
    world.do(paid_in(mint, calls.close_cluster(cluster), cluster.renter))
    assert world.tokens(ata(cluster.renter, mint)) == 100 * IO_UNIT - gross - fee


@EACH
def test_a_rejected_node_costs_the_price_alone_in_its_currency(world: World, currency: str) -> None:
    """Burned where its currency is, and in USDC left for buybacks; of neither side's fee."""
    mint = mint_of(world, currency)
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = world.staked_node(currencies=EVERY_CURRENCY)
    cluster = cluster_in(world, mint, "c", 100 * IO_UNIT)
    lease, call = booking(world, node, cluster, HOUR)
    world.post_price(3 * DOLLAR)
    world.do(priced(call, world.oracle))
    world.do(calls.mark_ready(lease))
    world.warp(90)
    world.do(calls.reject_ready(lease), calls.close_lease(lease))
    burned = (8 * 66_666_667 if currency == "io" else HOURLY) * 90 // 3_600
    assert (world.of_cluster(cluster).fees, world.of_cluster(cluster).burned) == (burned, burned)
    world.do(paid_in(mint, calls.close_cluster(cluster), cluster.renter))
    assert world.tokens(ata(cluster.renter, mint)) == 100 * IO_UNIT - burned
    vaults = (world.tokens(pdas.fee_vault(ID, mint)), world.tokens(pdas.burn_vault(ID, mint)))
    assert vaults == ((burned, 0) if currency == "usdc" else (0, burned))


def test_a_supplier_without_an_account_of_the_currency_is_owed_it(world: World) -> None:
    node, cluster = world.staked_node(currencies=Currency.USDC), cluster_in(world, world.usdc, "c")
    lease = active_in(world, world.usdc, node, cluster, HOUR)
    world.close_ata(node.owner, world.usdc)
    world.serve(lease, 6)
    world.final(lease)
    settle = paid_in(world.usdc, calls.settle_lease(lease), node.owner)
    with refused("RecipientCannotReceive"):
        world.do(settle)
    owner = node.owner.pubkey()
    world.do(staking.open_owed(world.stranger, owner, world.usdc), staking.with_owed(settle, owner, world.usdc))
    assert world.tokens(pdas.owed(ID, world.usdc, owner)) == HOURLY - HOURLY * 225 // 10_000


def test_fees_of_usdc_clusters_buy_io(world: World) -> None:
    """The way of a fee: the cluster closes, someone sells IO for the fee, and the IO is gone."""
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node, cluster = world.staked_node(currencies=Currency.USDC), cluster_in(world, world.usdc, "c")
    lease = active_in(world, world.usdc, node, cluster, HOUR)
    world.serve(lease, 6)
    world.final(lease)
    world.do(paid_in(world.usdc, calls.settle_lease(lease), node.owner), calls.close_lease(lease))
    world.do(paid_in(world.usdc, calls.close_cluster(cluster), cluster.renter))
    fees = 2 * HOURLY * 225 // 10_000
    assert world.tokens(pdas.fee_vault(ID, world.usdc)) == fees
    seller = who("seller")
    world.give_io(seller, IO_UNIT)
    world.open_ata(seller, world.usdc)
    world.post_price(DOLLAR)
    world.do(currencies.buyback(world, seller, world.oracle, fees * 100))
    assert (world.tokens(pdas.fee_vault(ID, world.usdc)), world.tokens(ata(seller, world.usdc))) == (0, fees)
