"""A job goes out as one script, runs where nothing of ours is, and its results come back whole or not at all."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from ionet.errors import InvalidInput
from ionet.renting import driver
from ionet.renting.bundle import BadResults, Output, execution, following, job


def begun(content: bytes, home: Path) -> subprocess.Popen[str]:
    """A driver, with an interpreter that sees none of our packages."""
    home.mkdir(exist_ok=True)
    path = home / "driver.py"
    path.write_bytes(content)
    command = [sys.executable, "-I", "-S", str(path)]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


def ran(content: bytes, home: Path) -> tuple[int, str]:
    """Exit code and output of a driver."""
    with begun(content, home) as driven:
        said, _ = driven.communicate(timeout=120)
    return driven.returncode, said


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
    content = job(commands, work, {"here/it": str(tmp_path / "mounted")}, {"A": "b"}, ["out/**"]).script
    code, said = ran(content, tmp_path / "home")
    shown, output = fed(said, pieces)
    assert (code, shown) == (0, "ready\ndata\ngo.sh\nhere\nout\nno end\n")
    [path] = output.unpack(tmp_path / "back")
    assert path.relative_to(tmp_path / "back") == Path("out/in.bin")
    assert path.read_bytes() == (work / "data" / "in.bin").read_bytes()
    assert not list((tmp_path / "home").rglob("secret.key"))


@pytest.mark.parametrize(("commands", "code"), [(["exit 3"], 3), (["exit 2", "echo no"], 2), (["kill -9 $$"], 137)])
def test_the_exit_code_is_the_jobs(tmp_path: Path, commands: Sequence[str], code: int) -> None:
    assert ran(job(commands, None, {}, {}, []).script, tmp_path / "home") == (code, "")


WAITS = "echo here; while [ ! -e go ]; do sleep 0.05; done; echo went; exit 4"


def test_a_job_goes_on_without_who_began_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sent = job([WAITS], None, {}, {}, [], wait=False)
    assert ran(sent.script, home) == (0, "")
    assert ran(sent.script, home) == (0, ""), "it is begun once"
    assert [path.name for path in (home / "jobs").iterdir()] == [sent.name]
    assert ran(execution(["touch go", "ls"]), home) == (0, "go\n")
    assert ran(following(sent.name, 0, wait=True), home) == (4, "here\nwent\n")
    assert ran(following(None, 5, wait=False), home) == (4, "went\n")
    assert ran(following("other", 0, wait=True), home) == (driver.LOST, "no job other\n")


def test_a_job_goes_on_when_who_follows_it_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sent = job([WAITS], None, {}, {}, [])
    with begun(sent.script, home) as followed:
        assert followed.stdout is not None
        assert followed.stdout.readline() == "here\n"
        os.killpg(followed.pid, signal.SIGKILL)
    (home / "jobs" / sent.name / "work" / "go").touch()
    assert ran(following(sent.name, 5, wait=True), home) == (4, "went\n")


def test_a_job_whose_processes_are_killed_is_lost(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sent = job([WAITS], None, {}, {}, [])
    with begun(sent.script, home) as followed:
        assert followed.stdout is not None
        assert followed.stdout.readline() == "here\n"
        os.killpg(int((home / "jobs" / sent.name / "pid").read_text()), signal.SIGKILL)
        assert followed.wait(60) == driver.LOST


def test_both_sides_count_the_same_bytes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, said = ran(job([r"printf 'a\377\303\244b\303'"], None, {}, {}, []).script, home)
    assert (code, said) == (0, "a\ufffd\u00e4b\ufffd")
    for letters in range(len(said)):
        offset = len(said[:letters].encode())
        assert ran(following(None, offset, wait=True), home) == (0, said[letters:])


def test_what_cannot_be_sent_is_named(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(900_000))
    with pytest.raises(InvalidInput, match="can be sent: name what is not needed"):
        job(["true"], tmp_path, {}, {}, [])
    with pytest.raises(InvalidInput, match="is no folder"):
        job(["true"], tmp_path / "none", {}, {}, [])
    with pytest.raises(InvalidInput, match="cannot read"):
        job(["true"], None, {"a": str(tmp_path / "none")}, {}, [])
    with pytest.raises(InvalidInput, match="not below the working directory"):
        job(["true"], None, {"../a": str(tmp_path / "large")}, {}, [])


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
