"""What stands for Ray's agents until somebody calls them; `test_local_provider` has the real ones."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ionet import ray_agents
from launcher.ports import free_range
from waiting import until

# Like Ray's: a process of its own that binds its port, and answers there.
AGENT = """
import asyncio, os, sys
async def main():
    async def answer(reader, writer):
        writer.write(repr((await reader.readline(), os.getpid(), sys.argv[1:])).encode())
        writer.close()
    options = dict(text.split("=", 1) for text in sys.argv[1:])
    server = await asyncio.start_server(answer, options["--node-ip-address"], int(options[PORT]))
    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    assert other.sockets[0].getsockname()[1] != int(options[PORT])
    await server.serve_forever()
asyncio.run(main())
"""


@contextmanager
def standing(folder: Path, option: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    agent = folder / "agent.py"
    agent.write_text(AGENT.replace("PORT", repr(option)))
    words = ["--node-ip-address=127.0.0.2", f"{option}={port}", f"--session-dir={folder}", "--node-id=abc"]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", ray_agents.__file__, str(agent), *words], stdin=subprocess.PIPE
    ) as child:
        try:
            yield child, words
        finally:
            child.kill()


def persisted(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*_abc")}


@pytest.mark.parametrize(
    ("option", "also"),
    [
        ("--runtime-env-agent-port", {}),
        ("--listen-port", {"metrics_agent_port_abc": "-1", "metrics_export_port_abc": "-1"}),
    ],
)
def test_who_calls_first_is_answered_by_the_agent_and_so_are_all_others(
    tmp_path: Path, option: str, also: dict[str, str]
) -> None:
    [port] = free_range(1)
    own = "runtime_env_agent_port_abc" if "runtime" in option else "dashboard_agent_listen_port_abc"
    with standing(tmp_path, option, port) as (child, words):
        asyncio.run(until(lambda: own in persisted(tmp_path), "it says where it is"))
        assert persisted(tmp_path) == {own: str(port), **also}
        for number in range(3):
            with socket.create_connection(("127.0.0.2", port), 60) as caller:
                caller.sendall(f"{number}\n".encode())
                answer = caller.makefile("rb").read().decode()
            # The very process that the node watches.
            assert answer == repr((f"{number}\n".encode(), child.pid, words))
        assert child.poll() is None


def test_it_ends_with_its_node(tmp_path: Path) -> None:
    [port] = free_range(1)
    with standing(tmp_path, "--listen-port", port) as (child, _):
        asyncio.run(until(lambda: len(persisted(tmp_path)) == 3, "it says where it is"))
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(60) == 0
