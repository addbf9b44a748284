"""What was signed and sent is followed until the chain says what came of it, whatever stops meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ionet.client import Client
from market import IO
from playwright.async_api import Locator, Page, expect
from web.browser import Reader
from web.conftest import NOWHERE, pages
from web.signing import asked, landed, opened, review, set_fault, sign, state
from web.stage import Stage, actions

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def sent_to_nobody(stage: Stage, reader: Reader) -> AsyncIterator[tuple[Page, Locator, str, int]]:
    """A page on which a wallet has signed while what sends transactions was stopped; its form, what it sends, and the
    port on which that could start again."""
    reader.expected.append("with a status of (4|5)")
    wallet = await stage.wallet(io=100 * IO)
    sent: list[str] = []
    async with actions(stage.market.net.rpc_url) as url:
        port = int(url.rpartition(":")[2])
        with_pages = pages(NOWHERE, url)
        site = str(with_pages.__enter__().base_url).rstrip("/")
        page = await opened(reader, site, wallet, "mint")
        page.on(
            "request",
            lambda request: sent.append(str(request.post_data)) if request.url.endswith("/act/transactions") else None,
        )
        form = await review(page, io="100")
        await state(form, "review")
        await set_fault(page, hold=True)
        await sign(form)
        await state(form, "signing")
    try:
        await page.evaluate("window.FAULTS.release()")
        said = await state(form, "unsure")
        assert "do not sign it again" in said
        assert (await asked(page), bool(sent)) == (1, True)
        yield page, form, json.loads(sent[0])["transaction"], port
    finally:
        with_pages.__exit__(None, None, None)
    held = await Client(stage.market.admin.rpc).iosd.balance(wallet.pubkey())
    assert bool(held) is (await form.get_attribute("data-state") != "expired")


@pytest.mark.parametrize("closed", [False, True])
async def test_what_landed_unseen_is_found_and_not_signed_again(stage: Stage, reader: Reader, closed: bool) -> None:
    async with sent_to_nobody(stage, reader) as (page, form, transaction, port):
        await expect(form.get_by_role("button", name="Sign with")).to_have_count(0)
        told = await stage.send(transaction)
        assert told.status_code == 200, told.text
        if closed:
            await page.reload()
        async with actions(stage.market.net.rpc_url, port=port):
            await landed(form)
        link = form.get_by_role("link", name="the transaction")
        assert told.json()["signature"] in (await link.get_attribute("href") or "")
        assert await asked(page) == (0 if closed else 1)
        assert await page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('sent:'))") == []


async def test_what_never_arrived_expires(stage: Stage, reader: Reader) -> None:
    async with sent_to_nobody(stage, reader) as (_, form, _, port):
        stage.market.net.chain.begin_blocks(300)
        async with actions(stage.market.net.rpc_url, port=port):
            assert "nothing happened" in await state(form, "expired")
