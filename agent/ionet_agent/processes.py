"""Processes that outlive the process that started them, and are found again after it was killed (Linux).

Each carries a random tag in its environment and in the path of its working folder, which every descendant inherits and
nobody else has. One of the two is enough: a process that sets its title writes over the start of what the system shows
as its environment. The tag is on disk before the process exists, so there is no moment at which a crash loses sight of
it; process ids are never trusted alone, because the system gives them out again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ionet_agent.files import append_foreign

TAG_VARIABLE = "IONET_PROCESS_TAG"
_POLL_SECS = 0.05


def start_ticks(pid: int) -> int | None:
    """Start time of `pid` in clock ticks since boot, or None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def tagged(tag: str) -> list[int]:
    """Ids of the live processes that carry `tag`, oldest first."""
    needle = f"{TAG_VARIABLE}={tag}\0".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # gone in the meantime, or another user's: not ours
            environment = Path(entry.path, "environ").read_bytes() + b"\0"
            if needle in environment or tag in os.readlink(Path(entry.path, "cwd")):
                found.append((start_ticks(int(entry.name)), int(entry.name)))
    return [pid for ticks, pid in sorted((t, p) for t, p in found if t is not None)]


def runs(pid: int, word: str) -> bool:
    """True when `word` is an argument of the command that `pid` runs."""
    try:
        return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


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


async def stop(tag: str, main_pid: int | None, grace_secs: float) -> None:
    """Ask the main process to end (SIGTERM), wait up to `grace_secs`, then kill everything that carries the tag.

    `main_pid` must already be known to carry the tag; None kills at once.
    """
    if main_pid is not None and main_pid in tagged(tag):
        _signal(main_pid, signal.SIGTERM)
        await _gone(tag, grace_secs)
    while remaining := tagged(tag):
        for pid in remaining:
            _signal(pid, signal.SIGKILL)
        await _gone(tag, 1.0)


def end_group(leader: int) -> None:
    """Kill the process group of a session leader we started and have not waited for, with all who stayed in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


async def _gone(tag: str, within_secs: float) -> None:
    deadline = time.monotonic() + within_secs
    while tagged(tag) and time.monotonic() < deadline:  # noqa: ASYNC110 (the kernel sends no event for these)
        await asyncio.sleep(_POLL_SECS)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
