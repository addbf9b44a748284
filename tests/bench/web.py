"""What a page costs a reader over a million events: bytes of the first view, first paint, time of the server."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import crowd
import httpx2
import uvicorn
from bench.api import EVENTS, READY_SECS, crowded
from bench.figures import Figures, count, percentile, timed
from bench.machine import COMPUTING
from ionet.listening import listen
from ionet_web.acting import Acting
from ionet_web.app import create_app
from ionet_web.indexer import Indexer
from playwright.async_api import Request, async_playwright

VIEWS, ROUNDS = 5, 12
MOST_BYTES, MOST_PAINT_MS, MOST_SERVER_MS = 100_000, 1_000, 100
_HERE = "127.0.0.1"
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_LISTS = ("nodes", "leases", "clusters", "events", "payments", "proofs", "stakes")


def measure() -> Figures:
    return asyncio.run(_measure())


async def _measure() -> Figures:
    async with crowded() as api, _served(api) as url:
        took = await _asked(url)
        sizes, paints, elsewhere = await _viewed(url)
    note = f"{EVENTS:,} events"
    slowest = max(took, key=lambda path: percentile(took[path], 95))
    each = [value for values in took.values() for value in values]
    return {
        "web.first_view": count("web", max(sizes), "bytes", target=MOST_BYTES),
        "web.other_hosts": count("web", elsewhere, "requests", target=0),
        "web.first_paint": timed("web", paints, "ms", bound_by=COMPUTING, target=MOST_PAINT_MS, note=f"/; {note}"),
        "web.server_p95": timed(
            "web",
            [percentile(each, 95)],
            "ms",
            bound_by=COMPUTING,
            target=MOST_SERVER_MS,
            note=f"{len(took)} kinds of pages, one after the other, {len(each)} in all; {note}",
        ),
        "web.server_p95_worst": timed(
            "web",
            [percentile(took[slowest], 95)],
            "ms",
            bound_by=COMPUTING,
            target=MOST_SERVER_MS,
            note=f"{slowest}; {note}",
        ),
    }


@asynccontextmanager
async def _served(api: int) -> AsyncIterator[str]:
    """The pages as a process, as `ionet web run` is one, but without a limit of an address."""
    with listen(_HERE, 0, "--port") as listener:
        command = [sys.executable, "-m", "bench.web", f"http://{_HERE}:{api}", str(listener.fileno())]
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(listener.fileno(),))
        try:
            yield f"http://{_HERE}:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            await process.wait()


async def _asked(url: str) -> dict[str, list[float]]:
    """Milliseconds of each page, by its kind; every time of something else, so that no answer is an old one."""
    found: dict[str, list[float]] = {}
    async with httpx2.AsyncClient(base_url=url, timeout=READY_SECS) as client:
        await client.get("/tables")  # waits on the socket until the pages are there
        for number in range(ROUNDS):
            for kind, path in _paths(number).items():
                began = time.perf_counter()
                answer = await client.get(path)
                assert answer.status_code == 200, (path, answer.status_code)
                if number:  # the first time opens what the server needs
                    found.setdefault(kind, []).append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(1)  # answers are given again for so long
    return found


def _paths(number: int) -> dict[str, str]:
    keys = {kind: crowd.known_address(kind, number) for kind in ("node", "lease", "cluster", "wallet")}
    return {
        "/": "/",
        "/rent": "/rent",
        "/rent?model": f"/rent?model={1 + number}&gpus=1&hours=3",
        "/stake": "/stake",
        "/iosd": "/iosd",
        "/rules": "/rules",
        "/supply?owner": f"/supply?owner={keys['wallet']}",
        "/nodes/…": f"/nodes/{keys['node']}",
        "/leases/…": f"/leases/{keys['lease']}",
        "/clusters/…": f"/clusters/{keys['cluster']}",
        "/accounts/…": f"/accounts/{keys['wallet']}",
        **{f"/{name}": f"/{name}" for name in _LISTS},
    }


async def _viewed(url: str) -> tuple[list[int], list[float], int]:
    """Bytes transferred for the first page by a browser without a past, milliseconds to its first paint, and how many
    requests went to another host."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium is not None, "the figures of a page need Chromium"
    sizes, paints, elsewhere = [], [], 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, chromium_sandbox=os.geteuid() != 0)
        for _ in range(VIEWS):
            context = await browser.new_context()
            page = await context.new_page()
            asked: list[Request] = []
            done: list[Request] = []
            page.on("request", asked.append)
            page.on("requestfinished", done.append)
            await page.goto(url, wait_until="load")
            painted = await page.wait_for_function(_PAINT)
            paints.append(float(await painted.json_value()))
            each = [await request.sizes() for request in done]
            sizes.append(sum(size["responseBodySize"] + size["responseHeadersSize"] for size in each))
            elsewhere += sum(urlsplit(request.url).hostname != _HERE for request in asked)
            await context.close()
        await browser.close()
    return sizes, paints, elsewhere


async def _serve(api: str, number: int) -> None:
    async with Indexer.at(api) as indexer, Acting.at("") as acting:
        app = create_app(indexer, api, acting, rate=1e6, burst=10**6)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        await server.serve(sockets=[socket.socket(fileno=number)])


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
