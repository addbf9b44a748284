"""A systemd of one's own, of a user, in a PID and a mount namespace: `python service_manager.py FOLDER` is its first
process, and tries the unit of `ionet node up --service user` there. Prints what it saw, as JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ionet_agent.up import unit
from ionet_agent.up.unit import Scope

SYSTEMD = Path("/usr/lib/systemd/systemd")
NAME = "ionet-node-test.service"
SECS = 120.0
# What an agent is to its unit: a process with another beside it, of the lease, that has to outlive it.
AGENT = """
import os, pathlib, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
if not (folder / "ray").exists():
    (folder / "ray").write_text(str(subprocess.Popen(["sleep", "1000"], start_new_session=True).pid))
with (folder / "agents").open("a") as file:
    print(os.getpid(), sys.argv[2:], file=file)
time.sleep(1000)
"""


def until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECS
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, timeout=60).stdout.strip()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def main(folder: Path) -> None:
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "tmpfs", "/run"]):
        subprocess.run(command, check=True)
    runtime = Path("/run/user/0")
    for path in (runtime, Path("/run/systemd/system")):
        path.mkdir(parents=True)
    os.environ |= {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder)}
    with (folder / "systemd.log").open("w") as log:
        manager = subprocess.Popen([str(SYSTEMD), "--user"], stdout=log, stderr=log)
    until(lambda: systemctl("is-system-running") in ("running", "degraded"))

    (folder / "agent.py").write_text(AGENT)
    command = [sys.executable, str(folder / "agent.py"), str(folder), "100%", "$HOME", 'a "word"']
    unit.write(unit.file_of(Scope.USER, NAME), unit.text(Scope.USER, command, "NODE"))
    unit.start(Scope.USER, NAME)
    agents = folder / "agents"

    def lines() -> list[str]:
        return agents.read_text().splitlines() if agents.exists() else []

    until(lines)
    first = int(lines()[0].split()[0])
    ray = int((folder / "ray").read_text())
    seen: dict[str, object] = {"words": lines()[0].partition(" ")[2], "enabled": systemctl("is-enabled", NAME)}
    os.kill(first, signal.SIGKILL)
    until(lambda: len(lines()) == 2)
    second = int(lines()[1].split()[0])
    seen |= {"restarted": second != first, "ray_after_kill": is_there(ray), "active": systemctl("is-active", NAME)}
    # Started again by who says `node up --service` once more, and stopped for good.
    unit.start(Scope.USER, NAME)
    until(lambda: len(lines()) == 3)
    seen |= {"one_agent": not is_there(second), "ray_after_restart": is_there(ray)}
    systemctl("stop", NAME)
    third = int(lines()[2].split()[0])
    seen |= {"stopped": not is_there(third), "ray_after_stop": is_there(ray)}
    print(json.dumps(seen))
    manager.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
