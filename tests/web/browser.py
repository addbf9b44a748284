"""A real Chromium that reads the pages: one for the session, a profile of its own for each test.

Playwright drives the browser that the machine has. Its loop is the session's, so tests of pages in a browser say
`pytestmark = pytest.mark.asyncio(loop_scope="session")`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

WAIT_SECS = 60
"""For what a page is to show; a busy machine draws slowly."""
HERE = "127.0.0.1"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing that is not on this machine has a name or can be reached; as root Chromium has no sandbox.
_OPTIONS = (f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HERE}", "--disable-gpu", "--disable-dev-shm-usage")


@dataclass
class Reader:
    """Somebody with a browser. problems: what a page wrote to the console, and where it asked for anything else than
    this machine; none may be left when the test ends, but those that match `expected`."""

    context: BrowserContext
    expected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def open(self, url: str) -> Page:
        """The page at an address, with what it loads."""
        page = await self.context.new_page()
        await page.goto(url, wait_until="load")
        return page

    async def leave(self) -> None:
        """Close all pages: those that are left go on asking, also a server that ends."""
        for page in self.context.pages:
            await page.close()

    def watch(self) -> None:
        self.context.on("page", self._watch_page)
        self.context.on("request", self._asked)
        self.context.on("weberror", lambda error: self.problems.append(f"script: {error.error}"))

    def left(self) -> Sequence[str]:
        """Problems that nobody expected."""
        return [line for line in self.problems if not any(re.search(each, line) for each in self.expected)]

    def _watch_page(self, page: Page) -> None:
        def said(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.problems.append(f"{page.url}: {message.text}")

        page.on("console", said)

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != HERE:
            self.problems.append(f"asks another host: {request.url}")


def find_chromium() -> str | None:
    """Where Chromium is."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Browser]:
    """The browser at a path."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=list(_OPTIONS), chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            await browser.close()


def _chromium() -> str:
    """Skips the test where there is none, but fails where `.ci/run` has installed it."""
    found = find_chromium()
    if found is not None:
        return found
    if os.environ.get("IONET_BROWSER") == "required":
        pytest.fail("no Chromium on PATH: scripts/lib/install-for-tests should have installed it")
    pytest.skip(f"no Chromium on PATH ({', '.join(_NAMES)})")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser itself."""
    async with launched(_chromium()) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def reader(chromium: Browser) -> AsyncIterator[Reader]:
    """A browser without a past, in English, light and at UTC; the test fails on any problem of a page."""
    context = await chromium.new_context(locale="en-GB", timezone_id="UTC", color_scheme="light")
    context.set_default_timeout(WAIT_SECS * 1000)
    found = Reader(context)
    found.watch()
    yield found
    await context.close()
    if left := found.left():
        pytest.fail("problems of the page:\n" + "\n".join(left))
