"""Which nodes are left, and what is said of the others; the indexer is a server that may say anything."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import pytest
from ionet.isolation import STRENGTHS
from ionet.node_search import Candidate, Removed, search
from ionet.rules.reputation import ONE
from ionet.trace import ApiError
from ionet.wish import Wish
from ionet_agent.isolation.base import Level
from msgspec import json, structs
from solders.keypair import Keypair

NODE = Candidate("", "RTX 4090", 2, 1_000_000, 276, ["IOSD", "USDC"], [], True, True, 60, 86_400, 0)
WISH = Wish("7", processors=2, nodes=1, secs=3_600)


def named(name: str, **changes: object) -> Candidate:
    return structs.replace(NODE, node=name, **changes)


@contextlib.asynccontextmanager
async def indexer(answers: Mapping[str, bytes], status: int = 200) -> AsyncIterator[str]:
    """Answers by path; 404 for others."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                body = answers.get(urlsplit(line.split()[1].decode()).path)
                code, body = (status, body) if body is not None else (404, b"{}")
                head = f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def page(*nodes: Candidate) -> dict[str, bytes]:
    return {"/v1/nodes": json.encode({"items": nodes, "next": None})}


async def test_each_filter_says_how_many_it_removed_and_what_would_help() -> None:
    nodes = [
        named("good", price=900_000),
        named("better", price=800_000),
        named("small", processors=1),
        named("dear", price=3_000_000),
        named("far", country=840),
        named("proud", currencies=["USDC"]),
        named("slow", min_duration=7_200),
        named("busy", hireable=False, flags=["leased"]),
        named("silent", online=False),
    ]
    async with indexer(page(*nodes)) as api:
        found = await search(api, structs.replace(WISH, max_price=2_000_000, countries=(276,)))
    assert [each.node for each in found.candidates] == ["better", "good"]
    assert found.listed == 9
    assert found.removed == [
        Removed("have fewer than 2 processors", 1, "the largest has 1"),
        Removed("cost more", 1, "the cheapest asks 3 dollars per processor-hour"),
        Removed("are elsewhere", 1, "there are 1 in US"),
        Removed("do not take IOSD", 1, "they take USDC"),
        Removed("take no lease so long", 1, "they take from 7200 s to 86400 s"),
        Removed("cannot be hired now", 1, "1 leased"),
        Removed("are offline", 1, ""),
    ]


async def test_where_none_is_of_the_model_others_that_can_be_rented_are_named() -> None:
    offers = [("RTX 4090", 2), ("RTX 4090", 1), (None, 1), ("H100", 0)]
    told = json.encode({"items": [{"model_name": name, "nodes_rentable": count} for name, count in offers]})
    async with indexer({**page(), "/v1/offers": told}) as api:
        found = await search(api, WISH)
    assert found == ([], [Removed("are of other models", 4, "there are 3 RTX 4090, 1 unknown")], 0)
    async with indexer(page()) as api:
        assert (await search(api, WISH)).removed == []


async def test_reputation_and_isolation_are_asked_of_those_that_are_left() -> None:
    answers = page(named("a"), named("b"), named("c"), named("d"))
    for node, score in (("a", ONE), ("b", ONE // 2), ("c", ONE)):
        answers[f"/v1/nodes/{node}/reputation"] = json.encode({"item": {"score": score, "more": 1}})
    for node, level in (("a", "bubblewrap"), ("c", "none")):
        answers[f"/v1/nodes/{node}/advert"] = json.encode({"item": {"isolation": level}})
    async with indexer(answers) as api:
        found = await search(api, structs.replace(WISH, min_score=ONE * 9 // 10, isolation="own-user"))
    assert [each.node for each in found.candidates] == ["a"]
    assert found.removed == [
        Removed("have a lower score", 2, "the best has 0.50"),
        Removed("isolate less", 1, "they have none"),
    ]


async def test_memory_is_that_of_the_smallest_gpu() -> None:
    answers = page(*(named(name) for name in "abcd"))
    memory: dict[str, list[int | None]] = {"a": [24_564, 24_564], "b": [24_564, 16_000], "c": [None]}
    for node, gpus in memory.items():
        told = {"isolation": "none", "gpus": [{"name": "x", "memory_mib": each} for each in gpus]}
        answers[f"/v1/nodes/{node}/advert"] = json.encode({"item": told})
    async with indexer(answers) as api:
        found = await search(api, structs.replace(WISH, gpu_memory_mib=22_888))
        none = await search(api, structs.replace(WISH, gpu_memory_mib=76_293))
    assert [each.node for each in found.candidates] == ["a"]
    assert found.removed == [Removed("have less memory", 3, "the largest has 16 GiB")]
    assert none.removed == [Removed("have less memory", 4, "the largest has 24 GiB")]


async def test_who_is_too_far_or_cannot_be_measured_is_removed() -> None:
    near, relayed = (str(Keypair().pubkey()) for _ in range(2))
    answers = page(named(near), named(relayed))
    with socket.create_server(("127.0.0.1", 0)) as there:
        place = f"127.0.0.1:{there.getsockname()[1]}"
        for node, endpoints in ((near, [place]), (relayed, [])):
            told = {"isolation": "none", "endpoints": endpoints, "relays": ["127.0.0.1:1"]}
            answers[f"/v1/nodes/{node}/advert"] = json.encode({"item": told})
        async with indexer(answers) as api:
            found = await search(api, structs.replace(WISH, max_latency_ms=10_000.0))
            none = await search(api, structs.replace(WISH, max_latency_ms=0.000_1))
    assert [each.node for each in found.candidates] == [near]
    assert found.removed == [Removed("are too far", 1, "how far they are cannot be measured")]
    assert (none.candidates, none.removed[0].why, none.removed[0].nodes) == ([], "are too far", 2)
    assert none.removed[0].remedy.startswith("the nearest takes ")


def test_levels_are_the_agents() -> None:
    assert tuple(Level) == STRENGTHS


@pytest.mark.parametrize(
    "body", [b"garbage", b"{}", b"[" * 100_000, b'{"items": [{}], "next": null}', b"x" * 5_000_000]
)
async def test_what_is_no_answer_is_named_so(body: bytes) -> None:
    async with indexer({"/v1/nodes": body}) as api:
        with pytest.raises(ApiError):
            await search(api, WISH)


async def test_pages_without_an_end_are_read_up_to_a_bound() -> None:
    async with indexer({"/v1/nodes": json.encode({"items": [NODE] * 200, "next": "again"})}) as api:
        assert (await search(api, WISH)).listed == 4_000


async def test_pages_with_nothing_on_them_do_not_go_on_for_ever() -> None:
    async with indexer({"/v1/nodes": json.encode({"items": [], "next": "again"})}) as api:
        with pytest.raises(ApiError, match="does not end"):
            await search(api, WISH)


async def test_refusals_are_the_indexers_words() -> None:
    async with indexer({"/v1/nodes": b'{"detail": "no model 7"}'}, 400) as api:
        with pytest.raises(ApiError, match="no model 7"):
            await search(api, WISH)
    with pytest.raises(ApiError):
        await search("http://127.0.0.1:1", WISH)
