"""A terminal that cannot show every character gets every line all the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ionet.cli import _fail
from ionet.cli.printing import print_fields, print_rows

pytestmark = pytest.mark.matrix

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


def test_a_text_of_a_stranger_changes_no_terminal_and_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Indexers, launchers and agents say things that are shown."""
    said = "yes\x1b[2J\rno\nhireable  yes\x9b1m"
    print_fields({"isolation": said, "places": [said]}, as_json=False)
    shown = "yes?[2J?no?hireable  yes?1m"
    assert capsys.readouterr().out == f"isolation  {shown}\nplaces     {shown}\n"
    print_rows([{"name": said}], ["name"], as_json=False)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == ["name", shown]
    with pytest.raises(SystemExit):
        _fail(said, 4)
    assert capsys.readouterr().err == "error: yes?[2J no hireable yes?1m\n"
