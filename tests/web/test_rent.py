"""What a wish finds: how many nodes each part of it removes, and what the rest costs."""

from __future__ import annotations

import csv
import html
import io
import re
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from indexer.recording import Recording
from web.test_pages import Read


def words(client: httpx2.Client, **wish: str) -> str:
    answer = client.get("/rent", params=wish)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", " ".join(Read(answer.text).text))


def test_a_wish_has_its_price(rentable: httpx2.Client, recording: Recording) -> None:
    found = words(rentable, model="b200", gpus="2", hours="30m")
    assert str(recording.story.machines[0].address)[:4] in found
    assert "An hour 4 IOSD" in found  # two GPUs at two dollars
    assert "30 min 2 IOSD" in found
    assert "Fee 0.005 IOSD" in found
    assert "Locked 2.005 IOSD" in found
    # Six seconds cost 0.006666, and the fee of that is 17 millionths.
    assert "Comes back 1.998317 IOSD Where it is ended at once: all but the first 6 s." in found
    assert "ionet run --gpu b200:2" in found


def test_usdc_has_its_own_fee(rentable: httpx2.Client) -> None:
    with_usdc = words(rentable, currency="USDC")
    assert "do not take USDC" in with_usdc  # the recorded market takes IOSD alone
    assert "Comes back" not in with_usdc


def test_what_is_left_is_a_file(rentable: httpx2.Client, recording: Recording) -> None:
    """Just the rows that the wish leaves: the page leads there with its own fields, and nothing else that was asked."""
    node = str(recording.story.machines[0].address)
    page = rentable.get("/rent", params={"gpus": "2", "hours": "30m", "path": "x"})
    link = re.search(r'href="(/rent\.csv[^"]*)"', page.text)
    assert link is not None
    asked = html.unescape(link[1])
    assert set(parse_qs(urlsplit(asked).query)) == {"gpus", "hours", "currency"}
    answer = rentable.get(asked)
    assert answer.headers["content-disposition"] == 'attachment; filename="rent.csv"'
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["node"], row["hourly"], row["memory_gib"]) == (node, str(4 * 10**6), "80")  # what it says of itself
    assert row["isolation"] == "bubblewrap"
    assert int(row["score"]) > 0
    assert rentable.get("/rent.csv?gpus=3").text == "\r\n"
    assert rentable.get("/rent.csv?gpus=x").status_code == 400


@pytest.mark.parametrize(
    ("wish", "removed"),
    [
        ({"gpus": "3"}, "have fewer than 3 processors -3 the largest has 2"),
        ({"max_price": "1.5"}, "cost more -3 the cheapest asks 2 dollars"),
        ({"country": "FR,US"}, "are elsewhere -3 there are 3 in DE"),
        ({"hours": "100"}, "take no lease so long -3 they take from"),
        ({"memory": "200"}, "have less memory -1 the largest has 80 GiB"),
        ({"isolation": "container"}, "isolate less -1 they have bubblewrap"),
        ({"min_score": "0.9"}, "have a lower score -1 the best has 0.3"),
        ({"latency": "0.0001"}, "are too far -1 the nearest takes"),
        ({}, "are offline -2"),
    ],
)
def test_each_part_of_a_wish_says_how_many_it_removes(
    rentable: httpx2.Client, wish: dict[str, str], removed: str
) -> None:
    found = words(rentable, **wish)
    assert "are registered 3" in found
    assert removed in found
    left = 1 if wish == {} else 0
    assert f"are left {left}" in found


def test_how_far_a_node_is_stands_beside_it(rentable: httpx2.Client) -> None:
    found = words(rentable, latency="5000", memory="80", isolation="bubblewrap", min_score="0.1")
    assert "are left 1" in found
    assert re.search(r"Away .* \d+ ms", found)
    assert "--gpu-memory 80 --max-latency 5000" in found
    assert " ms" not in words(rentable).partition("Nodes that are left")[2]


@pytest.mark.parametrize(
    "wish",
    [
        {"gpus": "0"},
        {"gpus": "9" * 5000},
        {"nodes": "-1"},
        {"hours": "soon"},
        {"hours": "999999999"},
        {"max_price": "nan"},
        {"latency": "-1"},
        {"memory": "inf"},
        {"country": "XX"},
        {"isolation": "x"},
        {"min_score": "2"},
        {"min_score": "0.٣"},
        {"currency": "IO"},
        {"model": "no such model"},
    ],
)
def test_what_is_no_wish_is_refused(rentable: httpx2.Client, wish: dict[str, str]) -> None:
    answer = rentable.get("/rent", params=wish)
    assert answer.status_code == 400
    Read(answer.text)
