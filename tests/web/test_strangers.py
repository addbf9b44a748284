"""What strangers wrote is text on a page: an advert is all that anybody can put there in words of their own."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from indexer.recording import Recording
from indexer.test_adverts import said, send
from ionet.advert import Gpu
from ionet_web.indexer import Indexer
from ionet_web.live import MOST_OF_AN_ADDRESS, Live, _row
from web.conftest import pages
from web.test_pages import Read

SCRIPT = "</td><script>alert(1)</script>"
IMAGE = '" onmouseover="alert(1)"><img src=x>'


def test_an_advert_cannot_bring_markup(api: httpx2.Client, recording: Recording) -> None:
    hostile = said(
        recording, gpus=[Gpu(SCRIPT, 1), Gpu(IMAGE, 2)], isolation_reason=SCRIPT, ray=IMAGE[:40], cuda=SCRIPT[:40]
    )
    assert send(api, hostile, recording.story.machines[0].device).is_success
    with pages(str(api.base_url)) as client:
        answer = client.get(f"/nodes/{hostile.node}")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    words = " ".join(Read(answer.text).text)
    assert SCRIPT in words
    assert "To its relay" in words


def test_an_address_asks_only_so_often(api: httpx2.Client) -> None:
    with pages(str(api.base_url), rate=1e-6, burst=2) as client:
        answers = [client.get("/tables") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_an_address_takes_no_place_of_others() -> None:
    async with Indexer.at("http://127.0.0.1:9") as indexer:
        live = Live(indexer)
        held = [live.rows("192.0.2.1") for _ in range(MOST_OF_AN_ADDRESS)]
        waiting = [asyncio.ensure_future(anext(rows)) for rows in held]
        await asyncio.sleep(0)
        assert live.is_full("192.0.2.1")
        assert not live.is_full("192.0.2.2")
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not live.is_full("192.0.2.1")


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"name": 1}', '{"name": "A", "slot": "x"}', "[" * 100_000]
)
def test_what_is_no_event_is_no_row(text: str) -> None:
    assert _row(text) is None
