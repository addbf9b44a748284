"""A busy node is asked again, a proxy is never asked about this machine, and what remains is named."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest
from client.sdk.http_node import answered, node
from ionet.errors import RpcUnreachable
from ionet.patient_http import ATTEMPTS, is_loopback
from ionet.rpc import Rpc
from ionet_localnet import Localnet, LocalnetConfig


def busy(status: str, *headers: str) -> bytes:
    return answered(status, "<html>Too Many Requests</html>", "content-type: text/html", *headers)


SLOT = answered("200 OK", json.dumps({"jsonrpc": "2.0", "id": 0, "result": 100}), "content-type: application/json")


async def test_a_read_waits_for_as_long_as_a_busy_node_asks() -> None:
    async with node(busy("429 Too Many Requests", "retry-after: 1"), SLOT) as asked, Rpc(asked.url) as rpc:
        assert await rpc.slot() == 100
        first, second = asked.asked
        assert second - first >= 1


@pytest.mark.parametrize("status", ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Late"])
async def test_a_read_is_repeated_where_the_node_names_no_time(status: str) -> None:
    async with node(busy(status), busy(status), SLOT) as asked, Rpc(asked.url) as rpc:
        assert await rpc.slot() == 100


async def test_what_stays_busy_is_an_error_that_names_the_status() -> None:
    async with node(busy("429 Too Many Requests")) as asked, Rpc(asked.url) as rpc:
        with pytest.raises(RpcUnreachable, match="HTTP 429: too many requests"):
            await rpc.slot()
        assert len(asked.asked) == ATTEMPTS


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(busy("429 Too Many Requests", "retry-after: 3600"), id="an hour's wait"),
        pytest.param(busy("403 Forbidden"), id="a refusal for good"),
    ],
)
async def test_what_no_patience_helps_is_asked_once(answered: bytes) -> None:
    async with node(answered) as asked, Rpc(asked.url) as rpc:
        with pytest.raises(RpcUnreachable, match="HTTP 4"):
            await rpc.slot()
        assert len(asked.asked) == 1


async def test_this_machine_is_never_asked_through_a_proxy() -> None:
    environment = {**os.environ, "IONET_KEYPAIR": "/nonexistent"}
    environment |= dict.fromkeys(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"], "http://127.0.0.1:9")
    environment.pop("NO_PROXY", None)
    environment.pop("no_proxy", None)
    script = (
        "import asyncio, sys; from ionet.rpc import Rpc\n"
        "async def main():\n    async with Rpc(sys.argv[1]) as rpc: print((await rpc.health())['slot'])\n"
        "asyncio.run(main())"
    )
    async with Localnet(LocalnetConfig(slot_ms=20)) as net:
        command = [sys.executable, "-c", script, net.rpc_url]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, problem = await process.communicate()
    assert process.returncode == 0, problem.decode()
    assert int(out) >= 0


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8899", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8899", True),
        ("http://localhost:8899", True),
        ("https://node.localhost", True),
        ("https://api.devnet.solana.com", False),
        ("http://10.0.0.1:8899", False),
        ("http://localhost.example.org", False),
    ],
)
def test_which_addresses_are_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here
