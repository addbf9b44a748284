"""`ionet localnet` as a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ionet import addresses
from ionet_localnet import read_account
from ionet_localnet.genesis import program_data_address
from ionet_stack.genesis import artifact
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Processed
from solders.account import Account
from solders.keypair import Keypair
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

LIMIT_S = 20


async def start(*arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "ionet", *arguments]
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def outcome(*arguments: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error."""
    process = await start(*arguments)
    output, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def running(*options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await start("localnet", "run", "--port", "0", "--json", *options)
    assert process.stdout is not None
    try:
        yield process, json.loads(await asyncio.wait_for(process.stdout.readline(), LIMIT_S))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def account_file(folder: Path, account: Account) -> tuple[str, Path]:
    """Written by hand as solana's tools write it."""
    address, path = str(Keypair().pubkey()), folder / "account.json"
    content = {
        "pubkey": address,
        "account": {
            "lamports": account.lamports,
            "data": ["aGVsbG8=", "base64"],
            "owner": str(account.owner),
            "executable": False,
            "rentEpoch": 18446744073709551615,
            "space": 5,
        },
    }
    path.write_text(json.dumps(content))
    return address, path


async def test_genesis_options(tmp_path: Path) -> None:
    owner, authority, program = Keypair().pubkey(), Keypair().pubkey(), Keypair().pubkey()
    address, path = account_file(tmp_path, Account(12_345_678, b"hello", owner, False, 0))
    other = Keypair().pubkey()
    elf = tmp_path / "program.so"
    elf.write_bytes(artifact("ionet.so"))
    options = ["--account", str(path), "--account", f"{other}={path}", "--program", f"{program}={elf}"]
    async with (
        running(*options, "--upgrade-authority", str(authority)) as (_, urls),
        AsyncClient(urls["rpc_url"], Processed) as client,
    ):
        for key in (read_account(path)[0], other):
            found = (await client.get_account_info(key)).value
            assert found is not None
            assert (found.data, found.owner, found.lamports) == (b"hello", owner, 12_345_678)
        assert str(read_account(path)[0]) == address
        deployed = (await client.get_account_info(program_data_address(program))).value
        assert deployed is not None
        assert deployed.data[12:45] == b"\x01" + bytes(authority)
        assert deployed.data[45:] == artifact("ionet.so")
        assert program != addresses.PYTH_RECEIVER


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_at_once_although_clients_are_connected(number: signal.Signals) -> None:
    async with running("--slot-ms", "20") as (process, urls), connect(urls["ws_url"]) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
        await asyncio.wait_for(socket.recv(), LIMIT_S)
        os.kill(process.pid, number)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(socket.recv(), LIMIT_S)
        _, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
        assert process.returncode == 0
        assert errors == b""


async def test_status(tmp_path: Path) -> None:
    async with running("--slot-ms", "20", "--ledger", str(tmp_path)) as (_, urls):
        code, output, _ = await outcome("--url", urls["rpc_url"], "localnet", "status", "--json")
        about = json.loads(output)
        assert code == 0
        assert about["genesis_hash"] == urls["genesis_hash"]
        assert about["slot"] >= urls["slot"]
        code, _, errors = await outcome("localnet", "run", "--port", "0", "--ledger", str(tmp_path))
        assert (code, errors.count("\n")) == (1, 1)
        assert "another process has this ledger open" in errors
        code, _, errors = await outcome("localnet", "run", "--port", urls["rpc_url"].rsplit(":", 1)[1])
        assert (code, errors.count("\n")) == (1, 1)
        assert "cannot listen" in errors


@pytest.mark.parametrize(
    "options",
    [
        ["--program", "nonsense"],
        ["--program", "nonsense=file.so"],
        ["--program", "11111111111111111111111111111112=/does/not/exist.so"],
        ["--program", f"11111111111111111111111111111112={__file__}"],
        ["--account", __file__],
        ["--slot-ms", "0"],
        ["--clock-factor", "0"],
        ["--drop", "1.5"],
        ["--port", "99999"],
    ],
)
async def test_bad_options_are_one_line(options: list[str]) -> None:
    port = [] if "--port" in options else ["--port", "0"]
    code, output, errors = await outcome("localnet", "run", *port, *options)
    assert code == 1
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1


async def test_nobody_answers() -> None:
    code, _, errors = await outcome("--url", "http://127.0.0.1:1", "localnet", "status")
    assert code == 4
    assert errors == "error: the local chain cannot be reached: http://127.0.0.1:1\n"


async def test_clock_runs_faster() -> None:
    async with (
        running("--slot-ms", "20", "--clock-factor", "1000") as (_, urls),
        AsyncClient(urls["rpc_url"], Processed) as client,
    ):
        first = (await client.get_slot()).value
        start_time = (await client.get_block_time(first)).value
        assert start_time is not None
        await asyncio.sleep(0.5)
        later = (await client.get_block_time((await client.get_slot()).value)).value
        assert later is not None
        assert later - start_time >= 400
