"""The pages as a browser shows them, and that the fixture notices what it is there for."""

from __future__ import annotations

import re

import httpx2
import pytest
from web.browser import Reader
from web.conftest import pages

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_network_page_reads(api: httpx2.Client, reader: Reader) -> None:
    with pages(str(api.base_url)) as client:
        page = await reader.open(str(client.base_url))
        assert await page.get_by_role("heading", level=1).inner_text() == "Network"
        assert await page.get_by_role("navigation", name="Pages").get_by_role("link").count() >= 5
        # The script has run: times are the reader's, with how far off they are.
        await page.locator("time[title]").first.wait_for()
        number = page.locator(".number").first
        assert "tabular-nums" in await number.evaluate("one => getComputedStyle(one).fontVariantNumeric")
        await page.get_by_role("link", name="Nodes").first.click()
        await page.wait_for_url(re.compile("/nodes$"))


async def test_console_and_other_hosts_are_noticed(api: httpx2.Client, reader: Reader) -> None:
    with pages(str(api.base_url)) as client:
        page = await reader.open(str(client.base_url))
        await page.evaluate("console.error('a mishap')")
        with pytest.raises(Exception, match="Failed to fetch"):
            await page.evaluate("fetch('https://example.org/')")
    assert any("a mishap" in problem for problem in reader.left())
    assert any("example.org" in problem for problem in reader.left())
    reader.expected.append(".")
