"""A caller of agents depends on none of them: whatever one answers, the call ends in time, in size and in type."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing

import hostile
import pytest
from hostile import Answer, Hostile
from ionet.agent_api import MAX_ALARMS, MAX_LINE, AgentClient, Phase, Status
from ionet.agent_errors import AgentError, AgentRefused, AgentUnreachable, BadAnswer
from ionet.agent_ports import host_port
from ionet.agent_tls import serving_context
from launcher.ports import free_range
from leases import DEVICE, SESSION

SECS = 0.6


async def status(answer: Answer) -> Status:
    """Of the node at a hostile agent; whatever happens, no connection is left to it."""
    async with (
        Hostile(answer).serving() as server,
        AgentClient(server.url, DEVICE.pubkey(), SESSION, answer_secs=SECS) as client,
    ):
        try:
            return await client.status()
        finally:
            await client.aclose()
            async with asyncio.timeout(10):
                await server.free.wait()


@pytest.mark.parametrize("answer", [hostile.hang, hostile.drip, hostile.drip_headers], ids=lambda of: of.__name__)
async def test_a_call_has_one_deadline_in_total(answer: Answer) -> None:
    begun = time.monotonic()
    async with asyncio.timeout(30):
        with pytest.raises(AgentUnreachable, match="no whole answer within"):
            await status(answer)
    assert time.monotonic() - begun >= SECS


@pytest.mark.parametrize("answer", [hostile.endless_body, hostile.endless_line, hostile.endless_refusal])
async def test_an_answer_has_a_size_limit(answer: Answer) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(BadAnswer, match="an answer of more than"):
            await status(answer)


@pytest.mark.parametrize("answer", [hostile.garbage, hostile.bomb, hostile.nested])
async def test_an_answer_that_is_not_of_the_protocol_is_named_so(answer: Answer) -> None:
    with pytest.raises(BadAnswer, match="not a status"):
        await status(answer)


async def test_where_nobody_with_the_key_is_the_next_place_is_tried_and_kept() -> None:
    """Nothing of a call has been sent to anybody by then, so it is not sent twice."""
    stranger = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=serving_context(SESSION))
    [nobody] = free_range(1)
    other = f"https://127.0.0.1:{stranger.sockets[0].getsockname()[1]}"
    async with stranger, Hostile(hostile.says()).serving() as server:
        urls = (f"https://127.0.0.1:{nobody}", other, server.url)
        async with AgentClient(urls, DEVICE.pubkey(), SESSION) as client:
            assert (await client.status()).phase == Phase.IDLE
            stranger.close()
            assert (await client.status()).phase == Phase.IDLE
            assert server.asked == 2
        async with AgentClient(urls[:2], DEVICE.pubkey(), SESSION) as client:
            with pytest.raises(AgentUnreachable):
                await client.status()


async def test_what_is_not_http_is_no_answer() -> None:
    with pytest.raises(AgentUnreachable):
        await status(hostile.no_http)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ip": "nonsense"}, "ip is nonsense, not an IP address"),
        ({"ip": "127.0.7.1/8"}, "not an IP address"),
        ({"ip": "127.0.7.1\n" + "x" * 5000}, r"ip is 127.0.7.1\?x{190}, not"),
        ({"address": "nonsense"}, "address is nonsense, not a port at 127.0.7.1"),
        ({"address": "127.0.7.2:7000"}, "not a port at 127.0.7.1"),
        ({"ip": "fe80::1%a\0b"}, r"ip is fe80::1%a\?b, not an IP address"),
        ({"ip": "0.0.0.0", "address": "0.0.0.0:7000"}, "not an IP address"),
        ({"check": "127.0.7.2:7001"}, "check is 127.0.7.2:7001, not a port at 127.0.7.1"),
        ({"check": ""}, "check is , not a port"),
        ({"check": "localhost:7001"}, "not a port at"),
        ({"ip": "::1", "address": "::1:7000"}, "address is ::1:7000, not a port at ::1"),
        ({"address": "127.0.7.1:0"}, "not a port"),
        ({"address": "127.0.7.1:65536"}, "not a port"),
        ({"address": "127.0.7.1:" + "1" * 5000}, "not a port"),
        ({"lease": "nonsense"}, "lease is nonsense, not an address"),
        ({"phase": "asleep"}, "not a status"),
        ({"since": -1}, "since is -1, not a time"),
        ({"since": 1e300}, "since is 1e.300, not a time"),
        ({"check_secs_left": 1e300}, "check_secs_left is 1e.300, not a time"),
    ],
)
async def test_a_status_that_cannot_be_so_is_not_believed(fields: dict[str, object], said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        await status(hostile.says(**fields))


async def test_a_status_that_can_be_so_is_believed() -> None:
    said = {"ip": "::1", "address": "[::1]:65535", "check": "[::1]:1", "since": 1.5}
    found = await status(hostile.says(**said, reason="a\nb\x1b[2J" + "c" * 999))
    assert (found.ip, found.address, found.check, found.since) == ("::1", "[::1]:65535", "[::1]:1", 1.5)
    assert found.reason == "a?b?[2J" + "c" * 193


async def test_alarms_are_few_and_short() -> None:
    found = await status(hostile.says(alarms=["a\n\x1b" + "b" * 300] * 40))
    assert found.alarms == ["a??" + "b" * 197] * MAX_ALARMS


@pytest.mark.parametrize(
    ("text", "parts"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:65535", ("::1", 65535)), ("a.b:1", ("a.b", 1))]
)
def test_host_and_port(text: str, parts: tuple[str, int]) -> None:
    assert host_port(text) == parts


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "a:-1", "a:\u0661", "::1:80", "[]:1", "a:b:1"])
def test_what_is_not_host_and_port(text: str) -> None:
    with pytest.raises(BadAnswer, match="is not host:port"):
        host_port(text)


async def test_a_refusal_that_is_nested_deeply_is_a_refusal() -> None:
    async def refuses(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 No\r\n\r\n" + hostile.NESTED)
        await writer.drain()

    with pytest.raises(AgentRefused, match="HTTP 400"):
        await status(refuses)


async def test_a_refusal_is_shown_as_one_short_line() -> None:
    async def refuses(writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"status": 400, "title": "t", "detail": "a\n\x1b[2J" + "b" * 999}).encode()
        writer.write(b"HTTP/1.1 400 No\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    with pytest.raises(AgentRefused) as refused:
        await status(refuses)
    assert refused.value.detail == "a??[2J" + "b" * 194


async def follow(answer: Answer, **limits: float | None) -> None:
    async with (
        Hostile(answer).serving() as server,
        AgentClient(server.url, DEVICE.pubkey(), SESSION, answer_secs=SECS) as client,
        aclosing(client.run(b"", **limits)) as events,  # type: ignore[arg-type]
    ):
        async for _ in events:
            pass


@pytest.mark.parametrize("answer", [hostile.hang, hostile.drip, hostile.drip_headers, hostile.endless_body])
async def test_a_driver_that_is_followed_has_one_deadline_in_total(answer: Answer) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(AgentUnreachable, match="did not end in time"):
            await follow(answer, within_secs=SECS)


@pytest.mark.parametrize("answer", [hostile.hang, hostile.drip_headers])
async def test_a_driver_without_a_deadline_has_to_begin_in_time(answer: Answer) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(AgentUnreachable, match="did not end in time"):
            await follow(answer)


async def test_a_line_of_a_driver_has_a_size_limit() -> None:
    async with asyncio.timeout(30):
        with pytest.raises(BadAnswer, match=f"a line of more than {MAX_LINE} bytes"):
            await follow(hostile.endless_line)


async def test_the_stream_of_a_driver_has_a_size_limit_where_the_caller_says_so() -> None:
    async with asyncio.timeout(30):
        with pytest.raises(BadAnswer, match="a stream of more than 100000 bytes"):
            await follow(hostile.endless_body, most=100_000)


@pytest.mark.parametrize("answer", [hostile.garbage, hostile.no_http, hostile.endless_refusal])
async def test_what_is_not_a_drivers_stream_is_an_error_of_the_agent(answer: Answer) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(AgentError):
            await follow(answer)
