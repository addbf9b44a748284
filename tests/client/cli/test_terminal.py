"""A terminal that cannot show every character gets every line all the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMANDS = [
    ["--help"],
    ["lease", "--help"],
    ["launcher", "run", "--help"],
    ["doctor", "--url"],
    ["node", "show", "naïve…"],
    ["doctor"],
    ["doctor", "--json"],
]


def run(encoding: str, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "200"}
    command = [sys.executable, "-m", "ionet", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)


def spelled(text: str, encoding: str) -> str:
    """The text as the encoding can hold it."""
    text = text if encoding == "utf-8" else text.replace("…", "...").replace("→", "->")
    return text.encode(encoding, "replace").decode(encoding)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_line_is_printed_and_the_exit_code_is_the_same(encoding: str, arguments: list[str]) -> None:
    full, poor = run("utf-8", arguments), run(encoding, arguments)
    assert poor.returncode == full.returncode
    for stream in ("stdout", "stderr"):
        there, here = getattr(full, stream).decode(), getattr(poor, stream).decode(encoding)
        assert "UnicodeEncodeError" not in here
        assert here.count("\n") == there.count("\n")


@pytest.mark.parametrize(
    ("encoding", "shown"), [("latin-1", "'naïve...'"), ("ascii", "'na?ve...'"), ("utf-8", "'naïve…'")]
)
def test_what_is_missing_is_spelled_out(encoding: str, shown: str) -> None:
    assert shown in run(encoding, ["node", "show", "naïve…"]).stderr.decode(encoding)
