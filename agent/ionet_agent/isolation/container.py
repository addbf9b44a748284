"""Level `container`: what `bubblewrap` keeps apart, and the runtime's filter of system calls and control of devices.

The container shows the machine's own system and runtime, so nothing is downloaded. Its processes are the daemon's
children and not the agent's: they are found by the tag in their environment as all others are, end with the first of
them, and what is left is removed by its name.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from ionet_agent.isolation import cgroups, container_exec, disks, images, system, users
from ionet_agent.isolation.base import Disk, Level, Room, is_root

_RUNNERS = ("docker", "podman", "nerdctl")
_SECS = 60.0
_GONE = re.compile(r"no such container|no container with", re.IGNORECASE)
_BUSY = re.compile(r"already in progress", re.IGNORECASE)
# The first process: it waits for the members', and for all who have lost their parents.
_FIRST = 'mkdir -p -m 700 "$0" "$1"; shift; "$@" & wait $!'
PROBE = """
import os, sys
def holds(limit, *paths):
    told = [open(path).read().strip() for path in paths if os.path.exists(path)]
    if limit not in told:
        sys.exit(f"the container runtime does not hold the limit of {paths[0].split('/')[-1]}: {told}")
memory, processes, *devices = sys.argv[1:]
holds(memory, "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
holds(processes, "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")
for path in devices:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        remedy = "let it use the driver's devices, or say --isolation bubblewrap"
        sys.exit(f"the container runtime does not give {path} ({error.strerror}): {remedy}")
"""
"""Python that ends with the reason where a container does not hold its limits or has not the devices of its lease."""
_ASKED = re.compile(r"nvidia\d+|nvidiactl|dxg")


class Container:
    """An `Isolation`. state: the agent's folder, for the leases' file systems. Root only: disk, what bounds files."""

    level = Level.CONTAINER

    def __init__(self, state: Path, disk: Disk = Disk.MEMORY, between: range = users.USERS) -> None:
        self._state, self._disk, self._users = state, disk, between

    def plan(self, room: Room) -> Room:
        """Raises OSError where no runtime is installed, or it cannot use the room's network."""
        room = replace(room, groups=(), runner=runner())
        if room.network is not None and Path(runner()).name == "docker":
            raise OSError("docker cannot start a container in a network that another program has made")
        if not is_root():
            return replace(room, disk=Disk.MEMORY)
        image = self._state / "rooms" / f"{room.tag}.img" if self._disk is Disk.LOOP else None
        return replace(room, user=users.free_user(self._users), disk=self._disk, image=image)

    def furnish(self, room: Room) -> None:
        name, archive = images.empty(system.links())
        if _call(room, "image", "inspect", name).returncode:
            done = _call(room, "load", "--quiet", archive=archive)
            if done.returncode:
                raise OSError(f"{room.runner}: {_said(done)}")
        if is_root():
            disks.mount(room)
        system.name_user(room)

    def wrap(self, command: Sequence[str], room: Room) -> list[str]:
        image, _ = images.empty(system.links())
        before = [*_program(room), "run", "--rm", "--pull", "never", "--log-driver", "none", "--name", _name(room)]
        before += [*_kept_apart(room), *_limits(room), *_files(room)]
        first = ["/bin/sh", "-c", _FIRST, str(room.home), str(room.temporary)]
        return _through(room, before, [image, *first], command)

    def join(self, first: int, command: Sequence[str], room: Room) -> list[str]:  # noqa: ARG002
        return _through(room, [*_program(room), "exec"], [_name(room)], command)

    def sweep(self, room: Room) -> bool:
        """Without the daemon, which may be gone."""
        return room.user is not None and users.kill_all(room.user)

    def clear(self, room: Room) -> None:
        """Raises OSError while the daemon does not answer: it might start what it was asked for."""
        if room.runner is None:  # it could not be planned
            return
        while (done := _call(room, "rm", "--force", _name(room))).returncode and not _GONE.search(said := _said(done)):
            if not _BUSY.search(said):
                raise OSError(f"{room.runner}: {said}")
        if is_root():
            disks.unmount(room)


def trial_words(room: Room) -> list[str]:
    """The arguments of `PROBE`."""
    asked = [str(path) for path in room.devices if _ASKED.fullmatch(path.name)]
    return [str(room.limits.memory_bytes), str(room.limits.processes), *asked]


@functools.cache
def runner() -> str:
    """The first runtime on PATH that answers, else the first. Raises OSError where there is none."""
    found = [path for name in _RUNNERS if (path := shutil.which(name)) is not None]
    for path in found:
        with contextlib.suppress(OSError):
            if _run([path, *_options(path), "ps", "--quiet"]).returncode == 0:
                return path
    if not found:
        raise OSError(f"none of {', '.join(_RUNNERS)} is installed")
    return found[0]


def _program(room: Room) -> list[str]:
    assert room.runner is not None
    return [room.runner, *_options(room.runner)]


def _options(program: str) -> list[str]:
    """Never the settings in a home, which can be a renter's; they name programs to run."""
    if Path(program).name != "docker":
        return []
    host = os.environ.get("DOCKER_HOST")
    return ["--config", "/nonexistent", *([] if host is None else ["--host", host])]


def _name(room: Room) -> str:
    return f"ionet-{room.tag}"


def _through(room: Room, before: Sequence[str], after: Sequence[str], command: Sequence[str]) -> list[str]:
    about = json.dumps({"before": before, "after": after, "home": str(room.home)})
    return [sys.executable, "-I", "-S", str(Path(container_exec.__file__)), about, "--", *command]


def _kept_apart(room: Room) -> list[str]:
    user = os.getuid() if room.user is None else room.user
    words = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{user}:{user}"]
    words += ["--hostname", "lease", "--ipc", "private"]
    return [*words, "--network", "host" if room.network is None else f"ns:{room.network}"]


def _limits(room: Room) -> list[str]:
    limits = room.limits
    cpus = min(limits.cpus + cgroups.OWN_CPUS, os.cpu_count() or 1)
    words = ["--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes), "--cpus", str(cpus)]
    words += ["--pids-limit", str(limits.processes), "--shm-size", str(limits.shm_bytes), "--ulimit", "core=0"]
    if room.user is not None and Path(room.runner or "").name == "podman":
        # Its defaults are a million each, which root may not give where it has not all of its rights.
        files = ":".join(map(str, resource.getrlimit(resource.RLIMIT_NOFILE)))
        words += ["--ulimit", f"nofile={files}", "--ulimit", f"nproc={limits.processes}:{limits.processes}"]
    return words


def _files(room: Room) -> list[str]:
    words = ["--tmpfs", f"/tmp:rw,exec,nosuid,nodev,mode=1777,size={system.TEMPORARY_BYTES}"]
    for path, source in system.read_only(room).items():
        words += ["--mount", _mount(source, path, "readonly")]
    for device in room.devices:
        words += ["--device", f"{device}:{device}:rw"]
    if room.user is None and room.disk is Disk.MEMORY:
        owner = f"mode=0700,uid={os.getuid()},gid={os.getgid()},size={room.limits.disk_bytes}"
        return [*words, "--tmpfs", f"{room.inner}:rw,exec,nosuid,nodev,{owner}"]
    return [*words, "--mount", _mount(room.inner, room.inner)]


def _mount(source: Path, target: Path, *options: str) -> str:
    """As one line of CSV: names may have commas."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", *options])
    return line.getvalue()


def _call(room: Room, *words: str, archive: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return _run([*_program(room), *words], archive)


def _run(command: Sequence[str], archive: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Raises OSError, also where there is no answer in time."""
    try:
        return subprocess.run(command, input=archive or b"", capture_output=True, timeout=_SECS, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{command[0]} does not answer within {_SECS:g} s") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(done.stderr.decode(errors="replace").split())[-200:] or f"ended with {done.returncode}"
