from __future__ import annotations

from typing import Any

import httpx2
from ionet.buckets import Buckets
from ionet.program import PROGRAM
from ionet_indexer.api.app import create_app
from ionet_indexer.core.reader import Reader


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
