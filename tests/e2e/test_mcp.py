"""An AI agent rents and runs something, with the protocol's own client, on a network of `ionet up`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from e2e.renter import Renter, rented_from
from mcp.client.client import Client as McpClient
from mcp.client.stdio import stdio_client
from mcp_server.place import Assistant, Refused

from mcp import StdioServerParameters

WITHIN_SECS = 300.0


@pytest.fixture
def renter(temporary: Path) -> Iterator[Renter]:
    with rented_from(temporary) as made:
        yield made


async def until(assistant: Assistant, tool: str, done: str, wanted: object, **arguments: Any) -> Any:
    deadline = time.monotonic() + WITHIN_SECS
    while (answer := await assistant.call(tool, **arguments))[done] != wanted:
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.5)
    return answer


async def played(renter: Renter, log: TextIO) -> None:
    words = ["mcp", "--limit", "5", "--confirm", "never", "--folder", str(renter.folder / "mcp")]
    command = renter.command(*words)
    server = StdioServerParameters(command=sys.executable, args=command[1:], env=renter.environment)
    async with McpClient(stdio_client(server, errlog=log)) as client:
        assistant = Assistant(client)
        [found] = (await assistant.call("search", model="4090"))["nodes"]
        quoted = await assistant.call("quote", nodes=[found["node"]], duration="1h")
        cluster = (await assistant.call("book", quote=quoted["quote"]))["cluster"]
        await until(assistant, "status", "phase", "running", cluster=cluster)

        script = "print(open('data/in.txt').read() * 2)"
        files = {"job.py": script, "data/in.txt": "seven"}
        ran = await assistant.call("run", cluster=cluster, command="python job.py; exit 3", files=files, wait=50)
        ran = await until(assistant, "output", "exit_code", 3, cluster=cluster, job=ran["job"])
        assert (ran["output"], ran["left_out"]) == ("sevenseven\n", 0)

        # What takes longer goes on; of much output there is the end.
        long = "while [ ! -e go ]; do sleep 0.1; done; seq 100000"
        waits = await assistant.call("run", cluster=cluster, command=long, wait=0)
        assert (waits["exit_code"], waits["output"]) == (None, "")
        folder = f"~/jobs/{waits['job']}/work"
        await assistant.call("run", cluster=cluster, command=f"touch {folder}/go", wait=50)
        ended = await until(assistant, "output", "exit_code", 0, cluster=cluster, job=waits["job"], wait=50)
        whole = "".join(f"{number}\n" for number in range(1, 100_001))
        assert ended["output"] == whole[-32 * 1024 :]
        assert ended["left_out"] == len(whole) - 32 * 1024

        for arguments, why in (
            ({"job": "../../etc"}, "no job's name"),
            ({"job": "1795825504974-9ce07f", "cluster": found["node"]}, "not booked here"),
        ):
            with pytest.raises(Refused, match=why):
                await assistant.call("output", **{"cluster": cluster, **arguments})
        await until(assistant, "end", "closed", True, cluster=cluster)


def test_an_agent_rents_a_node_and_runs_something_on_it(renter: Renter) -> None:
    with (renter.folder / "mcp.log").open("w") as log:
        asyncio.run(played(renter, log))
