"""Solana Actions and Solana Pay's transaction requests, through the pages, as wallets ask."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx2
import pytest
import pytest_asyncio
import segno
from ionet.client import Client
from ionet_actions.kinds import KINDS
from ionet_actions.pay import _LABELS
from market import IO
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction
from web.browser import Reader
from web.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(site: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A wallet that has read a QR code."""
    async with httpx2.AsyncClient(base_url=site, timeout=60) as client:
        yield client


async def test_a_cluster_is_funded_by_a_transaction_request(stage: Stage, phone: httpx2.AsyncClient) -> None:
    wallet = await stage.wallet(io=100 * IO)
    mine = Client(stage.market.admin.rpc, wallet)
    await mine.iosd.mint(100 * IO)
    link = "/actions/fund?iosd=12.5"
    said = (await phone.get(link)).json()
    assert said["label"] == "Fund a cluster"
    assert said["icon"] == f"{str(phone.base_url).rstrip('/')}/static/icon.svg"
    assert (await phone.get("/static/icon.svg")).status_code == 200
    answer = await phone.post(link, json={"account": str(wallet.pubkey())})
    assert answer.status_code == 200, answer.text
    assert "−12.5 IOSD" in answer.json()["message"]
    made = VersionedTransaction.from_bytes(b64decode(answer.json()["transaction"]))
    await mine.submit(b64encode(bytes(VersionedTransaction(made.message, [wallet]))).decode())
    [(_, cluster)] = await mine.cluster.all(renter=wallet.pubkey())
    assert cluster.deposit == 12_500_000


async def test_a_code_for_a_phone_leads_there(phone: httpx2.AsyncClient, reader: Reader, site: str) -> None:
    page = await reader.open(f"{site}/act/fund")
    await page.locator("[name=iosd]").fill("12.5")
    await page.get_by_role("button", name="Show for a phone").click()
    link = await page.get_by_role("link", name="Open in a wallet").get_attribute("href")
    assert link is not None
    scheme, _, url = link.partition(":")
    assert (scheme, unquote(url)) == ("solana", f"{site}/actions/fund?iosd=12.5")
    assert (await phone.get(unquote(url))).json()["label"] == "Fund a cluster"
    drawn = await page.locator(".phone svg path").last.get_attribute("d")
    assert drawn is not None
    assert drawn in segno.make(link, error="m", micro=False).svg_inline()


async def test_what_is_open_is_asked_for(phone: httpx2.AsyncClient) -> None:
    assert (await phone.get("/actions/register")).status_code == 400
    for kind in set(KINDS) - {"register"}:
        said = (await phone.get(f"/actions/{kind}")).json()
        [link] = said["links"]["actions"]
        assert link["href"].startswith(f"/actions/{kind}?")
        assert all(f"{{{each['name']}}}" in link["href"] for each in link["parameters"])
        assert {each["name"] for each in link["parameters"]} <= set(_LABELS)
    whole = (await phone.get("/actions/mint?io=5%26x")).json()["links"]["actions"][0]
    assert (whole["href"], "parameters" in whole) == ("/actions/mint?io=5%26x", False)
    assert (await phone.get("/actions.json")).json()["rules"][0]["apiPath"] == "/actions/*"


async def test_pages_of_any_site_may_ask_these_alone(phone: httpx2.AsyncClient) -> None:
    for path in ("/actions.json", "/actions/mint"):
        for method in ("OPTIONS", "GET"):
            answer = await phone.request(method, path, headers={"origin": "https://example.org"})
            assert answer.headers["access-control-allow-origin"] == "*", (method, path)
            assert "X-Action-Version" in answer.headers["access-control-expose-headers"]
    answer = await phone.post("/actions/mint?io=1", json={}, headers={"sec-fetch-site": "cross-site"})
    assert answer.headers["access-control-allow-origin"] == "*"
    for path in ("/", "/act/mint"):
        assert "access-control-allow-origin" not in (await phone.get(path)).headers


async def test_refusals_have_the_message_that_wallets_show(phone: httpx2.AsyncClient) -> None:
    nobody = str(Keypair().pubkey())
    for path, body, status, named in (
        ("/actions/mint?io=1", {"account": nobody}, 422, "no SOL"),
        ("/actions/mint?io=x", {"account": nobody}, 400, "no amount"),
        ("/actions/mint", {"account": nobody}, 400, "io"),
        ("/actions/mint?io=1", {"account": "x"}, 400, "address"),
        ("/actions/mint?io=1", {}, 400, "str"),
        ("/actions/mint?io=1", [], 400, "object"),
        ("/actions/steal", {"account": nobody}, 400, "no action"),
    ):
        answer = await phone.post(path, json=body)
        assert answer.status_code == status, (path, answer.text)
        assert list(answer.json()) == ["message"]
        assert named in answer.json()["message"], answer.text
