"""`ionet stake nodes`: which nodes take others' stake, on what terms, and what stake in them earned."""

from __future__ import annotations

import pytest
from client.cli.village import T4, Village
from quick_starts import words

NOWHERE = "http://127.0.0.1:9"
IO = 10**8


@pytest.fixture(scope="module")
def node(village: Village) -> str:
    terms = ["--price", "3", "--country", "DE", "--model", T4, "--processors", "4"]
    event = village.event("supplier", "node", "register", "--device", str(village.file("device")), *terms)
    village.json("supplier", "stake", "add", event["node"], "800")
    return str(event["node"])


def test_only_nodes_that_share_are_listed_with_their_terms(village: Village, node: str) -> None:
    assert village.json(None, "stake", "nodes", "--api", NOWHERE)["nodes"] == []
    assert village.shell.run("stake", "nodes", "--api", NOWHERE).stdout.startswith("no node takes others' stake now")
    village.json("supplier", "stake", "terms", node, "30%", "--income", "20%")
    village.json("guest", "stake", "add", node, "100")
    told = village.json(None, "stake", "nodes", "--api", NOWHERE)
    [row] = told["nodes"]
    assert (row["node"], row["reward_share_bps"], row["income_share_bps"]) == (node, 3_000, 2_000)
    assert (row["own_io_units"], row["others_io_units"], row["state"]) == (str(800 * IO), str(100 * IO), "free")
    percent = village.json(None, "network", "show")["params"]["co_stake_max_percent"]
    assert row["room_io_units"] == str(800 * IO * percent // (100 - percent) - 100 * IO)
    assert (row["yield_bps"], row["income"], row["score"]) == (None, None, None)
    assert told["unknown"].startswith(NOWHERE)
    said = village.shell.run("stake", "nodes", "--api", NOWHERE).stdout
    assert "times the share of it for stake, times 365/30" in said
    assert f"income, score and yield are unknown: {NOWHERE}" in said


def test_the_page_for_stakers_does_what_it_says(village: Village, node: str) -> None:
    village.json("supplier", "stake", "terms", node, "30%")
    village.json("supplier", "stake", "fund", node, "10", "--yes")
    before = int(village.json("renter", "keys", "balance")["io_units"])
    looking, adding, showing, claiming, leaving = words("staker", NODE=node)
    assert village.json("renter", *looking, "--api", NOWHERE)["nodes"][0]["node"] == node
    village.json("renter", *adding)
    assert before - int(village.json("renter", "keys", "balance")["io_units"]) == 100 * IO
    village.json("supplier", "stake", "fund", node, "10", "--yes")
    assert int(village.json("renter", *showing)["claimable"]) > 0
    village.json("renter", *claiming)
    assert int(village.json("renter", "keys", "balance")["io_units"]) > before - 100 * IO
    village.json("renter", *leaving)
    params = village.json(None, "network", "show")["params"]
    village.pass_time(params["unbond_cooldown_secs"] + params["co_notice_secs"] + 1)
    village.json("renter", "stake", "withdraw", node)
    assert int(village.json("renter", "keys", "balance")["io_units"]) > before
