"""What an indexer that lies, or answers nonsense, can do to the pages and their readers: markup, loops, silence."""

from __future__ import annotations

import threading
from typing import Any

import httpx2
import pytest
from indexer.api_server import items
from ionet_web import indexer as reading
from web.browser import Reader
from web.conftest import pages
from web.hostile import lying
from web.test_pages import Read

MARKUP = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"

# By the path that is asked, which an honest indexer does not know either.
BODIES = {
    "/v1/models/0": b"",
    "/v1/models/1": b"[]",
    "/v1/models/2": b"{",
    "/v1/models/3": b"[" * 100_000,
    "/v1/models/4": b'"' + b"x" * (5 << 20) + b'"',
}
NONSENSE: list[Any] = [None, {}, [], "x", -1, 1 << 80, True]


def paths(api: httpx2.Client) -> list[str]:
    """A page of each kind."""
    lease = items(api, "leases")[0]
    return [
        *("/", "/rent", "/nodes", "/events", "/stake", "/iosd", "/rules", "/leases", "/models/1"),
        *(f"/supply?owner={lease['owner']}", f"/stake?wallet={lease['owner']}", f"/accounts/{lease['owner']}"),
        *(f"/nodes/{lease['node']}", f"/leases/{lease['lease']}", f"/clusters/{lease['cluster']}"),
        *(f"/slots/{lease['slot']}", f"/transactions/{items(api, 'events')[0]['signature']}", "/search?q=b200"),
    ]


def everywhere(value: Any, change: Any) -> Any:
    """All strings changed, but for numbers written as such, keys and hashes of which addresses are made."""
    if isinstance(value, dict):
        return {name: everywhere(each, change) for name, each in value.items()}
    if isinstance(value, list):
        return [everywhere(each, change) for each in value]
    return change(value)


def test_markup_in_any_answer_is_text(api: httpx2.Client) -> None:
    def marked(value: Any) -> Any:
        return MARKUP if isinstance(value, str) and not value.isdigit() else value

    with lying(api, lambda _, found: everywhere(found, marked)) as url, pages(url) as client:
        shown = 0
        for path in paths(api):
            answer = client.get(path)
            assert "<img" not in answer.text, path
            assert "<script>" not in answer.text, path
            Read(answer.text)
            shown += "&lt;img" in answer.text
        assert shown > 10  # it was there, as text


@pytest.mark.asyncio(loop_scope="session")
async def test_markup_runs_in_no_browser(api: httpx2.Client, reader: Reader) -> None:
    def marked(value: Any) -> Any:
        return MARKUP if isinstance(value, str) and not value.isdigit() else value

    with lying(api, lambda _, found: everywhere(found, marked)) as url, pages(url) as client:
        page = await reader.open(f"{client.base_url}/nodes")
        assert await page.title() == "Nodes – ionet"
        assert await page.locator("main img").count() == 0


def test_nonsense_of_the_indexer_is_said(api: httpx2.Client) -> None:
    """Whatever stands in place of each value, a page is a whole page, or one that says what is wrong."""
    values = iter(NONSENSE * 10)
    with lying(api, lambda _, found: everywhere(found, lambda _: now)) as url, pages(url) as client:
        for path in paths(api):
            now = next(values)
            answer = client.get(path)
            assert answer.status_code in (200, 400, 404, 502, 503), (path, now, answer.text)
            assert answer.headers["content-type"].startswith("text/html"), path
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "Traceback" not in answer.text
            Read(answer.text)


def test_an_answer_that_is_none_is_said(api: httpx2.Client) -> None:
    with lying(api, lambda path, _: BODIES[path.partition("?")[0]]) as url, pages(url) as client:
        for number, path in enumerate(BODIES):
            answer = client.get(f"/models/{path.rpartition('/')[2]}")
            assert answer.status_code == 503, number
            assert "the indexer does not answer" in answer.text


def test_an_indexer_that_is_slow_holds_nobody(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def late(_: str, found: Any) -> Any:
        over.wait(60)
        return found

    monkeypatch.setattr(reading, "ANSWER_SECS", 0.2)
    with lying(api, late) as url, pages(url) as client:
        answer = client.get("/")
        over.set()
    assert answer.status_code == 503
