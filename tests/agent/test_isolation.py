"""What a renter's code cannot do, at each level that this machine has, with the agent as root and as an ordinary user.

The renter's code is that of `trial`: real Ray, a driver and a task.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ionet_agent.isolation import users
from ionet_agent.isolation.base import Disk, Level
from launcher.ports import free_range

from agent import trial

ORDINARY = 61_184
TESTS = Path(__file__).parents[1]
ABSENT, DENIED, NO_PROCESS = "FileNotFoundError", "PermissionError", "ProcessLookupError"
is_root = os.geteuid() == 0


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """An interpreter with the packages of these tests that every user of this machine can run."""
    with tempfile.TemporaryDirectory(prefix="ionet-runtime-") as folder:
        Path(folder).chmod(0o755)
        yield _open_to_all(Path(folder)) if is_root else Path(sys.executable)


def _open_to_all(folder: Path) -> Path:
    if _runs_for_others(Path(sys.executable)):
        return Path(sys.executable)
    system = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if system is None:
        pytest.skip("no interpreter of this version that other users may run")
    subprocess.run([system, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    [own] = (folder / "venv/lib").glob("python*/site-packages")
    (own / "tests.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    if not _runs_for_others(folder / "venv/bin/python"):
        pytest.skip("the packages of these tests can be read by root alone")
    return folder / "venv/bin/python"


def _runs_for_others(python: Path) -> bool:
    command = [*_as(ORDINARY), "/usr/bin/env", str(python), "-c", "import ray, ionet_agent"]
    return subprocess.run(command, capture_output=True, cwd="/", check=False).returncode == 0


def _as(user: int) -> list[str]:
    return ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]


def needs(level: Level, runtime: Path, user: int) -> None:
    """Skip a test where the machine does not have a level."""
    code = (
        "import sys; from pathlib import Path; from ionet_agent.isolation import ladder;"
        "from ionet_agent.isolation.base import Level; from ionet_agent.isolation.runtime import Runtime;"
        "print(ladder.why_not(ladder.of(Level(sys.argv[1]), Path(sys.argv[2])), Runtime.own()) or '')"
    )
    change = [] if user == os.getuid() else _as(user)
    with tempfile.TemporaryDirectory() as state:
        command = [*change, str(runtime), "-c", code, level, state]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=True)
    if done.stdout.strip():
        pytest.skip(f"{level}: {done.stdout.strip()}")


@contextlib.contextmanager
def folder_of(user: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ionet-trial-") as name:
        if is_root:
            os.chown(name, user, user)
        yield Path(name)


def tried(level: Level, runtime: Path, user: int) -> dict[str, Any]:
    """What `trial` tells."""
    needs(level, runtime, user)
    ports, ip = free_range(24), f"127.0.{os.getpid() % 250 + 1}.77"
    with folder_of(user) as folder:
        change = [] if user == os.getuid() else _as(user)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS), "LANG": "C.UTF-8", "HOME": str(folder)}
        done = subprocess.run(
            [*change, str(runtime), trial.__file__, str(folder), level, ip, str(ports[0])],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


CASES = [
    pytest.param(Level.BUBBLEWRAP, 0, id="bubblewrap, root"),
    pytest.param(Level.OWN_USER, 0, id="own user, root"),
    pytest.param(Level.LANDLOCK, 0, id="landlock, root"),
    pytest.param(Level.BUBBLEWRAP, ORDINARY, id="bubblewrap, ordinary user"),
    pytest.param(Level.LANDLOCK, ORDINARY, id="landlock, ordinary user"),
]


@pytest.mark.parametrize(("level", "user"), CASES)
def test_a_renters_code_reaches_neither_agent_nor_others_and_outlives_nothing(
    level: Level, user: int, runtime: Path
) -> None:
    if not is_root:
        if user == 0:
            pytest.skip("these tests do not run as root")
        user = os.getuid()
    told = tried(level, runtime, user)
    namespaces = level is Level.BUBBLEWRAP
    for attack in told["attacks"]:
        assert attack["key"] == (ABSENT if namespaces else DENIED)
        assert attack["environment"] == (ABSENT if namespaces else DENIED)
        assert attack["memory"] == (ABSENT if namespaces else DENIED)
        assert attack["signal"] == (NO_PROCESS if namespaces else DENIED)
        assert attack["other_file"] == (ABSENT if namespaces else DENIED)
        assert attack["other_signal"] == (NO_PROCESS if namespaces else DENIED)
        assert attack["log"] in (DENIED, "OSError"), "the agent's own files in its folder are not for writing"
        assert attack["home"] is None
        assert attack["outside"] == []
        assert attack["privileges"][0] == "0" * 16
        assert attack["privileges"][2] == "1"
        if namespaces:
            assert attack["processes"] < 100
        if user == 0 and level is not Level.LANDLOCK:
            assert attack["user"] in users.USERS
        held = told["held"]
        assert attack["disk"] <= trial.LIMITS.disk_bytes or held["disk"] == Disk.NONE
        assert not attack["eaten"] or held["memory"] == "not bounded"
        assert attack["bred"] < trial.LIMITS.processes or held["processes"] == "not bounded"
    assert told["alive"] >= 1, "a process has got away from its parent"
    assert told["after"] == 0
    assert told["check"], "the launcher's check is answered beside the member"
    _nothing_is_left(told)


def _nothing_is_left(told: dict[str, Any]) -> None:
    room = told["room"]
    assert not Path(room["folder"]).exists()
    assert told["tag"] not in Path("/proc/mounts").read_text()
    assert room["image"] is None or not Path(room["image"]).exists()
    assert not [group for group in room["groups"] if Path(group).exists()]
    if room["user"] is not None:
        assert users.processes_of(room["user"]) == []
        assert not [name for name in os.listdir("/tmp") if Path("/tmp", name).lstat().st_uid == room["user"]]
