"""`ionet.rules.pricing` against the program: what mints, redemptions and buybacks come to at random prices."""

from __future__ import annotations

import random
from collections import Counter

from ionet.errors import ProgramError
from ionet.generated import pdas
from ionet.generated.accounts import Iosd
from ionet.generated.events import IoBoughtBack, IosdMinted, IosdRedeemed
from ionet.rules.pricing import Price, io_to_mint, minted_for, redeemed_for, value_in
from program import calls, currencies, governance
from program.calls import ID, USD
from program.chain import Call, Landed, who
from program.currencies import price_of
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair

BPS = 10_000


def random_price(world: World, dice: random.Random) -> Price:
    """A posted price, with its own average, confidence and exponent."""
    price = dice.randrange(10**6, 10**10)
    average = price * dice.randrange(9_000, 11_000) // BPS
    exponent = dice.choice([-5, -8, -10])
    conf, average_conf = dice.randrange(price // 200 + 1), dice.randrange(average // 200 + 1)
    world.post_price(price, ema_price=average, conf=conf, ema_conf=average_conf, exponent=exponent)
    return Price(price_of(world.oracle), price, conf, exponent, world.now, average, average_conf)


def done(world: World, call: Call, reached: Counter[str]) -> Landed | None:
    """What landed, counted; None where the program refused the price or the amount."""
    try:
        landed = world.do(call)
    except ProgramError:
        return None
    reached[call.name] += 1
    return landed


def rich(world: World) -> Keypair:
    """A wallet with IO and some IOSD, and fees in USDC to sell IO for."""
    wallet = who("wallet")
    world.give_io(wallet, 50_000_000 * IO_UNIT)
    for mint in (USD, world.usdc):
        world.open_ata(wallet, mint)
    world.do(calls.init_vaults(world.stranger, world.usdc))
    world.give_usdc(world.stranger, 1_000_000 * USD_UNIT)
    world.move(world.stranger, pdas.fee_vault(ID, world.usdc), world.usdc, 1_000_000 * USD_UNIT)
    governance.set_params(world, mint_floor=2**63, redeem_floor=2**63)
    world.post_price(2 * IO_UNIT)
    world.do(calls.mint_iosd(wallet, world.oracle, 1_000_000 * IO_UNIT))
    return wallet


def test_every_amount_is_the_rules() -> None:
    reached: Counter[str] = Counter()
    for seed in range(25):
        world, dice = World.started(), random.Random(seed)
        wallet = rich(world)
        compare(world, wallet, dice, reached)
    assert all(reached[name] > 10 for name in ("mint_iosd", "mint_iosd_exact", "redeem_iosd", "buyback")), reached


def compare(world: World, wallet: Keypair, dice: random.Random, reached: Counter[str]) -> None:
    """One price, and all that is valued at it."""
    spread = world.params.spread_bps
    price = random_price(world, dice)
    io, iosd = dice.randrange(1, 10_000 * IO_UNIT), dice.randrange(1, 1_000 * USD_UNIT)
    if landed := done(world, calls.mint_iosd(wallet, world.oracle, io), reached):
        assert landed.event(IosdMinted).iosd_minted == minted_for(io, price, spread)
    if landed := done(world, currencies.mint_iosd_exact(wallet, world.oracle, iosd), reached):
        assert landed.event(IosdMinted).io_burned == io_to_mint(iosd, price, spread)
    books = world.get(Iosd, pdas.iosd(ID))
    supply, backing = books.minted - books.redeemed - books.fee_burned, books.io_burned - books.io_redeemed
    if landed := done(world, currencies.redeem_iosd(wallet, world.oracle, iosd), reached):
        expected = redeemed_for(iosd, price, spread, backing=backing, supply=supply)
        assert landed.event(IosdRedeemed).io_minted == expected
    if landed := done(world, currencies.buyback(world, wallet, world.oracle, io), reached):
        assert landed.event(IoBoughtBack).usdc_paid == value_in(io, price)
