"""What a run has left behind: processes that know its folder, wherever they came from."""

from __future__ import annotations

import os
import time
from pathlib import Path


def processes_of(folder: Path) -> dict[int, str]:
    """Process id → command line of every process, zombies apart, whose command line, environment or working folder
    names `folder`."""
    needle = os.fsencode(folder)
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            known = (command, (entry / "environ").read_bytes(), os.fsencode((entry / "cwd").readlink()))
        except OSError:  # ended meanwhile, or no process of ours
            continue
        if any(needle in text for text in known):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def descendants(pid: int) -> set[int]:
    """Process ids below `pid`."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def left_after(folder: Path, within_secs: float) -> dict[int, str]:
    """The same, once what is ending has had time to: a process told to stop may need a moment for its children."""
    deadline = time.monotonic() + within_secs
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
