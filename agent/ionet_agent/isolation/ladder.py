"""Finds the best level of isolation that this machine has, by trying each."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ionet.errors import ConfigError
from ionet.isolation import Limits
from ionet.resolve import near
from msgspec.structs import replace

from ionet_agent.isolation import container, landlock_exec, users
from ionet_agent.isolation.base import OWN, Disk, Isolation, Level, Room, is_root, own_room, remove_tree
from ionet_agent.isolation.bubblewrap import Bubblewrap
from ionet_agent.isolation.container import Container
from ionet_agent.isolation.landlock import Landlock
from ionet_agent.isolation.nothing import Nothing
from ionet_agent.isolation.own_user import OwnUser
from ionet_agent.isolation.runtime import Runtime

BEST = "best"
_PROBE_SECS = 30.0
# Twice: what changes its user keeps the old one's rights for its first program.
_PROBE = """import subprocess, sys; subprocess.run([sys.executable, "-I", "-c", "print('inside')"], check=True)"""
_REMEDY = "install bubblewrap (0.8 or later), or say --trust-renters on a machine that serves only your own leases"
_log = logging.getLogger(__name__)
_PROBE_LIMITS = Limits(1, 2**30, 16 * 1024 * 1024, 16 * 1024 * 1024, 4096)


def of(level: Level, state: Path, disk: Disk = Disk.NONE, between: range = users.USERS) -> Isolation:
    """A level by name. state: the agent's folder. disk: what bounds files where root makes the file systems."""
    made: dict[Level, Callable[[], Isolation]] = {
        Level.CONTAINER: lambda: Container(state, disk, between),
        Level.BUBBLEWRAP: lambda: Bubblewrap(state, disk, between),
        Level.OWN_USER: lambda: OwnUser(state, disk, between),
        Level.LANDLOCK: Landlock,
        Level.NONE: Nothing,
    }
    return made[level]()


def choose(
    wanted: str,
    runtime: Runtime,
    state: Path,
    disk: Disk,
    *,
    trust: bool,
    devices: Sequence[Path] = (),
    own_network: bool = False,
) -> tuple[Isolation, str | None]:
    """The level of that name, or the best there is; and why not a better one, in one line.

    trust: whether there may be none. devices: files of the GPUs that leases are to get. own_network: whether rooms are
    to have one. Raises ConfigError.
    """
    if wanted not in (BEST, *Level):
        raise ConfigError(f"--isolation is {wanted}, not {', '.join((BEST, *Level))}{near(wanted, (BEST, *Level))}")
    if wanted == Level.NONE and not trust:
        raise ConfigError("without isolation a renter's code can do what the agent's user can: say --trust-renters too")
    reasons: list[str] = []
    for level in LADDER if wanted == BEST else (Level(wanted),):
        isolation = of(level, state, disk)
        reason = why_not(isolation, runtime, devices, own_network=own_network)
        if reason is None:
            if reasons:
                _log.warning("renters get %s: %s", level, "; ".join(reasons), extra={"action": "isolation"})
            return isolation, "; ".join(reasons) or None
        reasons.append(f"{level}: {reason}")
    if wanted == BEST and trust:
        return Nothing(), "; ".join(reasons)
    raise ConfigError(f"renters cannot be isolated here ({'; '.join(reasons)}): {_REMEDY}")


LADDER = (Level.CONTAINER, Level.BUBBLEWRAP, Level.OWN_USER, Level.LANDLOCK)


def why_not(
    isolation: Isolation, runtime: Runtime, devices: Sequence[Path] = (), *, own_network: bool = False
) -> str | None:
    """Why a level does not work here; None where a command ran in a room of it."""
    missing = _missing(isolation.level)
    if missing is not None:
        return missing
    tag = f"probe{secrets.token_hex(4)}"
    folder = Path(tempfile.gettempdir(), f"ionet-{tag}{OWN}")
    folder.mkdir(mode=0o700)
    room = Room(isolation.level, tag, folder, _PROBE_LIMITS, runtime.folders, devices=tuple(devices))
    try:
        if own_network:  # one is not made for this: whether the level can use any
            isolation.plan(replace(room, network=Path("/proc/self/ns/net")))
        room = isolation.plan(room)
        furnish(isolation, room)
        code, words = _PROBE, []
        if isolation.level is Level.CONTAINER:
            code, words = container.PROBE + _PROBE, container.trial_words(room)
        command = isolation.wrap([str(runtime.python), "-I", "-c", code, *words], room)
        done = subprocess.run(
            command, env={"PATH": "/usr/bin:/bin"}, cwd=folder, capture_output=True, text=True, timeout=_PROBE_SECS
        )
        if done.returncode == 0 and done.stdout.strip() == "inside":
            return None
        said = " ".join((done.stderr or done.stdout).split())
        return said[-200:] or f"a command in it ended with {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        with contextlib.suppress(OSError):
            isolation.clear(room)
        for path in (room.inner, folder):
            remove_tree(path)


def furnish(isolation: Isolation, room: Room) -> None:
    """Make a room whose folder is there. Raises OSError."""
    room.inner.mkdir(mode=0o700)  # nobody else's: its name is new
    if room.user is not None:
        os.chown(room.folder, -1, room.user)
        room.folder.chmod(0o710)
    isolation.furnish(room)
    own_room(room)


def _missing(level: Level) -> str | None:
    if level is Level.BUBBLEWRAP and shutil.which("bwrap") is None:
        return "bwrap is not installed"
    if level is Level.OWN_USER and not is_root():
        return "the agent is not root"
    if level is Level.LANDLOCK and landlock_exec.abi() < landlock_exec.SIGNALS_ABI:
        return f"the kernel has version {landlock_exec.abi()} of Landlock, not {landlock_exec.SIGNALS_ABI}"
    return None
