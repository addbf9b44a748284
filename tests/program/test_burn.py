from __future__ import annotations

from typing import Any

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Iosd
from ionet.generated.events import TokensBurned
from program import calls
from program.calls import ID, IO, IOSD, USD
from program.chain import refused
from program.world import IO_UNIT, World
from solders.pubkey import Pubkey

ISSUED = 29_850_000  # 10 IO at $3 less the spread


def test_both_mints_all_fields(world: World) -> None:
    renter = world.renter("renter", 10 * IO_UNIT)
    world.move(renter, pdas.burn_vault(ID, USD), USD, 7)
    world.move(world.treasury, pdas.burn_vault(ID, IO), IO, 9)
    supplies = world.supply(USD), world.supply(IO)
    common: dict[str, Any] = {"iosd": IOSD, "at": world.now}
    assert world.do(calls.burn(USD)).events == (TokensBurned(seq=2, mint=USD, amount=7, burned_after=7, **common),)
    assert world.do(calls.burn(IO)).events == (TokensBurned(seq=3, mint=IO, amount=9, burned_after=9, **common),)
    assert (world.supply(USD), world.supply(IO)) == (supplies[0] - 7, supplies[1] - 9)
    books = world.get(Iosd, IOSD)
    assert (books.fee_burned, books.io_other_burned, books.io_burned) == (7, 9, 10 * IO_UNIT)
    assert books.minted - books.redeemed - books.fee_burned == world.supply(USD) == ISSUED - 7
    world.move(renter, pdas.burn_vault(ID, USD), USD, 5)
    assert world.do(calls.burn(USD)).event(TokensBurned).burned_after == 12


@pytest.mark.parametrize("mint", [IO, USD], ids=["io", "iosd"])
def test_an_empty_vault_fails(world: World, mint: Pubkey) -> None:
    with refused("ZeroAmount"):
        world.do(calls.burn(mint))


def test_of_another_mint_fails(world: World) -> None:
    world.do(calls.init_vaults(world.stranger, world.usdc))
    with refused("WrongMint"):
        world.do(calls.burn(world.usdc))
