"""Level `container` with a real daemon: its environment, what a crash leaves, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent.docker_daemon import Daemon, docker
from agent.places import SMALL
from ionet.errors import ConfigError
from ionet.isolation import Limits
from ionet_agent import processes
from ionet_agent.isolation import container, container_exec, images, ladder
from ionet_agent.isolation.base import OWN, Disk, Level, Room
from ionet_agent.isolation.place import Place
from ionet_agent.isolation.runtime import Runtime
from waiting import until

ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": "/somewhere",
    "RAY_AUTH_TOKEN": "nobody's business",
    "DOCKER_HOST": "tcp://a-renters-choice",
    "TWO": "lines\nand = signs, 'quotes' # no comment",
    "EMPTY": "",
}


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with docker() as found:
        yield found


@pytest.fixture
def here(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    monkeypatch.setenv("DOCKER_HOST", daemon.host)
    monkeypatch.setattr(container, "_RUNNERS", ("docker",))
    container.runner.cache_clear()
    yield Place(Level.CONTAINER, Runtime.own(), SMALL, tmp_path)
    container.runner.cache_clear()


@pytest.fixture
def room(here: Place) -> Iterator[Room]:
    folder = Path(tempfile.mkdtemp(prefix="ionet-t", dir="/tmp"))
    tag = folder.name.removeprefix("ionet-")
    own = folder.with_name(folder.name + OWN)
    shutil.rmtree(folder)
    own.mkdir(mode=0o700)
    made = here.room(tag, own, 1)
    here.furnish(made)
    yield made
    here.clear(made)
    assert not made.inner.exists()


def started(here: Place, room: Room, code: str, environment: dict[str, str] = ENVIRONMENT) -> subprocess.Popen[bytes]:
    command = here.isolation(room).wrap([sys.executable, "-I", "-c", code], room)
    return processes.spawn(command, environment, room.tag, room.folder / "log", room.folder)


async def inside(room: Room) -> None:
    await until(lambda: (room.folder / "log").read_bytes().find(b"inside") >= 0, "the container runs")


def test_the_environment_is_exactly_what_is_given_and_no_secret_is_in_a_command_line(here: Place, room: Room) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    child = started(here, room, code)
    assert child.wait() == 0, (room.folder / "log").read_text()
    told = json.loads((room.folder / "log").read_text())
    # What a C library or the interpreter says to itself.
    assert {name: value for name, value in told.items() if name != "LC_CTYPE"} == {
        **ENVIRONMENT,
        processes.TAG_VARIABLE: room.tag,
    }
    words, own = container_exec.client({"before": ["docker"], "after": ["image"], "home": "/"}, ["true"], ENVIRONMENT)
    assert "nobody's business" not in " ".join(words)
    assert own == {"RAY_AUTH_TOKEN": "nobody's business", "PATH": own["PATH"]}


async def test_what_runs_is_found_by_its_tag_and_joined_and_nothing_of_it_is_left(
    here: Place, room: Room, daemon: Daemon
) -> None:
    child = started(here, room, "import time; print('inside', flush=True); time.sleep(600)")
    await inside(room)
    assert len(processes.tagged(room.tag)) >= 3
    joined = here.isolation(room).join(
        child.pid, [sys.executable, "-c", "import os, json; print(json.dumps(os.listdir('/proc')))"], room
    )
    beside = processes.spawn(joined, {"PATH": "/usr/bin"}, "beside", room.folder / "beside.log", room.folder)
    assert beside.wait() == 0
    seen = json.loads((room.folder / "beside.log").read_text())
    assert str(os.getpid()) not in seen
    await processes.stop(room.tag, None, 0, lambda: here.isolation(room).sweep(room))
    child.wait()
    assert processes.tagged(room.tag) == []
    here.clear(room)
    assert f"ionet-{room.tag}" not in daemon.containers()


async def test_a_container_outlives_neither_a_killed_client_nor_a_killed_daemon(
    here: Place, room: Room, daemon: Daemon
) -> None:
    child = started(here, room, "import time; print('inside', flush=True); time.sleep(600)")
    await inside(room)
    child.kill()
    child.wait()
    assert processes.tagged(room.tag), "it runs without its client, and is found by the next agent"
    daemon.kill()
    try:
        await processes.stop(room.tag, None, 0, lambda: here.isolation(room).sweep(room))
        assert processes.tagged(room.tag) == []
        with pytest.raises(OSError, match="daemon"):
            here.clear(room)  # it is tried again
    finally:
        daemon.start()
    here.clear(room)
    assert f"ionet-{room.tag}" not in daemon.containers()


async def test_a_driver_that_is_killed_is_killed_in_the_container(here: Place, room: Room) -> None:
    child = started(here, room, "import time; print('inside', flush=True); time.sleep(600)")
    await inside(room)
    word = f"7{os.getpid()}1"
    joined = here.isolation(room).join(child.pid, ["/bin/sleep", word], room)
    driver = processes.spawn(joined, ENVIRONMENT, "its-driver", room.folder / "driver.log", room.folder)
    await until(lambda: _sleeping(word), "the driver runs")
    processes.end_group(driver.pid)
    driver.wait()
    assert _sleeping(word), "the client alone is no child's parent"
    processes.end_those_of("its-driver", word)
    await until(lambda: not _sleeping(word), "the driver is gone")
    assert child.poll() is None
    await processes.stop(room.tag, None, 0, lambda: here.isolation(room).sweep(room))
    child.wait()


def _sleeping(word: str) -> bool:
    return any(
        processes.runs(int(name), word) and processes.runs(int(name), "/bin/sleep") and _program(name) == b"/bin/sleep"
        for name in os.listdir("/proc")
        if name.isdecimal()
    )


def _program(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return b""


def test_a_runtime_that_cannot_give_the_gpus_is_refused_with_the_remedy(here: Place, dev: Path, tmp_path: Path) -> None:
    """A device file without a driver behind it is what a container gets whose runtime does not let it."""
    isolation, card = ladder.of(Level.CONTAINER, tmp_path, Disk.NONE), dev / "nvidia0"
    assert ladder.why_not(isolation, here.runtime) is None
    subprocess.run(["mknod", str(card), "c", "195", "0"], check=True)
    refused = ladder.why_not(isolation, here.runtime, [card])
    assert refused is not None
    assert str(card) in refused
    assert "--isolation bubblewrap" in refused
    with pytest.raises(ConfigError, match="--isolation bubblewrap"):
        ladder.choose("container", here.runtime, tmp_path, Disk.NONE, trust=False, devices=[card])


@pytest.fixture
def dev() -> Iterator[Path]:
    """A folder in which device files work; in the room too."""
    folder = Path(tempfile.mkdtemp(prefix="ionet-test-", dir="/dev"))
    yield folder
    shutil.rmtree(folder)


def test_a_container_has_the_devices_of_its_lease_alone(here: Place, dev: Path, tmp_path: Path) -> None:
    """One that every machine has stands for a card, and its neighbour for another lease's."""
    cards = [dev / "nvidia0", dev / "nvidia1"]
    for card in cards:
        subprocess.run(["mknod", "-m", "0666", str(card), "c", "1", "7"], check=True)
    isolation = ladder.of(Level.CONTAINER, tmp_path, Disk.NONE)
    assert ladder.why_not(isolation, here.runtime, cards[:1]) is None
    code = f"import os; print([os.path.exists(path) for path in {[str(card) for card in cards]!r}])"
    folder = Path(tempfile.gettempdir(), f"ionet-devices-{os.getpid()}{OWN}")
    folder.mkdir(mode=0o700)
    made = Room(Level.CONTAINER, f"devices-{os.getpid()}", folder, SMALL, here.runtime.folders, devices=(cards[0],))
    room = isolation.plan(made)
    try:
        ladder.furnish(isolation, room)
        command = isolation.wrap([sys.executable, "-I", "-c", code], room)
        done = subprocess.run(command, env={}, cwd=folder, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "[True, False]", done.stderr
    finally:
        isolation.clear(room)
        shutil.rmtree(room.inner)
        shutil.rmtree(folder)


def test_a_limit_that_is_not_held_is_a_reason_against_it(tmp_path: Path) -> None:
    room = Room(Level.CONTAINER, "t", tmp_path, Limits(1, 2**30, 2**24, 2**24, 4096))
    done = subprocess.run(
        [sys.executable, "-c", container.PROBE, *container.trial_words(room)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "does not hold the limit of memory" in done.stderr


def test_without_a_daemon_the_next_level_is_taken_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    monkeypatch.setattr(container, "_RUNNERS", ("docker",))
    container.runner.cache_clear()
    try:
        found, why = ladder.choose("best", Runtime.own(), tmp_path, Disk.NONE, trust=True)
    finally:
        container.runner.cache_clear()
    assert found.level is not Level.CONTAINER
    if found.level is not Level.NONE:
        assert "container: " in caplog.text
    assert why is not None
    assert "container: " in why, "and whoever asks is told"


def test_an_image_is_the_same_while_the_system_is() -> None:
    name, archive = images.empty({"bin": "usr/bin", "lib": "usr/lib"})
    assert (name, archive) == images.empty({"lib": "usr/lib", "bin": "usr/bin"})
    assert name != images.empty({"bin": "usr/bin"})[0]
