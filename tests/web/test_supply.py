"""What an owner sees of their nodes."""

from __future__ import annotations

import re

import httpx2
from indexer.api_server import items
from indexer.recording import Recording
from web.conftest import pages
from web.test_pages import Read


def words(client: httpx2.Client, owner: str) -> str:
    answer = client.get("/supply", params={"owner": owner})
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", " ".join(Read(answer.text).text))


def test_why_a_node_cannot_be_hired_and_what_would_help(api: httpx2.Client) -> None:
    nodes = items(api, "nodes")
    with pages(str(api.base_url)) as client:
        found = words(client, nodes[0]["owner"])
    assert "it was not ready in time for a lease" in found
    assert "start its agent, or ionet node return" in found
    assert "its stake counts for" in found
    lacking = [node for node in nodes if int(node["counted_stake"]) < int(node["required_stake"])]
    assert found.count("too little") == len(lacking) > 0
    assert found.count("no advert of it came") == sum(not node["online"] for node in nodes)
    assert "Earned in IOSD" in found


def test_nothing_is_wrong_with_nodes_that_can_be_hired(rentable: httpx2.Client, recording: Recording) -> None:
    found = words(rentable, str(recording.story.machines[0].address.from_bytes(bytes(32))))
    assert "This wallet has registered no node." in found
    owner = re.search(r"/supply\?owner=(\w+)", rentable.get(f"/nodes/{recording.story.machines[0].address}").text)
    assert owner is not None
    warned = words(rentable, owner[1])
    assert "not hireable" not in warned
    assert warned.count("no advert of it came") == 2


def test_what_is_no_address_is_refused(rentable: httpx2.Client) -> None:
    assert rentable.get("/supply?owner=x").status_code == 400
    assert rentable.get("/supply").status_code == 200
