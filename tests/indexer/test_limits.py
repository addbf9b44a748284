from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx2
import pytest
from indexer.api_server import served
from ionet import places
from ionet.buckets import Buckets
from ionet.errors import InvalidInput
from ionet.program import PROGRAM
from ionet_indexer.api.app import create_app
from ionet_indexer.api.export import Exports
from ionet_indexer.api.limits import FOR_MANY, TURNS, Places, limit, pages_named
from ionet_indexer.core.reader import Reader
from ionet_indexer.core.refusals import TooMuch
from litestar import Request


def test_a_bucket_fills_at_its_rate() -> None:
    now = 100.0
    buckets = Buckets(rate=2.0, burst=3, clock=lambda: now)
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b") == 0.0
    now += 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == 0.5
    now += 60
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_buckets_of_many_addresses_do_not_fill_the_memory() -> None:
    buckets = Buckets(rate=1.0, burst=1)
    for number in range(20_000):
        buckets.take(str(number))
    assert len(buckets._levels) == 10_000


async def test_too_many_requests_are_told_when_to_come_again(dsn: str) -> None:
    async with Reader.open(dsn) as reader:
        app: Any = create_app(reader, PROGRAM.codec, rate=0.1, burst=2)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            answers = [await client.get("/v1/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert answers[-1].json()["type"] == "too-many-requests"
    assert int(answers[-1].headers["retry-after"]) == 10


@pytest.mark.parametrize(
    ("proxies", "given", "statuses"),
    [
        (None, "10.0.0.{}", [200, 200, 429, 429]),  # a client says what it likes, also through a proxy that lets it
        ("127.0.0.1", "10.0.0.{}", [200, 200, 200, 200]),
        ("127.0.0.1", "10.0.0.1", [200, 200, 429, 429]),
        ("127.0.0.1", "10.0.0.{}, 10.0.0.9", [200, 200, 429, 429]),  # what a proxy was told, and what it saw
        ("10.1.1.1", "10.0.0.{}", [200, 200, 429, 429]),
    ],
)
def test_no_header_makes_a_client_another_unless_a_proxy_is_named(
    proxies: str | None, given: str, statuses: list[int], dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if proxies is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", proxies)
    with served(dsn, rate=0.001, burst=2, proxies=None) as address:
        found = [
            httpx2.get(f"{address}/v1/models", headers={"x-forwarded-for": said}, timeout=60).status_code
            for said in map(given.format, range(4))
        ]
    assert found == statuses


def test_pages_that_the_owner_names_ask_for_many(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the address that they really have, and by nothing that they say."""
    monkeypatch.setenv("IONET_PAGES", "127.0.0.2, 2001:db8::1")
    with served(dsn, rate=1e-6, burst=2, proxies="") as url:
        for address, answered in (("127.0.0.2", 2 * FOR_MANY), ("127.0.0.3", 2)):
            transport = httpx2.HTTPTransport(local_address=address)
            with httpx2.Client(base_url=url, transport=transport, timeout=60) as client:
                said = {"x-forwarded-for": "127.0.0.2", "forwarded": "for=127.0.0.2"}
                statuses = [client.get("/v1/models", headers=said).status_code for _ in range(2 * FOR_MANY + 1)]
            assert statuses == [200] * answered + [429] * (len(statuses) - answered), address


@pytest.mark.parametrize("named", ["pages.example", "10.0.0.0/8", "127.0.0.2;127.0.0.3"])
def test_what_is_no_address_of_pages_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONET_PAGES", named)
    with pytest.raises(InvalidInput, match="IONET_PAGES"):
        pages_named()


def request(address: str) -> Any:
    scope: Any = {"type": "http", "client": (address, 1), "state": {}}
    return Request(scope)


def test_places_are_bound_in_all_and_for_an_address() -> None:
    places = Places("streams", most=3, each=2)
    one, two = places.take(request("10.0.0.1")), places.take(request("::ffff:10.0.0.1"))
    with pytest.raises(TooMuch, match="this address has 2 streams"):
        places.take(request("10.0.0.1"))
    other = places.take(request("2001:db8::1"))
    with pytest.raises(TooMuch, match="there are 3 streams"):
        places.take(request("2001:db8::2"))
    for _ in range(2):  # it is given back once
        one.release()
    assert places.taken == 2
    places.take(request("10.0.0.2"))
    for place in (two, other):
        place.release()
    assert {who: len(own) for who, own in places._places._taken.items()} == {
        "10.0.0.2": 1
    }  # and nothing of who has none


def test_who_has_most_makes_room_for_who_has_less() -> None:
    """Down to equal shares, and its oldest first: what was taken early keeps nobody out."""
    places = Places("streams", most=6, each=4)
    over: list[tuple[str, int]] = []
    for address, number in [("10.0.0.1", 4), ("10.0.0.2", 2)]:
        for at in range(number):
            places.take(request(address)).on_over = partial(over.append, (address, at))
    places.take(request("10.0.0.3"))
    assert over == [("10.0.0.1", 0)]
    places.take(request("10.0.0.3"))
    assert over == [("10.0.0.1", 0), ("10.0.0.1", 1)]
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):  # all have two: nobody gets a third
        with pytest.raises(TooMuch, match="there are 6 streams") as refused:
            places.take(request(address))
        assert refused.value.headers == {"Retry-After": "10"}
    places.take(request("10.0.0.4"))
    assert places.taken == 6


def test_the_export_that_is_read_most_slowly_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has waited a minute in all; before, and where both are read, others have to wait."""
    now = 100.0
    monkeypatch.setattr(places, "time", SimpleNamespace(monotonic=lambda: now))
    exports = Exports()
    slow, fast = (exports.take(request(f"10.0.0.{number}")) for number in range(2))
    for _ in range(2):
        with slow.waiting():
            now += 20
        with fast.waiting():
            now += 1
    with pytest.raises(TooMuch, match="there are 2 exports") as refused:
        exports.take(request("10.0.0.3"))
    assert refused.value.headers == {"Retry-After": "10"}
    with slow.waiting():
        now += 20
        third = exports.take(request("10.0.0.3"))
    assert [place.is_over for place in (slow, fast, third)] == [True, False, False]
    with pytest.raises(TooMuch, match="there are 2 exports"):
        exports.take(request("10.0.0.4"))


async def test_no_address_has_all_connections(dsn: str) -> None:
    """While a table is locked every request for it waits at its connection: those of one address leave some over, and
    what it computes leaves threads over.
    """
    holder, connection = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as api:
            async with holder.transaction():
                await holder.execute("LOCK TABLE cases")
                one, two = ({"x-forwarded-for": f"10.0.0.{number}"} for number in range(2))
                stuck = [asyncio.create_task(api.get("/v1/cases", headers=one)) for _ in range(24)]
                while await connection.fetchval(waits) < TURNS:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                for path in ("/v1/models", "/v1/network", "/health", f"/v1/trace/{'0' * 64}"):
                    await api.get(path, headers=two)
                assert await connection.fetchval(waits) == TURNS
                assert not any(each.done() for each in stuck)
            assert {each.status_code for each in await asyncio.gather(*stuck)} == {200}
    for each in (holder, connection):
        await each.close()


async def test_places_come_back_however_an_answer_ends() -> None:
    """With the answer, an error, or a client that went before anything was sent."""
    places = Places("streams", most=1, each=1)

    async def answered(scope: Any, *_: Any) -> None:
        places.take(Request(scope))
        assert places.taken == 1

    async def broken(scope: Any, *_: Any) -> None:
        places.take(Request(scope))
        raise KeyError

    async def endless(scope: Any, *_: Any) -> None:
        places.take(Request(scope))
        await asyncio.Event().wait()

    wrap = limit(rate=1.0, burst=100)
    never: Any = None
    await wrap(answered)(request("a").scope, never, never)
    assert places.taken == 0
    with pytest.raises(KeyError):
        await wrap(broken)(request("a").scope, never, never)
    assert places.taken == 0
    gone = asyncio.ensure_future(wrap(endless)(request("a").scope, never, never))
    while not places.taken:  # noqa: ASYNC110
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert places.taken == 0
