"""Every page that can be reached by links from the first one, over the recorded stories."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from ionet_web.app import MENU
from ionet_web.lists import LISTS
from web.conftest import pages

ROOT = Path(__file__).parents[2]
MOST_BYTES = 100_000
MOST_PAGES = 400
_VOID = {"meta", "link", "input"}


class Read(HTMLParser):
    """What a page holds; refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.add(given["href"] or "")
        if tag in ("script", "img", "link"):
            self.loads.add(given.get("src") or given.get("href") or "")
        assert not any(name.startswith("on") or name == "style" for name in given), given
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def crawl(client: httpx2.Client) -> dict[str, Read]:
    """Pages by their address, as far as links lead on the same host."""
    found: dict[str, Read] = {}
    files: set[str] = set()
    todo = [*(path for path, _ in MENU), *(f"/{name}" for name in LISTS)]
    while todo and len(found) < MOST_PAGES:
        path = todo.pop(0)
        if path in found or path.partition("?")[0] in files:
            continue
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:2000])
        assert answer.num_bytes_downloaded <= MOST_BYTES, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        if path.startswith("/csv/"):
            assert answer.headers["content-type"].startswith("text/csv"), path
            assert len(list(csv.reader(io.StringIO(answer.text)))) > 1, path
            files.add(path.partition("?")[0])
            continue
        found[path] = page = Read(answer.text)
        words = " ".join(page.text)
        assert not re.search(r"\b(None|undefined|Undefined|Markup)\b", words), path
        todo += sorted(link for link in page.links if link.startswith("/"))
    return found


def _one_of_each(links: set[str]) -> list[str]:
    """Of links that differ in keys and values alone, one."""
    return sorted({re.sub(r"=[^&]*|\b[1-9A-HJ-NP-Za-km-z]{32,}\b", "", link): link for link in sorted(links)}.values())


def test_all_links_lead_to_pages_that_are_whole(story: httpx2.Client) -> None:
    found = crawl(story)
    kinds = {urlsplit(path).path.split("/")[1] for path in found}
    assert {"nodes", "leases", "clusters", "accounts", "transactions", "stakes", "slots", "models"} <= kinds
    assert {load for page in found.values() for load in page.loads} == {
        "/static/icon.svg",
        "/static/style.css",
        "/static/page.js",
        "/static/trace.js",
        "/static/wallet.js",
    }
    outside = {link for page in found.values() for link in page.links if not link.startswith(("/", "#"))}
    assert outside  # links to the numbers
    with httpx2.Client(timeout=60) as reader:
        for link in _one_of_each(outside):
            while (answer := reader.get(link)).status_code == 429:
                time.sleep(float(answer.headers["retry-after"]))
            assert answer.status_code == 200, link


def test_columns_and_filters_are_the_apis() -> None:
    document = json.loads((ROOT / "docs/openapi.json").read_text())
    for listed in LISTS.values():
        operation = document["paths"][f"/v1/{listed.name}"]["get"]
        answer = _resolved(document, operation["responses"]["200"]["content"]["application/json"]["schema"])
        item = _resolved(document, answer["properties"]["items"]["items"])
        assert {column.field for column in listed.columns} <= set(item["properties"]), listed.name
        assert set(listed.filters) <= {parameter["name"] for parameter in operation["parameters"]}, listed.name


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def test_what_strangers_wrote_is_text(api: httpx2.Client) -> None:
    with pages(str(api.base_url)) as client:
        for path in (
            "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
            "/nodes?model=%22%3E%3Cimg%20src=x%3E",
            "/nodes/%3Cb%3E",
        ):
            answer = client.get(path)
            assert answer.status_code in (200, 400, 404), path
            assert "<script>alert" not in answer.text
            assert "<img" not in answer.text
            assert "<b>" not in answer.text
            Read(answer.text)


def test_problems_are_pages(api: httpx2.Client) -> None:
    with pages(str(api.base_url)) as client:
        for path, status in (
            ("/nothing", 404),
            ("/nodes?max_price=x", 400),
            ("/leases/x", 400),
            ("/nodes?cursor=x", 400),
        ):
            answer = client.get(path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"].startswith("text/html")
            assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_an_indexer_that_is_away_is_said() -> None:
    with pages("http://127.0.0.1:9") as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "the indexer does not answer" in answer.text
