from __future__ import annotations

from typing import Any

import pytest
from ionet.generated.accounts import Iosd
from ionet.generated.events import IosdMinted
from program import calls, currencies
from program.calls import IO, IOSD, USD, ata
from program.chain import refused, who
from program.world import IO_UNIT, World
from solders.account import Account
from solders.keypair import Keypair

DOLLAR = 100_000_000  # mantissa of a price with exponent -8


@pytest.fixture
def wallet(world: World) -> Keypair:
    wallet = who("wallet")
    world.give_io(wallet, 1_000 * IO_UNIT)
    world.open_ata(wallet, USD)
    return wallet


def worth(io: int, price: int, ema: int, conf: int, ema_conf: int, exponent: int = -8) -> tuple[int, int]:
    """Value of IO on its way in and what of it is minted, micro-dollars."""
    low = min(price, ema) - 2 * max(conf, ema_conf)
    value = io * low // 10 ** (2 - exponent)
    return value, value - -(-value * 50 // 10_000)


def test_all_fields_ok(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR)
    landed = world.do(calls.mint_iosd(wallet, world.oracle, 10 * IO_UNIT, 29_850_000))
    assert landed.events == (
        IosdMinted(
            iosd=IOSD,
            seq=1,
            at=world.now,
            wallet=wallet.pubkey(),
            io_burned=10 * IO_UNIT,
            iosd_minted=29_850_000,
            price=3_000_000,
            publish_time=world.now,
            minted_after=29_850_000,
            io_burned_after=10 * IO_UNIT,
        ),
    )
    assert world.tokens(ata(wallet, USD)) == world.supply(USD) == 29_850_000
    assert world.tokens(ata(wallet, IO)) == 990 * IO_UNIT
    assert world.supply(IO) == (500_000_000 - 10) * IO_UNIT
    books = world.get(Iosd, IOSD)
    assert (books.minted, books.io_burned, books.seq) == (29_850_000, 10 * IO_UNIT, 1)
    assert (books.last_price, books.last_publish_time) == (3_000_000, world.now)


@pytest.mark.parametrize(
    ("price", "ema", "conf", "ema_conf"),
    [
        (300_000_000, 310_000_000, 0, 0),
        (310_000_000, 300_000_000, 0, 0),
        (300_000_000, 300_000_000, 3_000_000, 0),
        (300_000_000, 300_000_000, 1, 3_000_000),
        (333_333_333, 333_333_331, 77_777, 77_779),
        (1_000, 1_000, 10, 0),
    ],
)
@pytest.mark.parametrize("io", [1_000_000, 123_456_789, 999 * IO_UNIT])
def test_the_low_end_of_the_price_less_the_spread(
    world: World, wallet: Keypair, io: int, price: int, ema: int, conf: int, ema_conf: int
) -> None:
    value, minted = worth(io, price, ema, conf, ema_conf)
    world.post_price(price, ema_price=ema, conf=conf, ema_conf=ema_conf)
    if minted == 0:
        with refused("ZeroAmount"):
            world.do(calls.mint_iosd(wallet, world.oracle, io))
        return
    landed = world.do(calls.mint_iosd(wallet, world.oracle, io))
    assert landed.event(IosdMinted).iosd_minted == minted < value
    assert landed.event(IosdMinted).price == worth(IO_UNIT, price, ema, conf, ema_conf)[0]


@pytest.mark.parametrize(("exponent", "price"), [(0, 3), (-1, 30), (-5, 300_000), (-12, 3 * 10**12)])
def test_any_exponent_gives_the_same_value(world: World, wallet: Keypair, exponent: int, price: int) -> None:
    world.post_price(price, exponent=exponent)
    landed = world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))
    assert landed.event(IosdMinted).iosd_minted == 2_985_000


@pytest.mark.parametrize("exponent", [1, -13, 2**31 - 1, -(2**31)])
def test_other_exponents_fail(world: World, wallet: Keypair, exponent: int) -> None:
    world.post_price(3, exponent=exponent)
    with refused("OracleBadExponent"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


@pytest.mark.parametrize("age", [60, 61])
def test_the_age_of_the_price(world: World, wallet: Keypair, age: int) -> None:
    world.post_price(3 * DOLLAR, publish_time=world.now)
    world.warp(age)
    call = calls.mint_iosd(wallet, world.oracle, IO_UNIT)
    if age == 60:
        world.do(call)
    else:
        with refused("OracleStale"):
            world.do(call)


@pytest.mark.parametrize("ahead", [10, 11])
def test_a_price_from_the_future(world: World, wallet: Keypair, ahead: int) -> None:
    world.post_price(3 * DOLLAR, publish_time=world.now + ahead)
    call = calls.mint_iosd(wallet, world.oracle, IO_UNIT)
    if ahead == 10:
        world.do(call)
    else:
        with refused("OracleFuture"):
            world.do(call)


@pytest.mark.parametrize(
    ("age", "price", "counts", "remembered"),
    [(0, 9, 9, 9), (1, 9, 3, 3), (60, 9, 3, 3), (1, 2, 2, 3), (60, 2, 2, 3)],
)
def test_of_an_older_price_and_a_newer_one_seen_the_worse_counts(
    world: World, wallet: Keypair, age: int, price: int, counts: int, remembered: int
) -> None:
    """Whoever uses a price a second younger cannot make everybody else's useless; and it never comes back."""
    world.warp(100)
    world.post_price(3 * DOLLAR)
    world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))
    seen_at = world.now
    other = currencies.other_price(world, age, price * DOLLAR)
    minted = world.do(calls.mint_iosd(wallet, other, IO_UNIT)).event(IosdMinted)
    assert (minted.iosd_minted, minted.price) == (counts * 995_000, counts * 1_000_000)
    assert minted.publish_time == world.now - age
    books = world.get(Iosd, IOSD)
    assert (books.last_price, books.last_publish_time) == (remembered * 1_000_000, seen_at)


def test_one_seen_before_the_callers_own_plays_no_part(world: World, wallet: Keypair) -> None:
    world.post_price(DOLLAR)
    world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))
    world.warp(1)
    world.post_price(3 * DOLLAR)
    assert world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT)).event(IosdMinted).iosd_minted == 2_985_000


@pytest.mark.parametrize(
    "wrong", [{"price": 0}, {"price": -1}, {"price": DOLLAR, "ema_price": 0}, {"price": DOLLAR, "ema_price": -1}]
)
def test_a_price_that_is_not_positive_fails(world: World, wallet: Keypair, wrong: dict[str, Any]) -> None:
    world.post_price(**wrong)
    with refused("OracleNotPositive"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


@pytest.mark.parametrize("side", ["conf", "ema_conf"])
@pytest.mark.parametrize("wide", [0, 1])
def test_a_price_may_be_uncertain_by_one_percent(world: World, wallet: Keypair, side: str, wide: int) -> None:
    more = {"conf": 0, "ema_conf": 0, side: 3_000_000 + wide}
    world.post_price(3 * DOLLAR, **more)
    call = calls.mint_iosd(wallet, world.oracle, IO_UNIT)
    if wide:
        with refused("OracleUncertain"):
            world.do(call)
    else:
        world.do(call)


def test_a_price_below_its_own_bounds_fails(world: World, wallet: Keypair) -> None:
    # Both are certain to 1 %, but the wider bound is more than the lower price.
    world.post_price(1_000, ema_price=100_000, conf=0, ema_conf=500)
    with refused("OracleWorthless"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))
    world.post_price(1_000, ema_price=100_000, conf=0, ema_conf=501)
    with refused("OracleWorthless"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


def test_another_feed_fails(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR, feed_id=b"\x09" * 32)
    with refused("OracleWrongFeed"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT, feed_id=b"\x09" * 32))


def test_a_partly_verified_price_fails(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR, partial_signatures=5)
    with refused("OracleNotVerified"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


def test_the_same_bytes_of_another_owner_fail(world: World, wallet: Keypair) -> None:
    source = world.post_price(3 * DOLLAR)
    copy = world.put_copy(source, who("copy").pubkey(), owner=calls.ID)
    with refused("OracleWrongOwner"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT).swapped(price_update=copy))


@pytest.mark.parametrize("cut", [0, 8, 41, 124])
def test_an_account_that_is_too_short_fails(world: World, wallet: Keypair, cut: int) -> None:
    source = world.post_price(3 * DOLLAR)
    full = world.raw(source)
    short = Account(full.lamports, full.data[:cut], full.owner, False, full.rent_epoch)
    world.svm.set_account(source, short)
    with refused("OracleBadAccount"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


def test_an_account_of_another_type_fails(world: World, wallet: Keypair) -> None:
    source = world.post_price(3 * DOLLAR)
    full = world.raw(source)
    world.svm.set_account(source, Account(full.lamports, b"\0" + full.data[1:], full.owner, False, full.rent_epoch))
    with refused("OracleBadAccount"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


def test_less_than_the_stated_minimum_fails(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR)
    with refused("SlippageExceeded"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT, 2_985_001))
    world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT, 2_985_000))


@pytest.mark.parametrize("io", [0, 33, 66])
def test_an_amount_that_is_worth_nothing_fails(world: World, wallet: Keypair, io: int) -> None:
    # 34 base units are worth one micro-dollar, which the spread takes; 67 are worth two and mint one.
    world.post_price(3 * DOLLAR)
    with refused("ZeroAmount"):
        world.do(calls.mint_iosd(wallet, world.oracle, io))
    landed = world.do(calls.mint_iosd(wallet, world.oracle, 67))
    assert landed.event(IosdMinted).iosd_minted == 1


def test_a_value_beyond_64_bits_fails(world: World, wallet: Keypair) -> None:
    world.post_price(2**63 - 1, exponent=0)
    with refused("Overflow"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


def test_more_than_the_wallet_holds_fails(world: World, wallet: Keypair) -> None:
    with refused("Custom 1"):
        world.do(calls.mint_iosd(wallet, world.oracle, 1_001 * IO_UNIT))


def test_to_any_account_of_the_mint(world: World, wallet: Keypair) -> None:
    friend = world.open_ata(who("friend"), USD)
    world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT).swapped(to=friend))
    assert world.tokens(friend) == 2_985_000


def test_tokens_of_another_fail(world: World, wallet: Keypair) -> None:
    call = calls.mint_iosd(wallet, world.oracle, IO_UNIT)
    with refused("WrongTokenOwner"):
        world.do(call.swapped(**{"from": ata(world.treasury, IO)}))
    with refused("WrongTokenMint"):
        world.do(call.swapped(to=world.open_ata(who("friend"), IO)))
