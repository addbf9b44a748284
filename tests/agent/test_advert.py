"""An agent tells each indexer once a minute where it is, whatever the others do. Real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from agent.advert_taker import Taker
from ionet import advert as messages
from ionet.advert import Bandwidth, LeaseLimits, NotAdvertised, find_agent
from ionet.errors import ConfigError
from ionet.isolation import Isolation, Limits
from ionet_agent import advert as module
from ionet_agent.advert import Advertiser, endpoints_of
from ionet_agent.options import endpoint
from ionet_agent.report import measure
from launcher.ports import free_range
from leases import DEVICE, NODE

ENDPOINTS = ["127.0.0.1:7070"]


@contextlib.asynccontextmanager
async def advertising(*urls: str) -> AsyncIterator[None]:
    running = asyncio.create_task(Advertiser(urls, NODE, DEVICE, measure(), ENDPOINTS).run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE_SECS", 0.05)
    monkeypatch.setattr(module, "_LAST_PAUSE_SECS", 0.1)
    monkeypatch.setattr(module, "_TIMEOUT_SECS", 1.0)


async def test_an_indexer_takes_what_an_agent_says() -> None:
    async with Taker().serving() as taker, advertising(taker.url):
        await taker.until(1)
    [(headers, body)] = taker.taken
    assert messages.is_signed(DEVICE.pubkey(), body, headers["ionet-signature"])
    said = messages.decode(body, headers["ionet-node"], DEVICE.pubkey())
    assert (said.node, said.endpoints, said.relays, said.isolation) == (str(NODE), ENDPOINTS, [], "none")
    assert said.ray == measure().ray
    assert len(body) < messages.MAX_BYTES


async def test_it_says_which_cuda_the_driver_has_and_why_isolation_is_weak() -> None:
    made = Advertiser([], NODE, DEVICE, measure(), ENDPOINTS, cuda="13.0", weaker="container: \x1b\nno" + 300 * "x")
    said = messages.decode(messages.encode(made._next()), str(NODE), DEVICE.pubkey())
    assert said.cuda == "13.0"
    assert said.isolation_reason == "container: ??no" + 185 * "x"


async def test_it_says_what_a_lease_gets() -> None:
    kept = Isolation("none", Limits(8, 60 * 2**30, 100 * 2**30, 2**30, 4_096), {})
    made = Advertiser([], NODE, DEVICE, measure(isolation=kept), ENDPOINTS)
    said = messages.decode(messages.encode(made._next()), str(NODE), DEVICE.pubkey())
    assert said.limits == LeaseLimits(8, 60 * 1024, 100 * 1024, 4_096)


async def test_indexers_that_are_gone_silent_or_hostile_keep_no_other_from_it() -> None:
    [port] = free_range(1)
    async with (
        Taker().serving() as taker,
        Taker(status=500, body=b"x" * 1_000_000).serving() as endless,
        Taker(status=429, body=b"no json").serving() as refusing,
        Taker(silent=True).serving() as silent,
        advertising(f"http://127.0.0.1:{port}", "nonsense", endless.url, refusing.url, silent.url, taker.url),
    ):
        await taker.until(1)
        await asyncio.gather(endless.until(3), refusing.until(3), silent.until(2))
        assert len(taker.taken) == 1, "one a minute is enough"
        numbers = [messages.decode(body, str(NODE), DEVICE.pubkey()).seq for _, body in endless.taken]
        assert numbers == sorted(set(numbers)), "a number is used once"


async def test_it_is_told_again_in_the_next_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MINUTE", 0.2)
    async with Taker().serving() as taker:
        running = Advertiser([taker.url], NODE, DEVICE, measure(), ENDPOINTS)
        running._moment = 0
        task = asyncio.create_task(running.run())
        await taker.until(3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_where_an_agent_says_that_it_is() -> None:
    assert endpoints_of("127.0.0.1", 7070, []) == ["127.0.0.1:7070"]
    assert endpoints_of("::1", 7070, []) == ["[::1]:7070"]
    assert endpoints_of("0.0.0.0", 7070, []) == []
    assert endpoints_of("0.0.0.0", 7070, ["1.2.3.4:5"]) == ["1.2.3.4:5"]
    assert endpoints_of("192.168.1.2", 7070, []) == [], "nobody can be sent there"
    assert endpoints_of("127.0.0.1", 7070, [], relayed=True) == []
    assert endpoints_of("1.2.3.4", 7070, [], relayed=True) == ["1.2.3.4:7070"]
    assert endpoint("1.2.3.4:5") == "1.2.3.4:5"
    with pytest.raises(ConfigError, match=r"--advertise: 10\.0\.0\.1 is neither public nor loopback"):
        endpoint("10.0.0.1:5")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"item": {"endpoints": []}}', "names no address"),
        (200, b'{"item": {"endpoints": ["10.0.0.1:1"]}}', "neither public nor loopback"),
        (200, b'{"item": {"endpoints": ["127.0.0.1:1@evil"]}}', "is not HOST:PORT"),
        (200, b"{", "malformed|truncated"),
        (200, b" " * 300_000, "an answer of more than"),
        (404, b'{"detail": "node x has not \\u001b advertised itself"}', r"node x has not \? advertised itself"),
        (302, b"", "names no address"),
    ],
)
async def test_what_an_indexer_says_of_a_node_is_not_believed_blindly(status: int, body: bytes, said: str) -> None:
    async with Taker(status=status, body=body).serving() as indexer:
        with pytest.raises(NotAdvertised, match=said):
            await find_agent(indexer.url, NODE)


async def test_relays_that_lead_to_it_now_are_told() -> None:
    led = ["relay.example:7443", "1.2.3.4:7443", "1.2.3.5:7443", "1.2.3.6:7443"]
    running = Advertiser([], NODE, DEVICE, measure(), [], relays=lambda: led)
    said = messages.decode(messages.encode(running._next()), str(NODE), DEVICE.pubkey())
    assert said.relays == ["1.2.3.4:7443", "1.2.3.5:7443"]
    led.clear()
    assert running._next().relays == []


async def test_the_bandwidth_that_was_measured_last_is_told() -> None:
    measured: list[Bandwidth | None] = [None]
    running = Advertiser([], NODE, DEVICE, measure(), [], bandwidth=lambda: measured[-1])
    assert running._next().bandwidth is None
    measured.append(Bandwidth(93, 480, 1_764_000_000, "relay.example:7443"))
    said = messages.decode(messages.encode(running._next()), str(NODE), DEVICE.pubkey())
    assert said.bandwidth == measured[-1]
    assert messages.content(said) == messages.content(running._next()), "the same until it is measured again"


async def test_where_no_endpoint_is_named_a_relay_is() -> None:
    body = b'{"item": {"endpoints": [], "relays": ["1.2.3.4:7443"]}}'
    async with Taker(status=200, body=body).serving() as indexer:
        assert await find_agent(indexer.url, NODE) == ("https://1.2.3.4:7443",)


async def test_an_endpoint_is_found() -> None:
    async with Taker(
        status=200, body=b'{"item": {"endpoints": ["[::1]:7"], "relays": ["1.2.3.4:7443"], "more": 1}}'
    ).serving() as indexer:
        assert await find_agent(indexer.url + "/", NODE) == ("https://[::1]:7", "https://1.2.3.4:7443")
    with pytest.raises(NotAdvertised):
        await find_agent("nonsense", NODE)
