"""What waits for a wallet is claimed in the browser: a co-staker's income, and what no account of theirs could take."""

from __future__ import annotations

import pytest
from ionet import addresses
from ionet.client import Client
from ionet.generated import pdas
from ionet.generated.events import LeaseSettled
from ionet.program import PROGRAM
from market import IO, USD
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import create_idempotent_associated_token_account, transfer
from spl.token.models import TransferParams
from web.browser import Reader
from web.signing import asked, done, opened, review, state
from web.stage import Stage
from web.test_threats import other, swapped

pytestmark = pytest.mark.asyncio(loop_scope="session")
IO_MINT, IOSD_MINT = pdas.io_mint(PROGRAM.id), pdas.iosd_mint(PROGRAM.id)
HALF = 5_000
SECS = 3


async def settled(stage: Stage, staker: Keypair) -> tuple[Pubkey, int]:
    """A node that shares half of its income, with a co-staker behind it; and what a settled lease left to them."""
    market, chain = stage.market, Client(stage.market.admin.rpc, staker)
    machine = await market.add_machine("of a co-staker")
    await market.stranger.stake.open_income_vault(machine.address, "IOSD")
    await market.admin.stake.set_terms(machine.address, 0, HALF)
    await chain.stake.add(machine.address, 400 * IO)
    [lease] = await market.book(await market.open_cluster(10 * USD), machine)
    await market.start(lease, machine)
    market.pass_time(SECS)
    await market.prove(lease, machine, 0, SECS, [b"result"])
    await market.renter.lease.end(lease)
    market.pass_time(SECS + 6)
    shared = (await market.renter.lease.settle(lease)).event(LeaseSettled).to_stakers
    return machine.address, shared


async def test_a_co_staker_claims_income(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=500 * IO)
    node, shared = await settled(stage, wallet)
    assert shared > 0
    page = await opened(reader, site, wallet, "income")
    await done(page, site, "income", node=str(node), currency="IOSD")
    held = await Client(stage.market.admin.rpc, wallet).tokens.balance(IOSD_MINT)
    assert shared - 1 <= held <= shared
    reader.expected.append("with a status of 4")
    await page.goto(f"{site}/act/income?node={node}&currency=IOSD")
    assert "NothingToClaim" in await state(await review(page), "refused")
    assert await asked(page) == 0


async def waiting(stage: Stage, wallet: Keypair, amount: int) -> Client:
    """The wallet's client; this much IO waits for it in its owed account."""
    treasury, owner = stage.market.treasury, wallet.pubkey()
    await treasury.owed.open(IO_MINT, owner)
    await treasury.send([moved(treasury.address, addresses.token_account(treasury.address, IO_MINT), owner, amount)])
    return Client(stage.market.admin.rpc, wallet)


def moved(payer: Pubkey, source: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    waits = pdas.owed(PROGRAM.id, IO_MINT, owner)
    return transfer(TransferParams(program_id=TOKEN_PROGRAM_ID, source=source, dest=waits, owner=payer, amount=amount))


async def test_what_waits_is_claimed_to_the_wallets_own_account(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet()
    client = await waiting(stage, wallet, 7 * IO)
    page = await opened(reader, site, wallet, "owed")
    await page.goto(f"{site}/act/owed?currency=IO")
    await page.locator("[data-wallet-bar][data-state=connected]").wait_for()
    form = await review(page)
    await state(form, "review")
    assert "+7 IO" in await form.locator(".moves").inner_text()
    await done(page, site, "owed", currency="IO")
    assert await client.tokens.balance(IO_MINT) == 7 * IO
    assert await client.owed.amount(IO_MINT) == 0


async def test_a_claim_that_would_pay_another_account_is_not_shown_to_the_wallet(
    stage: Stage, reader: Reader, site: str
) -> None:
    """Whoever builds it may say that it is the wallet's: the program of token accounts would have to agree."""
    wallet, thief = await stage.wallet(), Keypair().pubkey()
    client = await waiting(stage, wallet, 7 * IO)
    theirs = addresses.token_account(thief, IO_MINT)
    own = create_idempotent_associated_token_account(wallet.pubkey(), wallet.pubkey(), IO_MINT)
    for_thief = create_idempotent_associated_token_account(wallet.pubkey(), thief, IO_MINT)
    to_thief = await client.owed.claim(IO_MINT, theirs).instructions()
    page = await opened(reader, site, wallet, "owed")
    told: dict[str, str] = {}
    await swapped(page, lambda answer: answer.update(told))
    for opening in ([], [own], [for_thief], [own, for_thief]):
        told["transaction"] = await other(stage, wallet, *opening, *to_thief)
        await page.goto(f"{site}/act/owed?currency=IO")
        await page.locator("[data-wallet-bar][data-state=connected]").wait_for()
        assert "another account would be paid" in await state(await review(page), "swapped")
    assert await asked(page) == 0
    assert await client.owed.amount(IO_MINT) == 7 * IO
