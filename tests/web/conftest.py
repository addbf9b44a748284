from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import httpx2
import pytest
import pytest_asyncio
import uvicorn
from indexer.api_server import prepared, served
from indexer.conftest import api, api_dsn, apis, conflicts, endings, recording, server  # noqa: F401
from indexer.recording import STORIES, Recording
from indexer.test_adverts import said, send
from ionet.listening import listen
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_web.acting import Acting
from ionet_web.app import create_app
from ionet_web.indexer import Indexer
from ionet_web.service import Connection
from waiting import WITHIN_SECS
from web.browser import Reader, chromium, reader  # noqa: F401
from web.stage import Stage, stage  # noqa: F401

_ADVERT_SECS = 30


@contextmanager
def pages(
    url: str,
    actions: str = "",
    *,
    rate: float = 1e6,
    burst: int = 10**6,
    asking: tuple[float, int] = (1e6, 10**6),
) -> Iterator[httpx2.Client]:
    """A client of the pages over the API at this address, and the actions at that one.

    asking: rate and burst of what one reader's pages ask of the API.
    """
    listener = listen("127.0.0.1", 0, "--port")
    running: list[uvicorn.Server] = []
    began = threading.Event()

    async def serve() -> None:
        async with Indexer.at(url, *asking) as indexer, Acting.at(actions) as acting:
            config = uvicorn.Config(
                create_app(indexer, url, acting, rate=rate, burst=burst),
                http=Connection,
                log_level="warning",
                timeout_graceful_shutdown=2,
            )
            running.append(uvicorn.Server(config))
            began.set()
            await running[0].serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    began.wait(30)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
            yield client
    finally:
        running[0].should_exit = True
        thread.join(30)
        listener.close()


NOWHERE = "http://127.0.0.1:9"
"""Where nothing answers."""


@pytest_asyncio.fixture(loop_scope="session")
async def site(stage: Stage, reader: Reader) -> AsyncIterator[str]:  # noqa: F811
    """Pages with actions, whose indexer is away."""
    with pages(NOWHERE, stage.url) as client:
        yield str(client.base_url).rstrip("/")
        await reader.leave()


@pytest.fixture(scope="session")
def rentable(server: EmbeddedPostgres, recording: Recording) -> Iterator[httpx2.Client]:  # noqa: F811
    """The pages over the recorded market, with its first node online and every node free to be hired."""
    with rentable_pages(server, recording) as (_, client):
        yield client


@contextmanager
def rentable_pages(
    server: EmbeddedPostgres,  # noqa: F811
    recording: Recording,  # noqa: F811
) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    """Clients of the API and of the pages over such a market."""
    dsn = prepared(server, "rentable", recording)
    asyncio.run(_free_all(dsn))
    with served(dsn) as url, httpx2.Client(base_url=url, timeout=60) as told, _advertised(told, recording):
        deadline = time.monotonic() + WITHIN_SECS
        while not told.get("/v1/nodes?rentable=true").json()["items"]:  # who is online is looked at now and then
            assert time.monotonic() < deadline, "the node that says it is there is not rentable"
            time.sleep(0.2)
        with pages(url) as client:
            yield told, client


@contextmanager
def _advertised(told: httpx2.Client, recording: Recording) -> Iterator[None]:  # noqa: F811
    """The first node says that it is there, again and again: an advert is old after three minutes. Its system takes
    connections where it says so."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    place = f"127.0.0.1:{listener.getsockname()[1]}"

    def say() -> None:
        while not over.is_set():
            advert = said(recording, isolation="bubblewrap", endpoints=[place])
            sent = send(told, advert, recording.story.machines[0].device)
            assert sent.status_code == 201, sent.text
            over.wait(_ADVERT_SECS)

    thread = threading.Thread(target=say)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        listener.close()


async def _free_all(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE nodes SET flags = 0, current_lease = NULL, bonded = bonded * 100")
    await connection.close()


@pytest.fixture(scope="module", params=STORIES)
def story(request: pytest.FixtureRequest, apis: dict[str, httpx2.Client]) -> Iterator[httpx2.Client]:  # noqa: F811
    """The pages over each recorded story."""
    with pages(str(apis[request.param].base_url)) as client:
        yield client
