from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Iosd
from ionet.generated.events import IosdRedeemed
from program import calls
from program.calls import ID, IO, IOSD, USD, ata
from program.chain import TOKEN_PROGRAM, refused, who
from program.currencies import DOLLAR, mint_iosd_exact, redeem_iosd, refresh_price
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair
from spl.token.instructions import burn
from spl.token.models import BurnParams

DAY = 86_400


@pytest.fixture
def wallet(world: World) -> Keypair:
    """Holds all of 600,000 IOSD, minted at $3, and no IO any more."""
    wallet = who("wallet")
    world.give_io(wallet, IO_UNIT)
    world.open_ata(wallet, USD)
    mint(world, wallet, 600_000 * USD_UNIT)
    world.move(wallet, world.open_ata(world.stranger, IO), IO, world.tokens(ata(wallet, IO)))
    return wallet


def mint(world: World, wallet: Keypair, iosd: int, price: int = 3 * DOLLAR) -> None:
    world.give_io(wallet, 1_000_000 * IO_UNIT)
    world.post_price(price)
    world.do(mint_iosd_exact(wallet, world.oracle, iosd))


def less_spread(io: int) -> int:
    return io - -(-io * 50 // 10_000)


def paid(iosd: int, high: int, backing: int, supply: int) -> int:
    """IO for a redemption at a mantissa of exponent −8: at most its part of the backing, less the spread."""
    return less_spread(min(iosd * 10**10 // high, iosd * backing // supply))


def backing(world: World) -> int:
    books = world.get(Iosd, IOSD)
    return books.io_burned - books.io_redeemed


def test_all_fields_ok(world: World, wallet: Keypair) -> None:
    world.post_price(6 * DOLLAR, ema_price=5 * DOLLAR, conf=1_000_000, ema_conf=2_000_000)
    high = 6 * DOLLAR + 4_000_000
    before, supply = world.get(Iosd, IOSD), world.supply(IO)
    io = less_spread(1_000 * USD_UNIT * 10**10 // high)
    landed = world.do(redeem_iosd(wallet, world.oracle, 1_000 * USD_UNIT, io))
    assert landed.events == (
        IosdRedeemed(
            iosd=IOSD,
            seq=before.seq + 1,
            at=world.now,
            wallet=wallet.pubkey(),
            iosd_burned=1_000 * USD_UNIT,
            io_minted=io,
            price=6_040_000,
            publish_time=world.now,
            last_rate=False,
            redeemed_after=1_000 * USD_UNIT,
            io_redeemed_after=io,
        ),
    )
    assert world.tokens(ata(wallet, IO)) == world.supply(IO) - supply == io
    assert world.tokens(ata(wallet, USD)) == world.supply(USD) == 599_000 * USD_UNIT
    books = world.get(Iosd, IOSD)
    assert (books.redeemed, books.io_redeemed, books.minted) == (1_000 * USD_UNIT, io, before.minted)
    assert (books.last_price, books.last_high_price) == (4_960_000, 6_040_000)


@pytest.mark.parametrize("iosd", [1, 199, 12_345_677, 333_333 * USD_UNIT, 600_000 * USD_UNIT])
@pytest.mark.parametrize("price", [DOLLAR, 2_999_999_99, 3 * DOLLAR, 3_015_075_37, 3_015_075_38, 7_777_777_77])
def test_whichever_is_less_of_the_price_and_the_backing(world: World, wallet: Keypair, price: int, iosd: int) -> None:
    before = backing(world)
    expected = paid(iosd, price, before, 600_000 * USD_UNIT)
    world.post_price(price)
    assert world.do(redeem_iosd(wallet, world.oracle, iosd)).event(IosdRedeemed).io_minted == expected > 0
    assert backing(world) == before - expected


def test_everything_can_be_redeemed_in_any_order_and_the_backing_lasts(world: World, wallet: Keypair) -> None:
    """After the price has halved everybody gets their part; nobody is better off for being first."""
    other = who("other")
    world.give_io(other, 1)
    world.open_ata(other, USD)
    world.move(wallet, ata(other, USD), USD, 200_000 * USD_UNIT)
    world.post_price(DOLLAR)
    got = []
    for holder, iosd in ((wallet, 100_000), (other, 200_000), (wallet, 300_000)):
        landed = world.do(redeem_iosd(holder, world.oracle, iosd * USD_UNIT))
        got.append(landed.event(IosdRedeemed).io_minted // iosd)
    assert got == sorted(got)
    assert world.supply(USD) == 0
    assert 0 < backing(world) <= world.get(Iosd, IOSD).io_burned // 100
    with refused("Custom 1"):
        world.do(redeem_iosd(wallet, world.oracle, 1))


def test_minting_and_redeeming_at_one_price_only_costs(world: World, wallet: Keypair) -> None:
    for price in (DOLLAR // 2, DOLLAR, 3 * DOLLAR, 50 * DOLLAR):
        world.warp(3_600)
        world.give_io(wallet, 100_000 * IO_UNIT)
        before = world.tokens(ata(wallet, IO)), world.tokens(ata(wallet, USD))
        world.post_price(price)
        world.do(mint_iosd_exact(wallet, world.oracle, 10_000 * USD_UNIT))
        world.do(redeem_iosd(wallet, world.oracle, 10_000 * USD_UNIT))
        assert world.tokens(ata(wallet, USD)) == before[1]
        assert world.tokens(ata(wallet, IO)) < before[0] - 99 * 10_000 * 10**10 // price // 10_000


def test_less_than_the_stated_minimum_fails(world: World, wallet: Keypair) -> None:
    world.post_price(4 * DOLLAR)
    io = less_spread(25 * IO_UNIT)
    with refused("SlippageExceeded"):
        world.do(redeem_iosd(wallet, world.oracle, 100 * USD_UNIT, io + 1))
    world.do(redeem_iosd(wallet, world.oracle, 100 * USD_UNIT, io))


def test_nothing_or_what_is_worth_nothing_fails(world: World, wallet: Keypair) -> None:
    with refused("ZeroAmount"):
        world.do(redeem_iosd(wallet, world.oracle, 0))
    world.post_price(10_000_000_000 * DOLLAR)
    with refused("ZeroAmount"):
        world.do(redeem_iosd(wallet, world.oracle, 1))


def test_never_paused(world: World, wallet: Keypair) -> None:
    world.do(calls.set_pause(world.pauser, 31))
    world.do(redeem_iosd(wallet, world.oracle, USD_UNIT))


def test_to_any_account_of_io(world: World, wallet: Keypair) -> None:
    to = world.open_ata(who("somebody"), IO)
    world.do(redeem_iosd(wallet, world.oracle, USD_UNIT).swapped(to=to))
    assert world.tokens(to) > 0


# -- the last rate


@pytest.mark.parametrize("age", [0, 3_600, DAY - 1, DAY])
def test_the_last_rate_opens_after_a_day_without_a_price(world: World, wallet: Keypair, age: int) -> None:
    published, before = world.now, backing(world)
    world.warp(age)
    call = redeem_iosd(wallet, None, 1_000 * USD_UNIT)
    if age < DAY:
        with refused("PriceStillFresh"):
            world.do(call)
        return
    event = world.do(call).event(IosdRedeemed)
    assert (event.last_rate, event.price, event.publish_time) == (True, 3_000_000, published)
    assert event.io_minted == paid(1_000 * USD_UNIT, 3 * DOLLAR, before, 600_000 * USD_UNIT)


def test_the_last_rate_is_bounded_by_the_backing(world: World, wallet: Keypair) -> None:
    world.post_price(DOLLAR)
    world.do(refresh_price(world.oracle))
    before = backing(world)
    world.warp(DAY)
    event = world.do(redeem_iosd(wallet, None, 600_000 * USD_UNIT)).event(IosdRedeemed)
    assert event.io_minted == less_spread(before)


def test_the_last_rate_is_the_high_end_of_the_last_price_rounded_up(world: World, wallet: Keypair) -> None:
    world.post_price(400_000_001, ema_price=400_000_002, conf=3)
    world.do(refresh_price(world.oracle))
    world.warp(DAY)
    event = world.do(redeem_iosd(wallet, None, 1_000 * USD_UNIT)).event(IosdRedeemed)
    assert event.price == 4_000_001
    assert event.io_minted == less_spread(1_000 * USD_UNIT * IO_UNIT // 4_000_001)


def test_a_price_that_is_shown_closes_the_last_rate_again(world: World, wallet: Keypair) -> None:
    world.warp(DAY)
    world.post_price(9 * DOLLAR)
    world.do(refresh_price(world.oracle))
    with refused("PriceStillFresh"):
        world.do(redeem_iosd(wallet, None, USD_UNIT))
    world.warp(DAY)
    assert world.do(redeem_iosd(wallet, None, USD_UNIT)).event(IosdRedeemed).price == 9_000_000


def test_redeeming_at_the_last_rate_does_not_make_it_newer(world: World, wallet: Keypair) -> None:
    world.warp(DAY)
    before = world.get(Iosd, IOSD)
    for _ in range(2):
        world.do(redeem_iosd(wallet, None, USD_UNIT))
    after = world.get(Iosd, IOSD)
    assert (after.last_publish_time, after.last_high_price) == (before.last_publish_time, before.last_high_price)


def test_without_any_price_seen_fails(world: World, wallet: Keypair) -> None:
    world.forge(Iosd, IOSD, last_high_price=0)
    world.warp(10 * DAY)
    with refused("PriceRequired"):
        world.do(redeem_iosd(wallet, None, USD_UNIT))


@pytest.mark.parametrize("age", [60, 61])
def test_the_age_of_the_price(world: World, wallet: Keypair, age: int) -> None:
    world.warp(1)
    world.post_price(3 * DOLLAR)
    world.warp(age)
    call = redeem_iosd(wallet, world.oracle, USD_UNIT)
    if age == 60:
        world.do(call)
    else:
        with refused("OracleStale"):
            world.do(call)


@pytest.mark.parametrize(("older", "newer"), [(DOLLAR, 3 * DOLLAR), (3 * DOLLAR, DOLLAR)])
def test_of_an_older_price_and_a_newer_one_seen_the_worse_counts(
    world: World, wallet: Keypair, older: int, newer: int
) -> None:
    """Redemption is an exit: a price seen a second later refuses nobody (A6). Of $1 and $3, $3 gives less IO."""
    world.warp(10)
    other = who("other oracle")
    world.fund(other.pubkey())
    world.send([calls.post_price(other, world.now - 5, older)], [world.payer, other])
    world.post_price(newer)
    world.do(refresh_price(world.oracle))
    redeemed = world.do(redeem_iosd(wallet, other, USD_UNIT)).event(IosdRedeemed)
    assert (redeemed.price, redeemed.publish_time, redeemed.last_rate) == (3_000_000, world.now - 5, False)
    assert redeemed.io_minted == less_spread(IO_UNIT // 3)


# -- holders who burn their own


def test_who_burns_his_own_iosd_takes_nothing_from_the_others(world: World, wallet: Keypair) -> None:
    """The books still count it, so the others' part of the backing is what it was."""
    other = who("other")
    world.give_io(other, 1)
    world.open_ata(other, USD)
    world.move(wallet, ata(other, USD), USD, 300_000 * USD_UNIT)
    world.send([burn(_all_of(wallet, 300_000 * USD_UNIT))], [world.payer, wallet])
    assert world.supply(USD) == 300_000 * USD_UNIT
    world.post_price(DOLLAR)
    before = backing(world)
    event = world.do(redeem_iosd(other, world.oracle, 300_000 * USD_UNIT)).event(IosdRedeemed)
    assert event.io_minted == less_spread(before // 2)
    books = world.get(Iosd, IOSD)
    assert (world.supply(USD), books.minted - books.redeemed) == (0, 300_000 * USD_UNIT)
    mint(world, wallet, USD_UNIT, DOLLAR)
    world.do(redeem_iosd(wallet, world.oracle, USD_UNIT))


def test_fees_that_are_burned_raise_the_part_of_the_others(world: World, wallet: Keypair) -> None:
    world.move(wallet, pdas.burn_vault(ID, USD), USD, 300_000 * USD_UNIT)
    world.do(calls.burn(USD))
    world.post_price(DOLLAR)
    before = backing(world)
    event = world.do(redeem_iosd(wallet, world.oracle, 300_000 * USD_UNIT)).event(IosdRedeemed)
    assert event.io_minted == less_spread(before)


def _all_of(wallet: Keypair, amount: int) -> BurnParams:
    return BurnParams(
        program_id=TOKEN_PROGRAM, account=ata(wallet, USD), mint=USD, owner=wallet.pubkey(), amount=amount, signers=[]
    )
