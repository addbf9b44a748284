"""A node registered in the browser: the owner's wallet signs, then a device key that the page has made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ionet.client import Client
from ionet.wallet import read_keypair
from market import USD
from web.browser import Reader
from web.signing import landed, opened, review, sign, state
from web.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_register_a_node(stage: Stage, reader: Reader, site: str, tmp_path: Path) -> None:
    wallet = await stage.wallet()
    page = await opened(reader, site, wallet, "register")
    await page.get_by_role("button", name="Make a device key").click()
    device = page.locator("[name=device]")
    await page.locator("[data-save]").wait_for()
    address = await device.input_value()
    fields = {"model": "1", "processors": "2", "price": "1.25", "country": "DE"}
    assert "Save the device key first" in await state(await review(page, **fields), "unsaved")
    async with page.expect_download() as saving:
        await page.get_by_role("link", name="Save device.json").click()
    file = tmp_path / "device.json"
    await (await saving.value).save_as(file)
    assert len(json.loads(file.read_text())) == 64
    assert str(read_keypair(file).pubkey()) == address
    form = await review(page, **fields)
    await state(form, "review")
    await sign(form)
    await landed(form)
    chain = Client(stage.market.admin.rpc)
    [(_, node)] = await chain.node.all(owner=wallet.pubkey())
    assert str(node.device_key) == address
    assert (node.model, node.processors, node.price, node.country) == (1, 2, 1_250_000, 276)
    assert (node.payout, node.fee_payer, node.price) == (wallet.pubkey(), node.device_key, 5 * USD // 4)
