"""A job goes out as one script, runs where nothing of ours is, and its results come back whole or not at all."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from ionet.errors import InvalidInput
from ionet.renting import driver
from ionet.renting.bundle import BadResults, Output, script


def ran(content: bytes, home: Path) -> tuple[int, str]:
    """Exit code and output of a job, with an interpreter that sees none of our packages."""
    home.mkdir(exist_ok=True)
    path = home / "driver.py"
    path.write_bytes(content)
    command = [sys.executable, "-I", "-S", str(path)]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def fed(text: str, pieces: int) -> tuple[str, Output]:
    output = Output()
    shown = "".join(output.feed(text[at : at + pieces]) for at in range(0, len(text), pieces))
    return shown + output.end(), output


@pytest.mark.parametrize("pieces", [1, 7, 10**6])
def test_a_job_goes_out_and_its_results_come_back(tmp_path: Path, pieces: int) -> None:
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "x.pyc").write_text("x")
    (work / "data" / "in.bin").write_bytes(os.urandom(200_000))
    (work / "secret.key").write_text("s")
    (work / ".ionetignore").write_text("*.key\n")
    (work / "go.sh").write_text("#!/bin/sh\nmkdir out; cp data/in.bin out/; ls; printf 'no end'\n")
    (work / "go.sh").chmod(0o755)
    (tmp_path / "mounted").write_text("m")
    commands = ["echo ready", "./go.sh"]
    content = script(commands, work, {"here/it": str(tmp_path / "mounted")}, {"A": "b"}, ["out/**"])
    code, said = ran(content, tmp_path / "home")
    shown, output = fed(said, pieces)
    assert (code, shown) == (0, "ready\ndata\ngo.sh\nhere\nout\nno end\n")
    [path] = output.unpack(tmp_path / "back")
    assert path.relative_to(tmp_path / "back") == Path("out/in.bin")
    assert path.read_bytes() == (work / "data" / "in.bin").read_bytes()
    assert not (tmp_path / "home/job/secret.key").exists()


@pytest.mark.parametrize(("commands", "code"), [(["exit 3"], 3), (["exit 2", "echo no"], 2), (["kill -9 $$"], 137)])
def test_the_exit_code_is_the_jobs(tmp_path: Path, commands: Sequence[str], code: int) -> None:
    assert ran(script(commands, None, {}, {}, []), tmp_path / "home") == (code, "")


def test_what_cannot_be_sent_is_named(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(900_000))
    with pytest.raises(InvalidInput, match="can be sent: name what is not needed"):
        script(["true"], tmp_path, {}, {}, [])
    with pytest.raises(InvalidInput, match="is no folder"):
        script(["true"], tmp_path / "none", {}, {}, [])
    with pytest.raises(InvalidInput, match="cannot read"):
        script(["true"], None, {"a": str(tmp_path / "none")}, {}, [])
    with pytest.raises(InvalidInput, match="not below the working directory"):
        script(["true"], None, {"../a": str(tmp_path / "large")}, {}, [])


def packed(*names: str, size: int = 1) -> str:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, b"\0" * size)
    return driver.MARK + base64.b64encode(made.getvalue()).decode() + "\n"


@pytest.mark.parametrize(
    "said", [driver.MARK + "no base64!\n", driver.MARK + "QUJD\n", packed("a", "b", size=2**29 + 1)]
)
def test_results_that_are_none_are_refused(tmp_path: Path, said: str) -> None:
    output = Output()
    assert output.feed(said) == ""
    with pytest.raises(BadResults):
        output.unpack(tmp_path / "back")


def test_results_stay_below_their_folder(tmp_path: Path) -> None:
    output = Output()
    output.feed(packed("../../up", "/etc/over"))
    for path in output.unpack(tmp_path / "back"):
        assert path.resolve().is_relative_to(tmp_path / "back")


def test_a_head_that_never_ends_a_line_takes_no_memory() -> None:
    output = Output()
    output.feed(driver.MARK)
    with pytest.raises(BadResults):
        output.feed("A" * 100_000)
