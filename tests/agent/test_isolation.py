"""What a renter's code cannot do, at each level that this machine has, with the agent as root and as an ordinary user.

The renter's code is that of `trial`: real Ray, a driver and a task.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent.docker_daemon import docker
from agent.places import place
from ionet.check.devices import Device
from ionet.errors import ConfigError
from ionet.wallet import write_keypair
from ionet_agent.isolation import cgroups, container, gpus, ladder, users
from ionet_agent.isolation.base import Disk, Level
from ionet_agent.isolation.runtime import Runtime
from launcher.ports import free_range
from solders.keypair import Keypair

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


@pytest.fixture(scope="module")
def docker_host() -> Iterator[str]:
    with docker() as daemon:
        yield daemon.host


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
        kept = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
        environment = {
            **kept,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(TESTS),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
        }
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


def test_a_room_has_the_network_it_is_given(tmp_path: Path) -> None:
    """Here one that leads nowhere: not even to the agent's API on loopback."""
    if not is_root:
        pytest.skip("network namespaces are made by root")
    needs(Level.BUBBLEWRAP, Path(sys.executable), 0)
    folder = Path(tempfile.mkdtemp(prefix="ionet-network-")) / "lease.own"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as api:
        code = f"import socket; socket.create_connection(('127.0.0.1', {api.getsockname()[1]}), 2); print('reached')"
        alone = subprocess.Popen(["/usr/bin/unshare", "--net", "/bin/sleep", "60"])
        try:
            while os.readlink(f"/proc/{alone.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
                time.sleep(0.01)
            reached = []
            for network in (None, Path(f"/proc/{alone.pid}/ns/net")):
                here = dataclasses.replace(place(tmp_path, Level.BUBBLEWRAP), own_network=network is not None)
                room = here.room("network", folder, 1, network)
                here.furnish(room)
                command = here.isolation(room).wrap([sys.executable, "-c", code], room)
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
                reached.append("reached" in done.stdout)
                assert reached[-1] or "Network is unreachable" in done.stderr
                here.clear(room)
                folder.mkdir()
                assert here.about().held["network"] == ("its own" if network else "the machine's")
        finally:
            alone.kill()
            alone.wait()
            shutil.rmtree(folder.parent)
    assert reached == [True, False]


def test_where_no_level_works_the_owner_has_to_say_that_renters_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ladder, "_PROBE", "raise SystemExit('not here')")
    with pytest.raises(ConfigError, match=r"bubblewrap: .*own-user: .*landlock: .*--trust-renters") as refused:
        ladder.choose("best", Runtime.own(), tmp_path, Disk.NONE, trust=False)
    assert "\n" not in str(refused.value)
    assert ladder.choose("best", Runtime.own(), tmp_path, Disk.NONE, trust=True)[0].level is Level.NONE
    with pytest.raises(ConfigError, match="landlock: "):
        ladder.choose("landlock", Runtime.own(), tmp_path, Disk.NONE, trust=True)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--isolation", "none"), "--trust-renters"),
        (("--isolation", "walls"), "bubblewrap, own-user"),
        (("--runtime", "/nonexistent"), "not a virtual environment"),
    ],
)
def test_an_agent_that_cannot_isolate_ends_with_one_line(options: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    write_keypair(tmp_path / "device.json", Keypair())
    command = [sys.executable, "-m", "ionet", "node", "run", "--device-key", str(tmp_path / "device.json")]
    command += ["--base", str(tmp_path / "n"), "--ip", "127.0.9.9", "--ports", "24000-24020", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_cgroups_hold_what_they_say() -> None:
    found = cgroups.find()
    if not found.parents:
        pytest.skip("no control group can be made here")
    tag = f"test-{os.getpid()}"
    groups = found.groups(tag)
    found.make(tag, trial.LIMITS)
    child = subprocess.Popen([*cgroups.enter(groups), "/bin/sleep", "60"])
    try:
        while b"sleep" not in Path(f"/proc/{child.pid}/cmdline").read_bytes().split(b"\0")[0]:
            time.sleep(0.01)
        assert all(f"ionet-{tag}" in (group / "cgroup.procs").as_posix() for group in groups)
        assert cgroups.controllers(groups) >= set(found.parents)
        assert cgroups.kill(groups)
        assert child.wait() == -9
    finally:
        child.kill()
        cgroups.remove(groups)
    assert not [group for group in groups if group.exists()]


def test_a_lease_gets_its_own_gpus_alone(tmp_path: Path) -> None:
    """Of two cards the second, by the number of its file and not by its place in the list."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    for bus, minor in (("17", 1), ("18", 0)):
        folder = tmp_path / f"proc/driver/nvidia/gpus/0000:{bus}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"GPU UUID: \t GPU-{bus}\nDevice Minor: \t {minor}\n")
    devices = [Device(name="H100", uuid="GPU-17"), Device(name="H100", uuid="GPU-18")]
    found = gpus.of_lease(devices, 1, tmp_path)
    assert found.visible == "GPU-17"
    assert [path.name for path in found.files] == ["nvidia1", "nvidiactl", "nvidia-uvm"]
    assert gpus.of_lease(devices, 2, tmp_path).visible == "GPU-17,GPU-18"
    assert gpus.of_lease([], 2, tmp_path) == gpus.Gpus()


def test_a_runtime_is_made_for_every_user(tmp_path: Path) -> None:
    if shutil.which("uv") is None:
        pytest.skip("uv is not on PATH")
    folder = Path(tempfile.mkdtemp(prefix="ionet-made-"))
    folder.chmod(0o755)
    try:
        command = [sys.executable, "-m", "ionet", "agent", "runtime", str(folder / "runtime"), "--json"]
        for _ in range(2):  # the second finds it made
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == {"runtime": str(folder / "runtime")}
        runtime = Runtime.at(folder / "runtime")
        assert not [path for path in runtime.folders if path.is_relative_to(TESTS.parent)]
        if is_root and not str(runtime.python.resolve()).startswith("/root"):
            user = ["/usr/bin/env", str(runtime.python), "-I", "-c", "import ray, ionet.check.member, ionet.ray"]
            assert subprocess.run([*_as(ORDINARY), *user], cwd="/", check=False).returncode == 0
        level = Level.BUBBLEWRAP
        needs(level, Path(sys.executable), os.getuid())
        assert ladder.why_not(ladder.of(level, tmp_path), runtime) is None
    finally:
        shutil.rmtree(folder)


CASES = [
    pytest.param(Level.CONTAINER, 0, id="container, root"),
    pytest.param(Level.CONTAINER, ORDINARY, id="container, ordinary user"),
    pytest.param(Level.BUBBLEWRAP, 0, id="bubblewrap, root"),
    pytest.param(Level.OWN_USER, 0, id="own user, root"),
    pytest.param(Level.LANDLOCK, 0, id="landlock, root"),
    pytest.param(Level.BUBBLEWRAP, ORDINARY, id="bubblewrap, ordinary user"),
    pytest.param(Level.LANDLOCK, ORDINARY, id="landlock, ordinary user"),
]


@pytest.mark.parametrize(("level", "user"), CASES)
@pytest.mark.matrix
def test_a_renters_code_reaches_neither_agent_nor_others_and_outlives_nothing(
    level: Level, user: int, runtime: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_root:
        if user == 0:
            pytest.skip("these tests do not run as root")
        user = os.getuid()
    if level is Level.CONTAINER:
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_host"))
    told = tried(level, runtime, user)
    namespaces = level in (Level.CONTAINER, Level.BUBBLEWRAP)
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
    assert not [path for path in Path(room["folder"]).parent.iterdir() if told["tag"] in path.name]
    assert told["tag"] not in Path("/proc/mounts").read_text()
    assert room["image"] is None or not Path(room["image"]).exists()
    assert not [group for group in room["groups"] if Path(group).exists()]
    if room["user"] is not None:
        assert users.processes_of(room["user"]) == []
        assert not [name for name in os.listdir("/tmp") if Path("/tmp", name).lstat().st_uid == room["user"]]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("", "none of docker, podman, nerdctl is installed"), ("docker", "docker cannot start a container in a network")],
)
def test_a_container_runtime_that_cannot_be_used_is_passed_over_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, reason: str
) -> None:
    if path:
        program = tmp_path / path
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    container.runner.cache_clear()
    try:
        isolation = ladder.of(Level.CONTAINER, tmp_path, Disk.NONE)
        assert reason in str(ladder.why_not(isolation, Runtime.own(), own_network=True))
    finally:
        container.runner.cache_clear()
