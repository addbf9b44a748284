from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Iosd
from ionet.generated.events import IoBoughtBack
from program import calls
from program.calls import ID, IO, IOSD, ata
from program.chain import refused, who
from program.currencies import DOLLAR, buyback, give_fees, other_price, refresh_price
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair

FEES = 1_000 * USD_UNIT


@pytest.fixture
def seller(world: World) -> Keypair:
    """Has a thousand IO; the fee vault has a thousand dollars."""
    seller = who("seller")
    world.do(calls.init_vaults(world.stranger, world.usdc))
    give_fees(world, FEES)
    world.give_io(seller, 1_000 * IO_UNIT)
    world.open_ata(seller, world.usdc)
    return seller


def test_all_fields_ok(world: World, seller: Keypair) -> None:
    world.post_price(3 * DOLLAR, ema_price=5 * DOLLAR, conf=500_000)
    supply = world.supply(IO)
    landed = world.do(buyback(world, seller, world.oracle, 10 * IO_UNIT + 1, 29_900_000))
    assert landed.events == (
        IoBoughtBack(
            iosd=IOSD,
            seq=1,
            at=world.now,
            seller=seller.pubkey(),
            io_burned=10 * IO_UNIT + 1,
            usdc_paid=29_900_000,
            price=2_990_000,
            publish_time=world.now,
            io_other_burned_after=10 * IO_UNIT + 1,
        ),
    )
    assert world.tokens(ata(seller, world.usdc)) == 29_900_000
    assert world.tokens(pdas.fee_vault(ID, world.usdc)) == FEES - 29_900_000
    assert supply - world.supply(IO) == 1_000 * IO_UNIT - world.tokens(ata(seller, IO)) == 10 * IO_UNIT + 1
    books = world.get(Iosd, IOSD)
    assert (books.io_other_burned, books.io_burned, books.minted) == (10 * IO_UNIT + 1, 0, 0)


def test_the_backing_is_not_touched(world: World, seller: Keypair) -> None:
    world.give_iosd(who("renter"), 100 * IO_UNIT)
    before = world.get(Iosd, IOSD)
    world.do(buyback(world, seller, world.oracle, 10 * IO_UNIT))
    after = world.get(Iosd, IOSD)
    assert (after.io_burned, after.minted, after.redeemed) == (before.io_burned, before.minted, before.redeemed)


def test_all_the_fees_and_not_a_unit_more(world: World, seller: Keypair) -> None:
    world.post_price(DOLLAR)
    with refused("FeesTooSmall"):
        world.do(buyback(world, seller, world.oracle, 1_000 * IO_UNIT + 100))
    world.do(buyback(world, seller, world.oracle, 1_000 * IO_UNIT))
    assert world.tokens(pdas.fee_vault(ID, world.usdc)) == 0
    world.give_io(seller, IO_UNIT)
    with refused("FeesTooSmall"):
        world.do(buyback(world, seller, world.oracle, IO_UNIT))


def test_less_than_the_seller_asks_fails(world: World, seller: Keypair) -> None:
    world.post_price(3 * DOLLAR)
    with refused("SlippageExceeded"):
        world.do(buyback(world, seller, world.oracle, IO_UNIT, 3_000_001))
    world.do(buyback(world, seller, world.oracle, IO_UNIT, 3_000_000))


@pytest.mark.parametrize("io", [0, 33])
def test_what_is_worth_nothing_fails(world: World, seller: Keypair, io: int) -> None:
    with refused("ZeroAmount"):
        world.do(buyback(world, seller, world.oracle, io))
    world.do(buyback(world, seller, world.oracle, 34))


def test_more_than_the_seller_has_fails(world: World, seller: Keypair) -> None:
    world.post_price(DOLLAR // 10)
    with refused("Custom 1"):
        world.do(buyback(world, seller, world.oracle, 1_000 * IO_UNIT + 1))


def test_while_everything_is_paused(world: World, seller: Keypair) -> None:
    world.do(calls.set_pause(world.pauser, 31))
    world.do(buyback(world, seller, world.oracle, IO_UNIT))


@pytest.mark.parametrize("age", [60, 61])
def test_the_age_of_the_price(world: World, seller: Keypair, age: int) -> None:
    world.post_price(3 * DOLLAR)
    world.warp(age)
    call = buyback(world, seller, world.oracle, IO_UNIT)
    if age == 60:
        world.do(call)
    else:
        with refused("OracleStale"):
            world.do(call)


def test_fees_of_another_mint_are_not_for_sale(world: World, seller: Keypair) -> None:
    for mint in (IO, calls.USD):
        with refused("InvalidSeeds"):
            world.do(buyback(world, seller, world.oracle, 34).swapped(fee_vault=pdas.fee_vault(ID, mint)))


@pytest.mark.parametrize(("older", "counts"), [(1, 1), (3, 3), (9, 3)])
def test_of_an_older_price_and_a_newer_one_seen_the_worse_counts(
    world: World, seller: Keypair, older: int, counts: int
) -> None:
    world.warp(100)
    world.post_price(3 * DOLLAR)
    world.do(refresh_price(world.oracle))
    bought = world.do(buyback(world, seller, other_price(world, 60, older * DOLLAR), IO_UNIT)).event(IoBoughtBack)
    assert (bought.usdc_paid, bought.price) == (counts * USD_UNIT, counts * USD_UNIT)
