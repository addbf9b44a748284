"""Stake by a wallet in the browser, from the first IO to the last; and IOSD back into IO."""

from __future__ import annotations

import pytest
from ionet import addresses
from ionet.client import Client
from ionet.generated import pdas
from ionet.program import PROGRAM
from market import IO, Machine
from solders.keypair import Keypair
from web.browser import Reader
from web.signing import done, opened, review, state
from web.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def io_of(stage: Stage, wallet: Keypair) -> int:
    account = addresses.token_account(wallet.pubkey(), pdas.io_mint(PROGRAM.id))
    return await stage.market.admin.rpc.token_balance(account)


async def shared_node(stage: Stage) -> Machine:
    """A node whose owner gives co-stakers half of their stake's rewards."""
    machine = await stage.market.add_machine("of a staker")
    await stage.market.admin.stake.set_terms(machine.address, 5_000)
    return machine


async def test_stake_claim_unbond_withdraw(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=500 * IO)
    machine = await shared_node(stage)
    node, chain = str(machine.address), Client(stage.market.admin.rpc)
    page = await opened(reader, site, wallet, "stake")
    await done(page, site, "stake", node=node, io="400.5")
    position = await chain.stake.get(machine.address, wallet.pubkey())
    assert position.staker == wallet.pubkey()
    assert await io_of(stage, wallet) == 99 * IO + IO // 2
    await stage.market.treasury.stake.fund_rewards(machine.address, 1_000 * IO)
    await done(page, site, "claim", node=node)
    claimed = await io_of(stage, wallet) - (99 * IO + IO // 2)
    assert claimed > 0
    # Too early: the wallet is not even asked.
    await page.goto(f"{site}/act/withdraw?node={node}")
    reader.expected.append("with a status of 4")
    form = await review(page)
    assert "NothingMatured" in await state(form, "refused")
    await done(page, site, "unbond", node=node, io="1000000")
    params = (await chain.network.get()).params
    stage.market.pass_time(params.unbond_cooldown_secs + params.co_notice_secs + 1)
    await stage.priced()
    await done(page, site, "withdraw", node=node)
    assert await io_of(stage, wallet) >= 500 * IO + claimed - 1


async def test_redeem(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=100 * IO)
    page = await opened(reader, site, wallet, "mint")
    await done(page, site, "mint", io="100")
    assert await io_of(stage, wallet) == 0
    held = await Client(stage.market.admin.rpc).iosd.balance(wallet.pubkey())
    await done(page, site, "redeem", iosd=f"{held / 10**6:f}")
    assert 98 * IO < await io_of(stage, wallet) <= 100 * IO
