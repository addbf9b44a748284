"""Processes that outlive the process that started them, and are found again after it was killed (Linux).

Each carries a random tag in its environment and in the path of its working folder, which every descendant inherits and
nobody else has. One of the two is enough: a process that sets its title writes over the start of what the system shows
as its environment. What has neither is found as a child of one that has: in namespaces of their own all are descendants
of the process that made them, whatever they do to look like strangers. The tag is on disk before the process exists, so
there is no moment at which a crash loses sight of it; process ids are never trusted alone, because the system gives
them out again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ionet_agent.files import append_foreign

TAG_VARIABLE = "IONET_PROCESS_TAG"
_POLL_SECS = 0.05


def start_ticks(pid: int) -> int | None:
    """Start time of `pid` in clock ticks since boot, or None when it is gone or a zombie."""
    about = _stat(pid)
    return None if about is None else about.ticks


def tagged(tag: str) -> list[int]:
    """Ids of the live processes that carry `tag` and of their descendants, oldest first."""
    stats = _all()
    found = {pid for pid in stats if _carries(pid, tag)}
    # Parents are older than their children, so one pass in the order of age finds every generation.
    ordered = sorted(stats, key=lambda pid: (stats[pid].ticks, pid))
    grown = True
    while grown:  # ids wrap around, so that within one tick a child can sort before its parent
        before = len(found)
        found |= {pid for pid in ordered if stats[pid].parent in found}
        grown = len(found) > before
    return [pid for pid in ordered if pid in found]


def children(parent: int) -> list[int]:
    """Ids of the live children of a process, oldest first."""
    found = [(about.ticks, pid) for pid, about in _all().items() if about.parent == parent]
    return [pid for _, pid in sorted(found)]


class _Stat(NamedTuple):
    parent: int
    ticks: int


def _stat(pid: int) -> _Stat | None:
    try:
        # A process names itself, in any bytes.
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else _Stat(int(fields[1]), int(fields[19]))


def _all() -> dict[int, _Stat]:
    pids = (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal())
    return {pid: about for pid in pids if (about := _stat(pid)) is not None}


def _carries(pid: int, tag: str) -> bool:
    with contextlib.suppress(OSError):  # gone in the meantime, or another user's
        environment = Path(f"/proc/{pid}/environ").read_bytes() + b"\0"
        return f"{TAG_VARIABLE}={tag}\0".encode() in environment or tag in os.readlink(f"/proc/{pid}/cwd")
    return False


def runs(pid: int, word: str) -> bool:
    """True when `word` is an argument of the command that `pid` runs."""
    try:
        return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def module_of(tag: str, module: str) -> int | None:
    """The oldest process with this tag that is an interpreter running `module` itself, and not what has started one."""
    for pid in tagged(tag):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"-m", module.encode()]:
                return pid
    return None


def spawn(
    command: Sequence[str], environment: Mapping[str, str], tag: str, log: Path, cwd: Path
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session with exactly `environment` plus the tag; output goes to `log`.

    `cwd` must have the tag in its path. Raises OSError, also where the log or its folder is a link.
    """
    with append_foreign(log) as output:
        return subprocess.Popen(
            command,
            env={**environment, TAG_VARIABLE: tag},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def stop(tag: str, main_pid: int | None, grace_secs: float, sweep: Callable[[], bool] = lambda: False) -> None:
    """Ask the main process to end (SIGTERM), wait up to `grace_secs`, then kill everything that carries the tag.

    `main_pid` must already be known to carry the tag; None kills at once. `sweep` kills what the tag does not tell, and
    says whether there was anything.
    """
    if main_pid is not None and main_pid in tagged(tag):
        _signal(main_pid, signal.SIGTERM)
        await _gone(tag, grace_secs)
    while True:
        remaining = tagged(tag)
        for pid in remaining:
            _signal(pid, signal.SIGKILL)
        if not sweep() and not remaining:
            return
        await _gone(tag, 1.0)
        await asyncio.sleep(_POLL_SECS)


def end_group(leader: int) -> None:
    """Kill the process group of a session leader we started and have not waited for, with all who stayed in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end_those_of(tag: str, word: str) -> None:
    """Kill the groups of the processes with this tag and argument, which are not this process's own children."""
    for pid in tagged(tag):
        with contextlib.suppress(ProcessLookupError):
            if runs(pid, word) and (group := os.getpgid(pid)) != os.getpgrp():
                os.killpg(group, signal.SIGKILL)


async def _gone(tag: str, within_secs: float) -> None:
    deadline = time.monotonic() + within_secs
    while tagged(tag) and time.monotonic() < deadline:  # noqa: ASYNC110 (the kernel sends no event for these)
        await asyncio.sleep(_POLL_SECS)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
