"""A cluster by a wallet in the browser: funded, rented, run by the launcher's key, ended."""

from __future__ import annotations

import pytest
from ionet.client import Client
from ionet.generated.enums import LeaseStatus
from ionet.wallet import KeypairSigner
from market import IO, USD
from playwright.async_api import expect
from web.browser import Reader
from web.signing import asked, connect, done, give_wallet, landed, opened, review, sign, state
from web.stage import SESSION, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_fund_rent_end(stage: Stage, reader: Reader, site: str) -> None:
    wallet, market = await stage.wallet(io=1_000 * IO), stage.market
    chain = Client(market.admin.rpc)
    machines = [await market.add_machine(f"rented {number}") for number in range(2)]
    page = await opened(reader, site, wallet, "mint")
    await done(page, site, "mint", io="500")
    await done(page, site, "fund", iosd="12.5")
    [(_, funded)] = await chain.cluster.all(renter=wallet.pubkey())
    assert (funded.deposit, funded.session_key) == (12_500_000, SESSION.pubkey())

    await page.goto(f"{site}/act/rent")
    await expect(page.locator("[data-wallet-bar]")).to_have_attribute("data-state", "connected")
    form = await review(page, nodes=" ".join(str(each.address) for each in machines), minutes="30")
    await state(form, "review")
    shown = await form.locator(".moves").inner_text()
    await sign(form)
    await landed(form)
    clusters = dict(await chain.cluster.all(renter=wallet.pubkey()))
    [cluster] = [key for key, each in clusters.items() if each.deposit != funded.deposit]
    # Two nodes of two processors at $2 for half an hour, and the fee.
    assert 4 * USD <= clusters[cluster].deposit < 5 * USD
    assert f"−{clusters[cluster].deposit / USD:g} IOSD" in shown
    leases = await chain.lease.all(cluster=cluster)
    assert {lease.node for _, lease in leases} == {each.address for each in machines}
    assert all(lease.duration == 1_800 for _, lease in leases)

    by_node = {lease.node: key for key, lease in leases}
    for machine in machines:
        lease = by_node[machine.address]
        await market.admin.lease.mark_ready(lease, KeypairSigner(machine.device))
        await market.admin.lease.accept_ready(lease, KeypairSigner(SESSION))
    reader.expected.append("with a status of 4")
    await page.goto(f"{site}/act/extend?cluster={cluster}")
    form = await review(page, minutes="10")
    assert "free; a budget cannot grow" in await state(form, "bad-request")
    await done(page, site, "end", cluster=str(cluster))
    ended = [lease for _, lease in await chain.lease.all(cluster=cluster)]
    assert {lease.status for lease in ended} == {LeaseStatus.ENDED}


async def test_what_cannot_be_rented_is_said_before_the_wallet_opens(stage: Stage, reader: Reader, site: str) -> None:
    reader.expected.append("with a status of 4")
    machine = await stage.market.add_machine("paused")
    wallet = await stage.wallet()
    await give_wallet(reader, wallet)
    page = await reader.open(f"{site}/act/rent?nodes={machine.address}")
    await connect(page)
    form = await review(page, minutes="30")
    assert await state(form, "not-enough") == "you have no IOSD"
    assert "is leased for" in await state(await review(page, minutes="100000"), "bad-request")
    assert "whole number" in await state(await review(page, minutes="1.5"), "bad-request")
    await stage.market.admin.node.pause(machine.address)
    assert "it is paused" in await state(await review(page, minutes="31"), "bad-request")
    assert await asked(page) == 0
