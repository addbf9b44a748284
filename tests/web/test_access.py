"""Who reads with a screen reader, a keyboard or a phone: axe-core finds nothing on any kind of page, in either theme.

axe-core is from npm, under MPL-2.0, for this test alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx2
import npm
import pytest
import pytest_asyncio
from bench.web import MOST_BYTES, view
from ionet_web.app import MENU
from ionet_web.lists import LISTS
from playwright.async_api import Browser, Page, ViewportSize
from web.browser import WAIT_SECS
from web.conftest import pages
from web.test_pages import Read
from web.test_world import SOURCES

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE, DESK = ViewportSize(width=360, height=800), ViewportSize(width=1_440, height=900)
CONTRAST = ["color-contrast"]
_INTERACTIVE = "a[href], button, input, select, textarea, [tabindex]"


def one_of_each(client: httpx2.Client) -> list[str]:
    """A page of every kind that links lead to: the menu's, lists, entities, forms with an answer, a refusal."""
    found: dict[str, str] = {}
    todo = [*(path for path, _ in MENU), *(f"/{name}" for name in LISTS), "/rent?gpus=2", "/search?q=b2", "/nothing"]
    while todo:
        path = todo.pop(0)
        parts = urlsplit(path)
        kind = re.sub(r"^/(\w+)/.*", r"/\1/", parts.path) + ("?" if parts.query else "")
        if kind in found or path.startswith("/csv/"):
            continue
        found[kind] = path
        todo += sorted(link for link in Read(client.get(path).text).links if link.startswith("/"))
    return list(found.values())


@pytest.fixture(scope="module")
def site(apis: dict[str, httpx2.Client]) -> Iterator[httpx2.Client]:
    """The pages over the story that has most kinds of things."""
    with pages(str(apis["conflicts"].base_url)) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def axed(chromium: Browser) -> AsyncIterator[Page]:
    """A browser's page with axe-core in it, whatever it shows."""
    axe = (await npm.install(SOURCES)) / "node_modules/axe-core/axe.min.js"
    context = await chromium.new_context(bypass_csp=True)  # for axe-core alone
    context.set_default_timeout(WAIT_SECS * 1000)
    await context.add_init_script(path=axe)
    yield await context.new_page()
    await context.close()


async def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    asked = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = await page.evaluate("async (asked) => (await axe.run(asked)).violations", asked)
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


async def test_axe_finds_nothing_and_nothing_sticks_out(site: httpx2.Client, axed: Page) -> None:
    """On a light phone, and all but plain lists on a dark desk too, with contrast in the other two: colours are the
    theme's, and lists differ in their columns alone."""
    found: dict[str, list[str]] = {}
    for path in one_of_each(site):
        await axed.set_viewport_size(PHONE)
        await axed.emulate_media(color_scheme="light")
        await axed.goto(f"{site.base_url}{path}", wait_until="domcontentloaded")
        wrong = await violations(axed)
        over = await axed.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{over} px too wide for a phone"] if over > 0 else []
        if path.removeprefix("/") not in LISTS:
            await axed.emulate_media(color_scheme="dark")
            wrong += await violations(axed, CONTRAST)
            await axed.set_viewport_size(DESK)
            wrong += await violations(axed)
            await axed.emulate_media(color_scheme="light")
            wrong += await violations(axed, CONTRAST)
        if wrong:
            found[path] = wrong
    assert found == {}


async def test_refusals_of_forms_read_as_well(site: httpx2.Client, axed: Page) -> None:
    await axed.set_viewport_size(PHONE)
    for path in ("/rent?gpus=0", "/supply?owner=x", "/stake?wallet=x"):
        answered = await axed.goto(f"{site.base_url}{path}")
        assert answered is not None
        assert answered.status == 400
        assert await violations(axed) == [], path


async def test_a_first_view_is_light(site: httpx2.Client, chromium: Browser) -> None:
    """Of whoever comes for the first time, whichever page of the menu they come to."""
    for path in ("/act/rent", *(path for path, _ in MENU)):
        seen = await view(chromium, f"{site.base_url}{path}")
        assert 2_000 < seen.transferred <= MOST_BYTES, path
        assert seen.painted > 0, path


async def test_axe_would_find_what_is_wrong(site: httpx2.Client, axed: Page) -> None:
    await axed.goto(f"{site.base_url}/tables")
    await axed.evaluate(
        """() => {
            document.documentElement.removeAttribute("lang");
            document.querySelector(".help").style.color = "#ddd";
        }"""
    )
    found = await violations(axed)
    assert {"html-has-lang", "color-contrast"} <= {each.partition(":")[0] for each in found}


@pytest.mark.parametrize("path", ["/rent", "/trace", "/nodes"])
async def test_a_keyboard_reaches_everything(site: httpx2.Client, axed: Page, path: str) -> None:
    await axed.set_viewport_size(PHONE)
    await axed.goto(f"{site.base_url}{path}")
    wanted = await axed.evaluate(
        f"""() => {{
            const all = [...document.querySelectorAll({_INTERACTIVE!r})].filter((each) => each.checkVisibility());
            all.forEach((each, number) => {{ each.dataset.stop = number; }});
            return all.length;
        }}"""
    )
    reached = []
    for _ in range(wanted):
        await axed.keyboard.press("Tab")
        stop, outline = await axed.evaluate(
            "() => [document.activeElement.dataset.stop, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline != "none", stop
        reached.append(int(stop))
    assert reached == list(range(wanted))  # in the order of the page


async def test_a_keyboard_skips_the_menu_and_asks(site: httpx2.Client, axed: Page) -> None:
    await axed.goto(f"{site.base_url}/rent")
    await axed.keyboard.press("Tab")
    await axed.keyboard.press("Enter")
    await axed.wait_for_url("**/rent#content")
    await axed.keyboard.press("Tab")
    assert await axed.evaluate("document.activeElement.name") == "model"
    await axed.keyboard.type("b200")
    await axed.keyboard.press("Enter")
    await axed.wait_for_url("**/rent?model=b200*")
