"""The threats of docs/web.md, each tried in a real browser: what is stopped, and that nothing was signed or sent."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ionet.client import Client
from ionet.wallet import compile_message
from market import IO
from playwright.async_api import Page, Request, Route
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route as StarletteRoute
from web.browser import Reader
from web.signing import asked, opened, review, set_fault, sign, state
from web.stage import Stage, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")
Change = Callable[[dict[str, Any]], None]


async def other(stage: Stage, wallet: Keypair, *instructions: Instruction) -> str:
    """Another transaction that this wallet could sign."""
    block = await stage.market.admin.rpc.blockhash()
    message = compile_message(wallet.pubkey(), instructions, block.hash)
    empty = VersionedTransaction.populate(message, [])
    return b64encode(b"\x01" + bytes(64) + bytes(empty)[1:]).decode()


async def swapped(page: Page, change: Change) -> None:
    """From now on what builds transactions lies."""

    async def lie(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        change(told)
        await route.fulfill(response=answer, body=json.dumps(told))

    await page.route("**/act/plans/*", lie)


def sent(page: Page) -> list[str]:
    """Transactions that the page sends from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/act/transactions"):
            found.append(request.url)

    page.on("request", note)
    return found


async def test_a_swapped_transaction_is_not_shown_to_the_wallet(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=1_000 * IO)
    client = Client(stage.market.admin.rpc, wallet)
    thief = Pubkey.new_unique()
    payment = transfer(TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=thief, lamports=10**9))
    honest = await client.iosd.mint(100 * IO).instructions()
    lies = {
        "more": await other(stage, wallet, *await client.iosd.mint(900 * IO).instructions()),
        "a program": await other(stage, wallet, *honest, payment),
        "twice": await other(stage, wallet, *honest, honest[-1]),
        "another action": await other(stage, wallet, *await client.stake.request_unbond(thief, 1).instructions()),
        "nothing promised": await other(stage, wallet, *await client.iosd.mint(100 * IO, min_iosd=1).instructions()),
        "another payer": await other(stage, Keypair(), *honest),
        "no transaction": b64encode(b"\x01" * 200).decode(),
    }
    page = await opened(reader, site, wallet, "mint")
    told: dict[str, Any] = {}
    await swapped(page, lambda answer: answer.update(told))
    for name, transaction in lies.items():
        told["transaction"] = transaction
        said = await state(await review(page, io="100"), "swapped")
        assert "not what this page asked for" in said, name
        await page.reload()
        await page.locator("[data-wallet-bar][data-state=connected]").wait_for()
    assert await asked(page) == 0


async def test_a_chain_that_lies_about_what_comes_is_noticed(stage: Stage, reader: Reader, site: str) -> None:
    """A fake RPC node can say anything of what will move: the signed bytes have to insist on it."""
    page = await opened(reader, site, await stage.wallet(io=1_000 * IO), "mint")

    def lie(answer: dict[str, Any]) -> None:
        for move in answer["moves"]:
            if move["token"] == "IOSD":
                move["units"], move["amount"] = str(10 * int(move["units"])), "+2,000 IOSD"

    await swapped(page, lie)
    assert "less IOSD could come" in await state(await review(page, io="100"), "swapped")
    assert await asked(page) == 0


async def test_what_a_wallet_swaps_is_not_sent(stage: Stage, reader: Reader, site: str) -> None:
    wallet = await stage.wallet(io=1_000 * IO)
    client = Client(stage.market.admin.rpc, wallet)
    page = await opened(reader, site, wallet, "mint")
    posts = sent(page)
    form = await review(page, io="100")
    await state(form, "review")
    swap = await other(stage, wallet, *await client.iosd.mint(900 * IO).instructions())
    await set_fault(page, swap=swap)
    await sign(form)
    assert "something else than was shown" in await state(form, "swapped")
    assert posts == []


async def test_another_transaction_that_is_said_to_be_sent_is_noticed(stage: Stage, reader: Reader, site: str) -> None:
    page = await opened(reader, site, await stage.wallet(io=1_000 * IO), "mint")
    lie = {"signature": "1" * 64, "slot": 1, "fee": "0", "events": []}
    await page.route("**/act/transactions", lambda route: route.fulfill(json=lie))
    form = await review(page, io="100")
    await state(form, "review")
    await sign(form)
    assert "another transaction was sent" in await state(form, "swapped")


@asynccontextmanager
async def evil(html: str) -> AsyncIterator[str]:
    """Another site of this machine."""
    app = Starlette(routes=[StarletteRoute("/", lambda _: HTMLResponse(html))])
    async with serving(app) as url:
        yield url


async def test_no_page_frames_these(reader: Reader, site: str) -> None:
    reader.expected.append("frame-ancestors")
    async with evil(f'<link rel=icon href="data:,"><iframe src="{site}/act/mint"></iframe>') as url:
        page = await reader.open(url)
        frame = page.frame_locator("iframe")
        assert await frame.get_by_role("button", name="Review").count() == 0
        assert any("frame-ancestors" in problem for problem in reader.problems)


async def test_another_sites_page_can_neither_ask_nor_send(stage: Stage, reader: Reader, site: str) -> None:
    reader.expected.append("(with a status of 4|CORS policy|ERR_FAILED)")
    wallet = await stage.wallet(io=10 * IO)
    body = json.dumps({"account": str(wallet.pubkey()), "io": "1"})
    statuses: list[int] = []
    async with evil('<link rel=icon href="data:,"><p>Win</p>') as url:
        page = await reader.open(url)
        page.on("response", lambda answer: statuses.append(answer.status) if "/act/" in answer.url else None)
        for path in ("/act/plans/mint", "/act/transactions"):
            # This type a page may send without asking first; whatever comes back it cannot read.
            await page.evaluate(
                "([url, body]) => fetch(url, {method: 'POST', mode: 'no-cors', body})", [f"{site}{path}", body]
            )
            with pytest.raises(Exception, match="Failed to fetch"):
                await page.evaluate(
                    "([url, body, headers]) => fetch(url, {method: 'POST', headers, body})",
                    [f"{site}{path}", body, {"content-type": "application/json"}],
                )
    assert statuses.count(403) == 2, statuses
    assert all(status >= 400 for status in statuses), statuses


async def test_what_others_wrote_is_text(stage: Stage, reader: Reader, site: str) -> None:
    """What comes from an address, a wallet's name, or what builds transactions, is never markup."""
    reader.expected.append("with a status of 4")
    script = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    page = await opened(reader, site, await stage.wallet(io=10 * IO), "mint", name=script)
    await page.goto(f"{site}/act/mint?io=%22%3E%3Cimg%20src%3Dx%20onerror%3D%22window.hacked%3D1%22%3E")
    await page.locator("[data-wallet-bar][data-state=connected]").wait_for()
    said = {"type": "refused", "title": script, "status": 422, "detail": script}
    await page.route("**/act/plans/*", lambda route: route.fulfill(status=422, json=said))
    form = await review(page)
    assert script in await state(form, "refused")
    assert script in await page.locator("[data-wallet-bar] [data-say]").inner_text()
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("main img").count() == 0
