"""`ionet node status`: every reason why nobody can hire a node, and what it could lose, from the chain alone."""

from __future__ import annotations

from typing import Any

import pytest
from client.cli.village import T4, Village
from ionet.cli.node_status import _bandwidth, _limits
from ionet.node_report import Bandwidth, Limits

NOWHERE = "http://127.0.0.1:9"
IO = 10**8


@pytest.fixture(scope="module")
def node(village: Village) -> str:
    terms = ["--price", "3", "--country", "DE", "--model", T4, "--processors", "4"]
    event = village.event("supplier", "node", "register", "--device", str(village.file("device")), *terms)
    return str(event["node"])


def status(village: Village, node: str) -> Any:
    return village.json(None, "node", "status", node, "--api", NOWHERE)


def test_each_reason_is_said_with_what_would_help(village: Village, node: str) -> None:
    found = status(village, node)
    assert found["hireable"] is False
    assert found["reasons"] == [
        {"why": "its stake counts for 800 IO too little", "remedy": "`ionet stake add NODE 800` by its owner"}
    ]
    assert [risk["io_units"] for risk in found["could_lose"]] == ["0"] * len(found["could_lose"])

    village.json("supplier", "stake", "add", node, "800")
    staked = status(village, node)
    assert (staked["hireable"], staked["reasons"]) == (True, [])
    assert (staked["bonded"], staked["required_stake"], staked["counted_stake"]) == ("80000000000",) * 3

    village.json("supplier", "node", "pause", node)
    village.json("supplier", "stake", "unbond", node, "100")
    village.json(None, "network", "pause", "add_lease")
    village.json(None, "network", "disable-model", T4)
    worse = status(village, node)
    assert [reason["why"] for reason in worse["reasons"]] == [
        "its owner has paused it",
        "its device model is switched off",
        "the network takes no bookings now",
        "its stake counts for 100 IO too little",
    ]
    village.json(None, "network", "resume", "add_lease")
    village.json(None, "network", "enable-model", T4)
    village.json("supplier", "node", "resume", node)

    [leaving] = worse["leaving"]
    assert leaving["io_units"] == str(100 * IO)
    ticket = village.json("supplier", "stake", "show", node)["exits"][0]
    assert (leaving["at"], leaving["why"]) == (ticket["at"], ticket["why"])


def test_what_it_could_lose_is_what_the_parameters_take(village: Village, node: str) -> None:
    params = village.json(None, "network", "show")["params"]
    risks = {risk["for"]: int(risk["io_units"]) for risk in status(village, node)["could_lose"]}
    tiers = [risks[name] for name in risks if name.startswith("an outage of")]
    assert tiers == [800 * IO * bps // 10_000 for bps in params["tier_bps"]]
    assert risks["quitting a lease"] == 800 * IO * params["quit_bps"] // 10_000


def test_without_an_indexer_it_says_what_is_unknown(village: Village, node: str) -> None:
    found = status(village, node)
    assert (found["today"], found["score"], found["advert"]) == (None, None, None)
    assert found["unknown"].startswith(NOWHERE)
    said = village.shell.run("node", "status", node, "--api", NOWHERE).stdout
    assert f"earnings today, kept intervals, score, isolation, whether it is online ({NOWHERE}: " in said
    assert "1 x" not in said
    assert "4 x T4, $3/h each, DE" in said
    assert "10 SOL, enough for" in said


def test_no_node_is_an_error(village: Village) -> None:
    code, said = village.refused(None, "node", "status", village.address("renter"))
    assert (code, "Node" in said) == (1, True)


def test_bandwidth_is_said_as_what_an_agent_says() -> None:
    now = 1_764_003_600
    assert _bandwidth(None, now) == "not measured: its agent does so with a relay that it names"
    measured = Bandwidth(93, 480, now - 3_600, "relay.example:7443")
    assert _bandwidth(measured, now) == (
        "93 Mbit/s up, 480 down, measured with relay relay.example:7443 1 h ago, as its agent says"
    )
    assert " 0 s ago" in _bandwidth(Bandwidth(93, 480, now + 60, "relay.example:7443"), now)


def test_what_a_lease_gets_is_said_as_what_an_agent_says() -> None:
    assert _limits(None) == "its agent does not say"
    said = "8 CPUs, 61440 MiB of memory, 102400 MiB of disk, 4,096 processes, as its agent says"
    assert _limits(Limits(8, 61_440, 102_400, 4_096)) == said
