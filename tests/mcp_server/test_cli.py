"""`ionet mcp` before it serves: what it refuses, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from client.cli.conftest import Shell
from client.cli.village import Village, founded

INPUT = "error: invalid input: "


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with founded(tmp_path_factory.mktemp("village")) as people:
        yield people


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["--limit", "lots"], INPUT + "'lots' is no amount of dollars; write it like 1.5\n", 1),
        (["--limit", "1e3"], INPUT + "'1e3' is no amount of dollars; write it like 1.5\n", 1),
        (["--limit", "5000000000000"], INPUT + "5000000000000 dollars are more than there are\n", 1),
        (["--limit", "5", "--session-limit", "-1"], INPUT + "amounts are positive, -1 is not\n", 1),
        (
            ["--limit", "5", "--confirm", "maybe"],
            INPUT + "--confirm 'maybe'; write always, never, or dollars above which is asked\n",
            1,
        ),
        (
            ["--limit", "5", "--session", "a b"],
            INPUT + "--session 'a b'; write letters, digits, dots, dashes and underscores\n",
            1,
        ),
        (
            ["--limit", "5", "--api", "localhost:8080"],
            INPUT + "'localhost:8080' is no http or https address, such as http://127.0.0.1:8899\n",
            1,
        ),
        (["--limit", "5"], "error: the RPC node cannot be reached: http://127.0.0.1:1 (ConnectError)\n", 4),
    ],
)
def test_what_cannot_be_served_is_refused(village: Village, options: list[str], message: str, code: int) -> None:
    nowhere = Shell("http://127.0.0.1:1", village.file("renter"))
    assert nowhere.refused("mcp", *options) == (code, message)


def test_without_a_keypair_nothing_is_served(village: Village, tmp_path: Path) -> None:
    code, message = village.shell.refused("mcp", "--limit", "5", keypair=tmp_path / "none.json")
    assert (code, "there is no " in message) == (1, True)
    code, message = village.refused("renter", "--signer", village.address("renter"), "mcp", "--limit", "5")
    assert (code, "needs --keypair" in message) == (1, True)


def test_what_was_spent_can_be_shown(village: Village, tmp_path: Path) -> None:
    options = ["mcp", "--limit", "5", "--session-limit", "2", "--folder", str(tmp_path), "--show"]
    assert village.json("renter", *options) == {
        "in_session": "$0",
        "session_limit": "$2",
        "in_all": "$0",
        "limit": "$5",
        "left_to_spend": "$2",
        "open_clusters": [],
    }
    assert len(list(tmp_path.glob(f"{village.address('renter')}-*.sqlite"))) == 1
