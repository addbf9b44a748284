"""A person with a wallet in the browser: connects it, fills a form in, reviews, signs."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Locator, Page, expect
from solders.keypair import Keypair
from web.browser import WAIT_SECS, Reader

_SOURCE = Path(__file__).with_name("wallet.js").read_text()
# What stands before the 32 bytes of an Ed25519 seed in PKCS #8.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
expect.set_options(timeout=WAIT_SECS * 1000)


async def give_wallet(
    reader: Reader,
    wallet: Keypair,
    *,
    chains: Sequence[str] = ("solana:localnet",),
    versions: Sequence[str | int] = ("legacy", 0),
    late_ms: int = 0,
    name: str = "Test wallet",
) -> None:
    """Put a wallet into every page that is opened from now on. late_ms: after which it registers."""
    said = {
        "pkcs8": b64encode(_PKCS8 + wallet.secret()).decode(),
        "publicKey": b64encode(bytes(wallet.pubkey())).decode(),
        "address": str(wallet.pubkey()),
        "chains": list(chains),
        "versions": list(versions),
        "late": late_ms,
        "name": name,
    }
    await reader.context.add_init_script(f"window.WALLET = {json.dumps(said)};\n{_SOURCE}")


async def connect(page: Page) -> None:
    """Connect the one wallet that there is."""
    await page.get_by_role("button", name="Connect a wallet").click()
    await expect(page.locator("[data-wallet-bar]")).to_have_attribute("data-state", "connected")


async def review(page: Page, **fields: str) -> Locator:
    """Fill the form in and ask for the transaction; the form itself."""
    form = page.locator("form[data-expected]")
    for name, value in fields.items():
        await form.locator(f"[name={name}]").fill(value)
    await form.get_by_role("button", name="Review").click()
    return form


async def sign(form: Locator) -> None:
    await form.locator("[data-sign]").click()


async def state(form: Locator, *names: str) -> str:
    """What the form says once it is in one of these states."""
    await expect(form).to_have_attribute("data-state", re.compile(f"^({'|'.join(names)})$"))
    return await form.locator("[data-say]").inner_text()


async def landed(form: Locator) -> str:
    """What the form says once the chain has confirmed, whether the pages show it or not."""
    return await state(form, "confirmed", "behind", "done")


async def set_fault(page: Page, **faults: Any) -> None:
    """See FAULTS in wallet.js."""
    await page.evaluate("faults => Object.assign(window.FAULTS, faults)", faults)


async def asked(page: Page) -> int:
    """How often the wallet was opened."""
    found: int = await page.evaluate("window.FAULTS.asked")
    return found


async def opened(reader: Reader, site: str, wallet: Keypair, kind: str, **given: Any) -> Page:
    """The form of a kind, with the wallet connected. given: see `give_wallet`."""
    await give_wallet(reader, wallet, **given)
    page = await reader.open(f"{site}/act/{kind}")
    await connect(page)
    return page


async def done(page: Page, site: str, kind: str, **fields: str) -> None:
    """Another form of the same person: filled in, reviewed, signed, confirmed."""
    await page.goto(f"{site}/act/{kind}?{urlencode(fields)}")
    await expect(page.locator("[data-wallet-bar]")).to_have_attribute("data-state", "connected")
    form = await review(page)
    await state(form, "review")
    await sign(form)
    await landed(form)
