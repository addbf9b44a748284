"""Signing on a phone of 360 px: a cluster and stake, and each state of a form as a screen reader has it (axe-core)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import npm
import pytest
import pytest_asyncio
from ionet.client import Client
from market import IO
from playwright.async_api import Browser, Page, expect
from solders.keypair import Keypair
from web.browser import WAIT_SECS, Reader
from web.signing import connect, give_wallet, landed, review, state
from web.stage import Stage
from web.test_access import CONTRAST, PHONE, violations
from web.test_world import SOURCES

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(chromium: Browser) -> AsyncIterator[Reader]:
    """A small touch screen, with axe-core in every page."""
    axe = (await npm.install(SOURCES)) / "node_modules/axe-core/axe.min.js"
    context = await chromium.new_context(bypass_csp=True, viewport=PHONE, has_touch=True)
    context.set_default_timeout(WAIT_SECS * 1000)
    await context.add_init_script(path=axe)
    yield Reader(context)
    await context.close()


async def require_readable(page: Page, where: str) -> None:
    """In light and, for its colours, in dark; and nothing sticks out."""
    await page.emulate_media(color_scheme="light")
    assert await violations(page) == [], where
    await page.emulate_media(color_scheme="dark")
    assert await violations(page, CONTRAST) == [], where
    over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0, f"{where}: {over} px too wide"


async def shown(page: Page, site: str, kind: str, wrong: dict[str, str]) -> None:
    """A form before it is filled in and with what is wrong."""
    await page.goto(f"{site}/act/{kind}")
    await expect(page.locator("[data-wallet-bar]")).to_have_attribute("data-state", "connected")
    await require_readable(page, f"{kind}, connected")
    await state(await review(page, **wrong), "bad-request")
    await require_readable(page, f"{kind}, refused")


async def test_a_cluster_and_stake_by_touch(stage: Stage, phone: Reader, site: str) -> None:
    wallet: Keypair = await stage.wallet(io=1_000 * IO)
    await Client(stage.market.admin.rpc, wallet).iosd.mint(500 * IO)
    machine = await stage.market.add_machine("of a phone")
    await stage.market.admin.stake.set_terms(machine.address, 5_000)
    node = str(machine.address)
    await give_wallet(phone, wallet)
    page = await phone.open(f"{site}/act/rent")
    for kind in ("register", "stake", "rent"):
        await page.goto(f"{site}/act/{kind}")
        await require_readable(page, f"{kind}, no wallet")
    await connect(page)
    terms = {"model": "1", "processors": "1", "price": "1", "country": "DE"}
    await page.goto(f"{site}/act/register")
    await page.get_by_role("button", name="Make a device key").tap()
    await page.locator("[data-save]").wait_for()
    await state(await review(page, **terms), "unsaved")
    await require_readable(page, "register, its key not saved")
    for kind, fields, wrong in (
        ("rent", {"nodes": node, "minutes": "30"}, {"nodes": node, "minutes": "no"}),
        ("stake", {"node": node, "io": "400"}, {"node": "x", "io": "400"}),
    ):
        await shown(page, site, kind, wrong)
        form = await review(page, **fields)
        await state(form, "review")
        await require_readable(page, f"{kind}, reviewed")
        await form.locator("[data-sign]").tap()
        await landed(form)
        await require_readable(page, f"{kind}, signed")
    chain = Client(stage.market.admin.rpc)
    [(cluster, _)] = await chain.cluster.all(renter=wallet.pubkey())
    assert [lease.node for _, lease in await chain.lease.all(cluster=cluster)] == [machine.address]
    assert (await chain.stake.get(machine.address, wallet.pubkey())).staker == wallet.pubkey()
