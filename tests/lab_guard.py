"""Takes down what a lab of `netlab` has started, also where the test that made it is killed.

A process of its own waits until its owner ends. What agents start outlives them on purpose, so neither a closed pipe
nor a dead parent ends it: whatever is in the lab's namespaces, knows one of its folders or carries a tag of theirs is
killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leftovers import processes_of

ROOMS, SOCKETS = Path("/tmp"), Path("/var/run/wireguard")
_SECS = 60
_LIVES = "its owner has ended it"


@dataclass(frozen=True)
class Guard:
    process: subprocess.Popen[str]

    def clears(self, folder: Path) -> None:
        """All that knows this folder ends with the lab. The folder stays, but where the owner is killed."""
        self._say(str(folder))

    def removes(self, folder: Path) -> None:
        """The same, and only where the owner is killed."""
        self._say(f"+{folder}")

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        print(line, file=self.process.stdin, flush=True)


@contextlib.contextmanager
def guard(prefix: str) -> Iterator[Guard]:
    """prefix: of the lab's namespaces, which go with it."""
    # Not in its owner's session, whose group may be killed as a whole.
    command = [sys.executable, __file__, prefix]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True) as process:
        made = Guard(process)
        try:
            yield made
        finally:
            made._say(_LIVES)
    assert process.returncode == 0


def clear(prefix: str, folders: list[Path]) -> None:
    _end_processes(prefix, folders)
    for folder in folders:
        for state in folder.rglob("overlay/state.json"):
            _end_network(state)
        for agents_key in folder.rglob("journal.db"):
            for tag in tags_of(agents_key.parent):
                _end_room(tag)
    for name in namespaces(prefix):
        _ip("netns", "del", name)


def tags_of(base: Path) -> set[str]:
    """Of all rooms of the agent with this folder, as far as anything of them is left."""
    from ionet_agent.isolation.base import OWN
    from ionet_agent.providers.local import tag_prefix

    left = ROOMS.glob(f"ionet-{tag_prefix(base)}*")
    return {path.name.removeprefix("ionet-").removesuffix(OWN) for path in left}


def _end_processes(prefix: str, folders: list[Path]) -> None:
    deadline = time.monotonic() + _SECS
    while found := _inside(prefix) | {pid for folder in folders for pid in processes_of(folder)}:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"these cannot be killed: {found}"
        time.sleep(0.05)


def _inside(prefix: str) -> set[int]:
    return {int(word) for name in namespaces(prefix) for word in _ip("netns", "pids", name).split()}


def namespaces(prefix: str) -> list[str]:
    """Of a lab, as far as they are there."""
    names = [line.split()[0] for line in _ip("netns", "list").splitlines()]
    return [name for name in names if name.startswith(f"{prefix}-")]


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False).stdout


def _end_network(state: Path) -> None:
    import msgspec
    from ionet_agent.overlay import tools

    about = msgspec.json.decode(state.read_bytes(), type=dict[str, object])
    asyncio.run(tools.end_all(str(about["tag"])))
    (SOCKETS / f"{about['name']}.sock").unlink(missing_ok=True)


def _end_room(tag: str) -> None:
    from ionet_agent import processes
    from ionet_agent.isolation import cgroups
    from ionet_agent.isolation.base import OWN, remove_tree

    asyncio.run(processes.stop(tag, None, 0))
    if podman := shutil.which("podman"):
        subprocess.run([podman, "rm", "--force", "--ignore", f"ionet-{tag}"], capture_output=True, check=False)
    room = ROOMS / f"ionet-{tag}"
    subprocess.run(["umount", "--lazy", str(room)], capture_output=True, timeout=20, check=False)
    for folder in (room, room.with_name(f"{room.name}{OWN}")):
        remove_tree(folder)
    cgroups.remove(cgroups.find().groups(tag))


def main(prefix: str) -> None:
    said = [line.rstrip("\n") for line in sys.stdin]
    lives = _LIVES in said
    folders = [Path(line.removeprefix("+")) for line in said if line != _LIVES and not (lives and line[0] == "+")]
    clear(prefix, folders)
    if not lives:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
