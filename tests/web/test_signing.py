"""A wallet in a real browser signs on the pages: the whole way of an action, and every way in which it can fail."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from ionet.client import Client
from market import IO, USD
from playwright.async_api import Locator, Page, Route, TimeoutError, expect
from solders.keypair import Keypair
from web.browser import Reader
from web.conftest import NOWHERE, pages
from web.signing import asked, connect, give_wallet, landed, opened, review, set_fault, sign, state
from web.stage import Stage, actions

pytestmark = pytest.mark.asyncio(loop_scope="session")
# Chromium writes the status of what was refused to the console.
REFUSED, AWAY = "with a status of 4", "with a status of 5"


async def minted(stage: Stage, wallet: Keypair) -> int:
    return await Client(stage.market.admin.rpc).iosd.balance(wallet.pubkey())


async def reviewed(page: Page, io: str = "100") -> Locator:
    form = await review(page, io=io)
    await state(form, "review")
    return form


async def test_mint_in_a_browser(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=1_000 * IO)
    page = await opened(reader, site, wallet, "mint")
    form = await review(page, io="100")
    assert "Nothing is signed yet" in await state(form, "review")
    moves = await form.locator(".moves").inner_text()
    assert "−100 IO" in moves
    assert "IOSD" in moves
    assert "s left" in await form.locator("[data-sign]").inner_text()
    assert await asked(page) == 0
    await sign(form)
    # Its indexer is away: the page says what it knows, and that it does not show it yet.
    said = await state(form, "behind")
    assert "Confirmed by the chain: nothing is lost. The indexer behind these pages does not answer." in said
    assert await asked(page) == 1
    assert 190 * USD < await minted(stage, wallet) <= 200 * USD


async def test_how_far_the_pages_are_behind_is_said(
    stage: Stage, reader: Reader, apis: dict[str, httpx2.Client]
) -> None:
    """Their indexer shows another, older chain: it never catches up."""
    api = apis["ordinary"]
    told, chain = api.get("/v1/network").json()["slot"], stage.market.net.chain
    while await stage.market.admin.rpc.slot() < told + 100:
        chain.begin_blocks(100)
    wallet = await stage.wallet(io=10 * IO)
    with pages(str(api.base_url), stage.url) as client:
        page = await opened(reader, str(client.base_url).rstrip("/"), wallet, "mint")
        form = await reviewed(page, "1")
        await expect(form.locator("[data-behind]")).to_contain_text("slots behind the chain")
        assert "What stands here comes from the chain" in await form.locator("[data-behind]").inner_text()
        await sign(form)
        await landed(form)
        assert "slots behind the chain. They will show it later" in await state(form, "behind")
        await reader.leave()
    assert await minted(stage, wallet) > 0


async def test_a_wallet_that_comes_late_and_knows_version_1_alone(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=10 * IO)
    await give_wallet(reader, wallet, versions=(1,), late_ms=500)
    page = await reader.open(f"{site}/act/mint?io=10")
    await connect(page)
    form = await review(page)
    await state(form, "review")
    await sign(form)
    await landed(form)
    assert await minted(stage, wallet) > 0


async def test_not_enough_is_said_before_the_wallet_opens(stage: Stage, reader: Reader, site: str) -> None:
    reader.expected.append(REFUSED)
    page = await opened(reader, site, await stage.wallet(io=70 * IO), "mint")
    form = await review(page, io="1000")
    assert await state(form, "not-enough") == "you have 70 IO, 1,000 needed"
    assert await asked(page) == 0


async def test_locked_then_refused_then_signed(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=1_000 * IO)
    await give_wallet(reader, wallet)
    page = await reader.open(f"{site}/act/mint")
    await set_fault(page, locked=True)
    await page.get_by_role("button", name="Connect a wallet").click()
    bar = page.locator("[data-wallet-bar]")
    await expect(bar).to_have_attribute("data-state", "locked")
    assert "unlock it" in await bar.locator("[data-say]").inner_text()
    form = await review(page, io="1")
    assert "Connect a wallet first" in await state(form, "no-wallet")
    await set_fault(page, locked=False, refuse=True)
    await connect(page)
    form = await reviewed(page)
    await sign(form)
    assert "User rejected" in await state(form, "refused")
    assert await minted(stage, wallet) == 0
    await set_fault(page, refuse=False)
    form = await reviewed(page)
    await sign(form)
    await landed(form)
    assert await minted(stage, wallet) > 0


async def test_a_wallet_of_another_network(stage: Stage, reader: Reader, site: str) -> None:
    page = await opened(reader, site, await stage.wallet(io=10 * IO), "mint", chains=("solana:mainnet",))
    form = await reviewed(page, "1")
    await sign(form)
    assert "solana:localnet" in await state(form, "wrong-network")
    assert await asked(page) == 0


async def test_a_click_while_it_is_built_again_is_not_lost(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=10 * IO)
    page = await opened(reader, site, wallet, "mint")
    form = await reviewed(page, "1")
    begun, released = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        begun.set()
        await released.wait()
        await route.continue_()

    await page.route("**/act/plans/**", held)
    await begun.wait()
    with pytest.raises(TimeoutError):  # there is nothing to click on
        await form.locator("[data-sign]").click(timeout=500)
    released.set()
    await sign(form)
    await landed(form)
    assert await minted(stage, wallet) > 0


async def test_what_nears_its_end_is_built_again_and_what_is_signed_too_late_expires(
    stage: Stage, reader: Reader, site: str
) -> None:
    """A blockhash lives for 15 s here."""
    wallet = await stage.wallet(io=1_000 * IO)
    page = await opened(reader, site, wallet, "mint")
    plans: list[str] = []
    page.on("request", lambda request: plans.append(request.url) if "/act/plans/" in request.url else None)
    form = await reviewed(page)
    await expect(form.locator("[data-sign]")).to_be_visible()
    while len(plans) < 2:
        await page.wait_for_event("response", lambda response: "/act/plans/" in response.url)
    await set_fault(page, hold=True)
    reader.expected.append(REFUSED)
    await sign(form)
    await state(form, "signing")
    stage.market.net.chain.begin_blocks(300)
    await page.evaluate("window.FAULTS.release()")
    assert "too late" in await state(form, "expired")
    assert await minted(stage, wallet) == 0
    await set_fault(page, hold=False)
    form = await reviewed(page)
    await sign(form)
    await landed(form)


async def test_two_tabs_spend_the_same_once(stage: Stage, reader: Reader, site: str) -> None:
    reader.expected.append(REFUSED)
    wallet = await stage.wallet(io=100 * IO)
    await give_wallet(reader, wallet)
    tabs = [await reader.open(f"{site}/act/mint") for _ in range(2)]
    for tab in tabs:
        await connect(tab)
    forms = [await reviewed(tab) for tab in tabs]
    await sign(forms[0])
    await landed(forms[0])
    await tabs[1].bring_to_front()
    # What it showed may have been built again meanwhile; then there is nothing to sign any more.
    if await forms[1].get_attribute("data-state") == "review" and await forms[1].locator("[data-sign]").count():
        await sign(forms[1])
    assert "IO" in await state(forms[1], "not-enough")
    assert 190 * USD < await minted(stage, wallet) <= 200 * USD


async def test_chain_and_actions_that_are_away_are_said(reader: Reader) -> None:
    reader.expected.append(AWAY)
    wallet = Keypair()
    await give_wallet(reader, wallet)
    async with actions(NOWHERE) as url:
        with pages(NOWHERE, url) as client:
            page = await reader.open(f"{client.base_url}/act/mint")
            await connect(page)
            form = await review(page, io="1")
            assert "The chain does not answer" in await state(form, "chain-away")
    with pages(NOWHERE, NOWHERE) as client:
        page = await reader.open(f"{client.base_url}/act/mint")
        await connect(page)
        form = await review(page, io="1")
        assert "builds transactions does not answer" in await state(form, "actions-away")


async def test_pages_without_actions_say_so() -> None:
    with pages(NOWHERE) as client:
        assert "Nothing is signed on these pages" in client.get("/act/mint").text
        answer = client.post("/act/plans/mint", json={})
    assert answer.status_code == 404


async def test_without_a_script_the_form_reads(reader: Reader, site: str) -> None:
    browser = reader.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{site}/act/mint?io=5")
    assert await page.locator("[name=io]").input_value() == "5"
    assert "ionet iosd mint AMOUNT" in await page.locator("form.act").inner_text()
    assert "Signing needs a script" in await page.locator("form.act").inner_text()
    await page.get_by_role("button", name="Review").click()
    await page.wait_for_url("**/act/mint?io=5")
    await context.close()


async def test_the_pages_pass_on_only_what_is_short() -> None:
    with pages(NOWHERE, NOWHERE) as client:
        answer = client.post("/act/transactions", json={"transaction": "A" * 20_000})
    assert answer.status_code in (400, 413)
