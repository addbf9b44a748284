"""What limits IOSD: how much is minted and redeemed in a window, and that nothing is minted without a burn."""

from __future__ import annotations

import pytest
from ionet.generated.accounts import Iosd
from program import calls
from program.calls import IO, IOSD, USD
from program.chain import Call, refused, who
from program.currencies import DOLLAR, mint_iosd_exact, redeem_iosd
from program.stages import INSTRUCTIONS, make
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair

pytestmark = pytest.mark.matrix

FLOOR = 1_000_000 * USD_UNIT
HOUR = 3_600


@pytest.fixture
def wallet(world: World) -> Keypair:
    """Enough IO for everything."""
    wallet = who("wallet")
    world.give_io(wallet, 50_000_000 * IO_UNIT)
    world.open_ata(wallet, USD)
    return wallet


def limited(kind: str, world: World, wallet: Keypair, amount: int) -> Call:
    world.post_price(3 * DOLLAR)
    if kind == "mint":
        return mint_iosd_exact(wallet, world.oracle, amount)
    return redeem_iosd(wallet, world.oracle, amount)


def stocked(kind: str, world: World, wallet: Keypair) -> None:
    """For redemptions there is something to redeem, and the backing behind it."""
    if kind == "redeem":
        for _ in range(4):
            world.do(limited("mint", world, wallet, FLOOR))
            world.warp(HOUR)


KINDS = pytest.mark.parametrize("kind", ["mint", "redeem"])


@KINDS
def test_the_floor_and_not_a_unit_more(world: World, wallet: Keypair, kind: str) -> None:
    stocked(kind, world, wallet)
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, FLOOR + 1))
    world.do(limited(kind, world, wallet, FLOOR - 5))
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, 6))
    world.do(limited(kind, world, wallet, 5))
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, 1))


@KINDS
@pytest.mark.parametrize("secs", [1, 17, HOUR // 2, HOUR - 1, HOUR, 10 * HOUR])
def test_it_refills_evenly_and_never_beyond_the_limit(world: World, wallet: Keypair, kind: str, secs: int) -> None:
    stocked(kind, world, wallet)
    world.do(limited(kind, world, wallet, FLOOR))
    world.warp(secs)
    room = min(FLOOR, FLOOR * secs // HOUR)
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, room + 1))
    world.do(limited(kind, world, wallet, room))
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, 1))


@KINDS
def test_no_boundary_between_windows_lets_twice_as_much_through(world: World, wallet: Keypair, kind: str) -> None:
    """All of it at the end of an hour, and again in the next second: a second's worth passes."""
    stocked(kind, world, wallet)
    world.warp(HOUR - 1)
    world.do(limited(kind, world, wallet, FLOOR))
    world.warp(1)
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, FLOOR // HOUR + 1))
    world.do(limited(kind, world, wallet, FLOOR // HOUR))


@KINDS
def test_many_small_ones_come_to_no_more_than_one(world: World, wallet: Keypair, kind: str) -> None:
    stocked(kind, world, wallet)
    passed = 0
    for _ in range(60):
        world.do(limited(kind, world, wallet, FLOOR // 60))
        passed += FLOOR // 60
        world.warp(1)
    room = FLOOR - passed + FLOOR * 60 // HOUR
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, room + 60))
    world.do(limited(kind, world, wallet, room - 60))


@KINDS
@pytest.mark.parametrize("supply", [9_999_999 * USD_UNIT, 10_000_000 * USD_UNIT, 30_000_000 * USD_UNIT + 9])
def test_of_a_large_supply_a_tenth(world: World, wallet: Keypair, kind: str, supply: int) -> None:
    """Rounded down. The books say how large it is; the floor is a tenth of ten million."""
    world.do(limited("mint", world, wallet, FLOOR))
    world.do(limited("redeem", world, wallet, FLOOR - USD_UNIT))
    books = world.get(Iosd, IOSD)
    world.forge(Iosd, IOSD, minted=books.redeemed + supply, io_burned=2**60)
    world.warp(HOUR)
    most = max(FLOOR, supply // 10)
    with refused("WindowFull"):
        world.do(limited(kind, world, wallet, most + 1))
    if kind == "mint":
        world.do(limited(kind, world, wallet, most))
        return
    # There is not so much to burn; the limiter let it through.
    with refused("Custom 1"):
        world.do(limited(kind, world, wallet, most))


def test_mints_and_redemptions_have_limits_of_their_own(world: World, wallet: Keypair) -> None:
    world.do(limited("mint", world, wallet, FLOOR))
    world.do(limited("redeem", world, wallet, FLOOR))
    for kind in ("mint", "redeem"):
        with refused("WindowFull"):
            world.do(limited(kind, world, wallet, 1))


def test_minting_by_amount_in_is_limited_too(world: World, wallet: Keypair) -> None:
    world.do(limited("mint", world, wallet, FLOOR))
    with refused("WindowFull"):
        world.do(calls.mint_iosd(wallet, world.oracle, IO_UNIT))


def test_a_refused_one_uses_nothing_up(world: World, wallet: Keypair) -> None:
    for _ in range(3):
        with refused("WindowFull"):
            world.do(limited("mint", world, wallet, FLOOR + 1))
    assert world.get(Iosd, IOSD).mint_window_amount == 0
    world.do(limited("mint", world, wallet, FLOOR))


@pytest.mark.parametrize("name", [name for name in INSTRUCTIONS if name != "init_network"])
def test_nothing_is_minted_without_a_burn(name: str) -> None:
    """Of every instruction: when the supply of IO or of IOSD grows, the other shrinks, at no more than the price."""
    stage = make(name)
    before = [stage.world.supply(mint) for mint in (IO, USD)]
    stage.world.do(stage.call)
    io, iosd = (stage.world.supply(mint) - old for mint, old in zip((IO, USD), before, strict=True))
    mints = {"mint_iosd": (-1, 1), "mint_iosd_exact": (-1, 1), "redeem_iosd": (1, -1)}
    burns = {"buyback": (-1, 0), "burn": (-1, 0)}
    assert ((io > 0) - (io < 0), (iosd > 0) - (iosd < 0)) == {**mints, **burns}.get(name, (0, 0))
    if name in mints:
        assert iosd <= -io * 3 * USD_UNIT // IO_UNIT
