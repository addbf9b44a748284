"""How heavy the pages are and how long they take over a million events: in Chromium, and each kind by itself."""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from bench import api
from bench.database import durable_server
from bench.figures import Figures, count, percentile, timed
from bench.machine import COMPUTING
from crowd import known_address, known_signature
from ionet.advert import Advert, Gpu, encode
from ionet.http_server import serve_until_stopped
from ionet_web.acting import Acting
from ionet_web.acts import SORTS
from ionet_web.app import MENU, create_app
from ionet_web.indexer import FRESH_SECS, Indexer
from ionet_web.lists import LISTS
from ionet_web.service import Connection
from playwright.async_api import Browser
from web.browser import find_chromium, launched

EVENTS, ROUNDS, PASSES, VIEWS = 1_000_000, 20, 3, 5
MOST_BYTES, MOST_PAINT_SECS, MOST_PAGE_MS = 100_000, 1, 100
_READY_SECS = 120.0
_FAR = 1 << 40
# What a browser asks for; without it answers are not compressed.
_BROWSER = ("accept: text/html", "accept-encoding: gzip")
# Milliseconds from the request.
_PAINTED = """new Promise((done) => new PerformanceObserver((list) => {
    const [first] = list.getEntriesByName("first-contentful-paint");
    if (first) done(first.startTime);
}).observe({ type: "paint", buffered: true }))"""


class View(NamedTuple):
    """A page as Chromium loads it for the first time. transferred: bytes of it and all that it asks for, with heads.
    painted: seconds until something of its content stands there."""

    transferred: int
    painted: float


class Found(NamedTuple):
    """slowest: for each pass, by page, the 95th percentile in milliseconds. weights: bytes of each page's HTML."""

    slowest: list[dict[str, float]]
    weights: dict[str, int]
    first: list[View]
    heaviest: View


def measure() -> Figures:
    return figures(asyncio.run(_measure(EVENTS, ROUNDS, PASSES)), EVENTS)


def figures(found: Found, events: int) -> Figures:
    kinds = len(found.weights)
    pages = f"{events:,} events, {kinds} pages by turns, one request at a time, a round in a second or more"
    worst = [max(each.values()) for each in found.slowest]
    middle = [statistics.median(each.values()) for each in found.slowest]
    name = max(found.slowest[-1].items(), key=lambda item: item[1])[0]
    heaviest = max(found.weights, key=lambda page: found.weights[page])
    return {
        "web.first_view": count("web", max(view.transferred for view in found.first), "bytes", target=MOST_BYTES),
        "web.heaviest_view": msgspec.structs.replace(
            count("web", found.heaviest.transferred, "bytes", target=MOST_BYTES), note=f"/{heaviest}"
        ),
        "web.first_paint": timed(
            "web",
            [view.painted for view in found.first],
            "s",
            bound_by=COMPUTING,
            target=MOST_PAINT_SECS,
            note="Chromium, empty cache",
        ),
        "web.page_p95_worst": timed(
            "web", worst, "ms", bound_by=COMPUTING, target=MOST_PAGE_MS, note=f"/{name}; {pages}"
        ),
        "web.page_p95_median": timed("web", middle, "ms", bound_by=COMPUTING, target=MOST_PAGE_MS, note=pages),
    }


async def _measure(events: int, rounds: int, passes: int) -> Found:
    path = find_chromium()
    assert path is not None, "no Chromium on PATH"
    with durable_server() as server:
        # As much time as there are events, up to now: the drawings show the last week.
        dsn = await api.filled(server, events, int(time.time()) - events, _busy())
        async with AsyncExitStack() as stack:
            told = await stack.enter_async_context(api.process("bench.api", dsn))
            await _until_rentable(told)
            port = await stack.enter_async_context(api.process("bench.web", f"http://127.0.0.1:{told}"))
            browser = await stack.enter_async_context(launched(path))
            asked = await api.Connection.open(port)
            stack.callback(asked.close)
            await asked.get("/", *_BROWSER)
            slowest, weights = [], dict[str, int]()
            for number in range(passes):
                slowest.append(await _passed(asked, number * rounds, rounds, weights))
            first = [await view(browser, f"http://127.0.0.1:{port}/") for _ in range(VIEWS)]
            heaviest = max(weights, key=lambda page: weights[page])
            address = dict(pages_of(1))[heaviest]
            return Found(slowest, weights, first, await view(browser, f"http://127.0.0.1:{port}{address}"))


def _busy() -> str:
    """SQL: all models can be hired, and every node has said that it is there."""
    node, hour = known_address("node", 1), 3_600
    said = Advert(
        node, 1, _FAR - hour, ["127.0.0.1:7070"], [], "", "2.60.0", "12.4", "bubblewrap", [Gpu("NVIDIA H100", 81_559)]
    )
    return f"""
        UPDATE models SET enabled = true;
        INSERT INTO adverts SELECT node, device_key, 1, {_FAR}, {_FAR}, 0, '', '[]', '{encode(said).decode()}', ''
        FROM nodes;
        ANALYZE adverts, models;
    """


async def _until_rentable(port: int) -> None:
    """The API looks now and then who is there."""
    async with asyncio.timeout(_READY_SECS):
        connection = await api.Connection.open(port)
        while True:
            told = msgspec.json.decode(await connection.get("/v1/network"))
            if int(told["item"]["nodes_rentable"]):
                break
            await asyncio.sleep(0.2)
        connection.close()


def pages_of(number: int) -> Iterator[tuple[str, str]]:
    """Name and address of a page of each kind; things that have pages are others for each number."""
    yield from ((path.removeprefix("/"), path) for path, _ in MENU)
    yield from ((name, f"/{name}") for name in LISTS)
    yield from ((f"act/{kind}", f"/act/{kind}") for kind in SORTS)
    wallet = known_address("wallet", number)
    for name, key in (
        *((f"{kind}s", known_address(kind, number)) for kind in ("node", "lease", "cluster")),
        ("models", str(number % 27)),
        ("accounts", wallet),
        ("transactions", known_signature(number)),
        ("slots", str(number)),
    ):
        yield f"{name}/…", f"/{name}/{key}"
    for name, query in (
        ("rent", {"gpus": 1 + number % 4, "isolation": "own-user", "min_score": "0"}),
        ("stake", {"wallet": wallet}),
        ("supply", {"owner": wallet}),
        ("search", {"q": known_address("node", number)}),
    ):
        yield f"{name}?…", f"/{name}?{urlencode(query)}"


async def _passed(asked: api.Connection, begin: int, rounds: int, weights: dict[str, int]) -> dict[str, float]:
    """By page, the 95th percentile of some rounds through all of them, in milliseconds. weights: are filled in."""
    took: dict[str, list[float]] = {}
    for number in range(begin, begin + rounds):
        again = time.monotonic() + FRESH_SECS
        for name, path in pages_of(1 + number):
            began = time.perf_counter()
            body = await asked.get(path, *_BROWSER)
            took.setdefault(name, []).append((time.perf_counter() - began) * 1_000)
            weights[name] = max(weights.get(name, 0), len(body))
        await asyncio.sleep(max(0.0, again - time.monotonic()))
    return {name: percentile(each, 95) for name, each in took.items()}


async def view(browser: Browser, url: str) -> View:
    """A page in a browser that has never been there."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        sizes: list[float] = []

        def loaded(event: dict[str, Any]) -> None:
            sizes.append(event["encodedDataLength"])

        session.on("Network.loadingFinished", loaded)
        await session.send("Network.enable")
        await page.goto(url, wait_until="load")
        return View(round(sum(sizes)), float(await page.evaluate(_PAINTED)) / 1_000)
    finally:
        await context.close()


async def _serve(url: str, descriptor: int) -> None:
    listener = socket.socket(fileno=descriptor)
    async with Indexer.at(url, 1e6, 10**6) as indexer, Acting.at(url) as acting:
        app = create_app(indexer, url, acting, rate=1e6, burst=10**6)
        await serve_until_stopped(app, listener, "127.0.0.1", Connection, 100, lambda _: None)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
