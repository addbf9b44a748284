"""The books of the simulation are the program's: the same instructions through both, refused or not, to the unit."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from ionet import addresses
from ionet.generated.accounts import Iosd
from ionet.program import PROGRAM
from program import calls
from program.calls import IO, USD
from program.chain import Call, refused, who
from program.world import IO_UNIT, World
from simulate_iosd.books import Books
from simulate_iosd.rules import BPS, Quote, Refused, Rules
from solders.keypair import Keypair
from solders.pubkey import Pubkey

DAY = 86_400
RULES = Rules()
DOLLAR = 10**6
# What the random lives met: one that meets little compares little.
REACHED: set[str] = set()


def random_quote(source: random.Random) -> Quote:
    price = source.randrange(10**6, 10**10)
    ema = price * source.randrange(5_000, 20_000) // BPS
    exponent = source.choice([-5, -8, -10])
    return Quote(price, ema, source.randrange(price // 100 + 1), source.randrange(ema // 100 + 1), exponent)


def steady_quote(source: random.Random) -> Quote:
    """Around $2, so that coverage is now above and now below a dollar."""
    price = source.randrange(10**8, 4 * 10**8)
    ema = price * source.randrange(9_000, 11_000) // BPS
    return Quote(price, ema, source.randrange(price // 500), source.randrange(ema // 500))


def wallet_with_io(world: World) -> Keypair:
    wallet = who("wallet")
    world.give_io(wallet, 100_000_000 * IO_UNIT)
    world.open_ata(wallet, USD)
    return wallet


def post(world: World, quote: Quote) -> None:
    world.post_price(
        quote.price, ema_price=quote.ema, conf=quote.conf, ema_conf=quote.ema_conf, exponent=quote.exponent
    )


@pytest.mark.parametrize("seed", range(30))
def test_any_price_mints_what_the_program_mints(world: World, seed: int) -> None:
    source, wallet = random.Random(seed), wallet_with_io(world)
    quote, io = random_quote(source), source.randrange(1, 1_000 * IO_UNIT)
    post(world, quote)
    attempt(world, calls.mint_iosd(wallet, world.oracle, io), lambda: Books(RULES).mint(io, quote, world.now))


@pytest.mark.parametrize("seed", range(12))
def test_a_random_life_of_the_books_is_the_programs(world: World, seed: int) -> None:
    """Mints, redemptions, refreshes and silences, refused or not: the simulated books stay those of the chain."""
    source, wallet, books = random.Random(seed), wallet_with_io(world), Books(RULES)
    reached = 0
    for _ in range(40):
        world.warp(source.choice([1, 60, 600, 1_800, 3_600, DAY]))
        quote = steady_quote(source)
        post(world, quote)
        amount = source.choice([1, 999, DOLLAR, 200_000 * DOLLAR, 600_000 * DOLLAR, 1_500_000 * DOLLAR])
        call, mirrored = step(source.randrange(5), world, wallet, books, quote, amount)
        reached += attempt(world, call, mirrored)
        compare(world, books)
    assert reached > 5


def step(
    kind: int, world: World, wallet: Keypair, books: Books, quote: Quote, amount: int
) -> tuple[Call, Callable[[], object]]:
    """One instruction and the same on the simulated books. Nobody redeems more than they have."""
    now, held = world.now, world.tokens(calls.ata(wallet, USD))
    if kind == 0:
        return calls.mint_iosd(wallet, world.oracle, amount * 50), lambda: books.mint(amount * 50, quote, now)
    if kind == 1:
        return mint_exact(world, wallet, amount), lambda: books.mint_exact(amount, quote, now)
    if kind == 2 or held == 0:
        refresh = PROGRAM.ix.refresh_price(price_update=price_of(world))
        return Call("refresh_price", refresh), lambda: books.use(quote, now)
    redeemed = min(amount, held)
    if kind == 3:
        return redeem(wallet, redeemed, price_of(world)), lambda: books.redeem(redeemed, quote, now)
    return redeem(wallet, redeemed, None), lambda: books.redeem(redeemed, None, now)


def price_of(world: World) -> Pubkey:
    return addresses.price_update(world.oracle.pubkey(), calls.FEED)


def mint_exact(world: World, wallet: Keypair, amount: int) -> Call:
    instruction = PROGRAM.ix.mint_iosd_exact(
        wallet=wallet.pubkey(),
        from_account=calls.ata(wallet, IO),
        to=calls.ata(wallet, USD),
        price_update=price_of(world),
        iosd_amount=amount,
        max_io=2**64 - 1,
    )
    return Call("mint_iosd_exact", instruction, (wallet,))


def redeem(wallet: Keypair, amount: int, price: Pubkey | None) -> Call:
    instruction = PROGRAM.ix.redeem_iosd(
        wallet=wallet.pubkey(),
        from_account=calls.ata(wallet, USD),
        to=calls.ata(wallet, IO),
        price_update=price,
        iosd_amount=amount,
        min_io=0,
    )
    return Call("redeem_iosd", instruction, (wallet,))


def attempt(world: World, call: Call, mirrored: Callable[[], object]) -> bool:
    """Does it in both; they must agree on whether it is refused, and why. True if it was done."""
    priced = price_of(world) in [meta.pubkey for meta in call.instruction.accounts]
    try:
        mirrored()
    except Refused as refusal:
        expected = str(refusal)
    else:
        world.do(call)
        REACHED.add(f"{call.name} {'at a price' if priced else 'at the last rate'}")
        return True
    REACHED.add(expected)
    with refused(expected):
        world.do(call)
    return False


def compare(world: World, books: Books) -> None:
    found = world.get(Iosd, calls.IOSD)
    assert (found.minted, found.redeemed, found.fee_burned) == (books.minted, books.redeemed, books.fee_burned)
    assert (found.io_burned, found.io_redeemed) == (books.io_burned, books.io_redeemed)
    assert (found.mint_window_amount, found.mint_window_start) == (books.mint_limiter.level, books.mint_limiter.at)
    assert (found.redeem_window_amount, found.redeem_window_start) == (
        books.redeem_limiter.level,
        books.redeem_limiter.at,
    )
    assert (found.last_high_price, found.last_publish_time) == (books.last_high, books.used_at)
    assert world.supply(USD) == books.supply


def test_the_lives_met_everything() -> None:
    if not REACHED:
        pytest.skip("the lives were not selected")
    done = {"mint_iosd", "mint_iosd_exact", "refresh_price", "redeem_iosd"}
    assert {f"{name} at a price" for name in done} | {"redeem_iosd at the last rate"} <= REACHED
    assert {"WindowFull", "PriceStillFresh", "ZeroAmount"} <= REACHED
