"""What strangers wrote is text on a page: an advert is all that anybody can put there in words of their own."""

from __future__ import annotations

import httpx2
from indexer.recording import Recording
from indexer.test_adverts import said, send
from ionet.advert import Gpu
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
