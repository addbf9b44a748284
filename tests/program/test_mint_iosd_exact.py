from __future__ import annotations

import pytest
from ionet.generated.accounts import Iosd
from ionet.generated.events import IosdMinted
from program import calls, currencies
from program.calls import IO, IOSD, USD, ata
from program.chain import refused, who
from program.currencies import DOLLAR, mint_iosd_exact
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair


@pytest.fixture
def wallet(world: World) -> Keypair:
    wallet = who("wallet")
    world.give_io(wallet, 20_000_000 * IO_UNIT)
    world.open_ata(wallet, USD)
    return wallet


def cost(iosd: int, low: int) -> int:
    """IO that minting exactly so much takes: what leaves it after a spread of 0.5 %, at the low end, rounded up."""
    value = -(-iosd * 10_000 // 9_950)
    return -(-value * 10**10 // low)


def test_all_fields_ok(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR, ema_price=4 * DOLLAR, conf=500_000)
    world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))
    before = world.get(Iosd, IOSD)
    io = cost(10 * USD_UNIT, 3 * DOLLAR - 1_000_000)
    landed = world.do(mint_iosd_exact(wallet, world.oracle, 10 * USD_UNIT, io))
    assert landed.events == (
        IosdMinted(
            iosd=IOSD,
            seq=2,
            at=world.now,
            wallet=wallet.pubkey(),
            io_burned=io,
            iosd_minted=10 * USD_UNIT,
            price=2_990_000,
            publish_time=world.now,
            minted_after=before.minted + 10 * USD_UNIT,
            io_burned_after=before.io_burned + io,
        ),
    )
    assert world.supply(USD) == world.tokens(ata(wallet, USD)) == before.minted + 10 * USD_UNIT
    assert world.tokens(ata(wallet, IO)) == 20_000_000 * IO_UNIT - IO_UNIT - io
    books = world.get(Iosd, IOSD)
    assert (books.last_price, books.last_high_price) == (2_990_000, 4_010_000)


@pytest.mark.parametrize("price", [3 * DOLLAR, 333_333_331, 10_000_007, 99_999_999_999])
@pytest.mark.parametrize("iosd", [1, 199, 200, 123_456_789, 900_000 * USD_UNIT])
def test_not_a_unit_of_io_less_would_do(world: World, wallet: Keypair, iosd: int, price: int) -> None:
    """What it burns is the least whose burning mints so much by amount in."""
    io = cost(iosd, price)
    world.post_price(price)
    world.do(mint_iosd_exact(wallet, world.oracle, iosd, io))
    assert world.tokens(ata(wallet, USD)) == iosd
    assert world.tokens(ata(wallet, IO)) == 20_000_000 * IO_UNIT - io
    world.warp(3_600)
    world.post_price(price)
    with refused("SlippageExceeded" if iosd > 1 else "ZeroAmount"):
        world.do(calls.mint_iosd(wallet, world.oracle, io - 1, iosd))
    world.do(calls.mint_iosd(wallet, world.oracle, io, iosd))


def test_more_io_than_allowed_fails(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR)
    io = cost(USD_UNIT, 3 * DOLLAR)
    with refused("SlippageExceeded"):
        world.do(mint_iosd_exact(wallet, world.oracle, USD_UNIT, io - 1))
    world.do(mint_iosd_exact(wallet, world.oracle, USD_UNIT, io))


def test_nothing_fails(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR)
    with refused("ZeroAmount"):
        world.do(mint_iosd_exact(wallet, world.oracle, 0))


def test_more_io_than_the_wallet_has_fails(world: World, wallet: Keypair) -> None:
    world.post_price(DOLLAR // 100)
    with refused("Custom 1"):
        world.do(mint_iosd_exact(wallet, world.oracle, 999_999 * USD_UNIT))


@pytest.mark.parametrize("iosd", [2**63, 2**64 - 1])
def test_more_than_can_be_counted_fails(world: World, wallet: Keypair, iosd: int) -> None:
    world.post_price(3 * DOLLAR)
    with refused("Overflow"):
        world.do(mint_iosd_exact(wallet, world.oracle, iosd))


def test_while_paused_fails(world: World, wallet: Keypair) -> None:
    world.post_price(3 * DOLLAR)
    world.do(calls.set_pause(world.pauser, 16))
    with refused("Paused"):
        world.do(mint_iosd_exact(wallet, world.oracle, 1))


@pytest.mark.parametrize("age", [60, 61])
def test_the_age_of_the_price(world: World, wallet: Keypair, age: int) -> None:
    world.post_price(3 * DOLLAR)
    world.warp(age)
    call = mint_iosd_exact(wallet, world.oracle, 1)
    if age == 60:
        world.do(call)
    else:
        with refused("OracleStale"):
            world.do(call)


@pytest.mark.parametrize(("older", "counts"), [(1, 1), (4, 4), (8, 4)])
def test_of_an_older_price_and_a_newer_one_seen_the_worse_counts(
    world: World, wallet: Keypair, older: int, counts: int
) -> None:
    world.warp(100)
    world.post_price(4 * DOLLAR)
    world.do(currencies.refresh_price(world.oracle))
    other = currencies.other_price(world, 60, older * DOLLAR)
    minted = world.do(mint_iosd_exact(wallet, other, 995_000)).event(IosdMinted)
    assert minted.io_burned == IO_UNIT // counts
