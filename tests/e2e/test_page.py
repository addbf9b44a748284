"""The way of a renter who has a browser and a wallet: found, signed, watched while it runs, ended, paid and closed; and
what is signed while the indexer behind the pages stands still."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.renter import Renter, rented_from
from ionet.cli import human
from ionet.client import Client
from ionet.wallet import read_keypair
from leftovers import processes_of
from playwright.async_api import Page, expect
from solders.keypair import Keypair
from web.browser import Reader, chromium, reader  # noqa: F401
from web.signing import connect, give_wallet, review, sign, state

pytestmark = pytest.mark.asyncio(loop_scope="session")
_PATIENCE_SECS = 180


async def until_shown(page: Page, url: str, status: str) -> None:
    """Look at a page until its first fact is this state."""
    deadline = time.monotonic() + _PATIENCE_SECS
    while True:
        await page.goto(url)
        if await page.locator("dl.facts .state").first.inner_text() == status:
            return
        assert time.monotonic() < deadline, await page.locator("main").inner_text()
        await page.wait_for_timeout(300)


async def signed(page: Page, url: str, **fields: str) -> None:
    """A form of a page, until these pages show what it did."""
    await page.goto(url)
    await expect(page.locator("[data-wallet-bar]")).to_have_attribute("data-state", "connected")
    form = await review(page, **fields)
    await state(form, "review")
    await sign(form)
    await state(form, "done")


@contextmanager
def stopped(folder: Path, words: str) -> Iterator[None]:
    """The process of a network below `folder` whose command line has these words stands still."""
    [process] = [process for process, command in processes_of(folder).items() if words in command]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.drill
async def test_rented_watched_and_ended_in_a_browser(temporary: Path, reader: Reader) -> None:  # noqa: F811
    with rented_from(temporary) as renter:
        wallet: Keypair = read_keypair(renter.shell.keypair)
        await give_wallet(reader, wallet)
        page = await reader.open(f"{renter.page}/rent?hours=1")
        await page.get_by_role("link", name="Sign it here").click()
        await connect(page)
        await signed(page, page.url, spare="5")
        async with Client(renter.shell.url) as chain:
            [(cluster, opened)] = await chain.cluster.all(renter=wallet.pubkey())
            await page.get_by_role("link", name="your cluster").click()
            await watched(page)
            await page.get_by_role("link", name="Extend a cluster").click()
            await signed(page, page.url, minutes="60")
            [(lease, longer)] = await chain.lease.all(cluster=cluster)
            assert longer.duration == 2 * 3_600
        await until_shown(page, f"{renter.page}/leases/{lease}", "active")
        await page.goto(f"{renter.page}/clusters/{cluster}")
        await page.get_by_role("link", name="End a cluster", exact=True).click()
        await signed(page, page.url)
        await until_shown(page, f"{renter.page}/clusters/{cluster}", "closed")
        money = await page.locator("main").inner_text()
        assert "Refunded" in money
        assert f"ionet receipt {cluster}" in money
        assert human.money(opened.deposit, "IOSD") in money
        await signed_without_indexer(renter, page, temporary)


async def watched(page: Page) -> None:
    """Its node's phases come by themselves, and what it costs grows from second to second."""
    phase = page.get_by_role("region", name="Nodes, phase by phase").locator("tbody .state")
    await expect(phase.get_by_text("active", exact=True)).to_be_visible(timeout=_PATIENCE_SECS * 1_000)
    cost = page.locator("[data-hourly] .number").first
    for _ in range(2):
        before = await cost.inner_text()
        await expect(cost).not_to_have_text(before)
        assert float(await cost.inner_text()) > float(before)
    assert await page.evaluate("performance.getEntriesByType('navigation')[0].type") == "navigate"
    await expect(page.locator("main")).to_contain_text("ionet cluster connect")


async def signed_without_indexer(renter: Renter, page: Page, folder: Path) -> None:
    """The chain goes on: what the wallet signs is built, sent and confirmed, and the page says what it cannot show."""
    await page.goto(f"{renter.page}/act/fund")
    await expect(page.locator("[data-wallet-bar]")).to_have_attribute("data-state", "connected")
    with stopped(folder, "indexer run"):  # what reads the chain; its API answers from what was read
        deadline = time.monotonic() + _PATIENCE_SECS
        while True:
            form = await review(page, iosd="1.5")
            await state(form, "review")
            if await form.locator("[data-behind]").count():
                break
            assert time.monotonic() < deadline
        await expect(form.locator("[data-behind]")).to_contain_text("slots behind the chain")
        await sign(form)
        said = await state(form, "behind")
        assert "nothing is lost" in said
        assert "slots behind the chain" in said
    await state(form, "done")  # by itself
    await form.get_by_role("link", name="your cluster").click()
    await expect(page.locator("main")).to_contain_text("1.5 IOSD")
    await page.goto("about:blank")  # it would go on looking
