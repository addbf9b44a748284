"""What an agent says before it serves anything."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from agent.places import TRUSTING
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner, write_keypair
from market import Market, market
from solders.keypair import Keypair
from waiting import until


@pytest_asyncio.fixture
async def chain() -> AsyncIterator[Market]:
    async with market() as founded:
        yield founded


async def refused(chain: Market, folder: Path, device: Keypair, *options: str) -> tuple[int, list[str]]:
    """Exit code and the last line of an agent that must not serve."""
    write_keypair(folder / "device.json", device)
    command = [sys.executable, "-m", "ionet", "--url", chain.net.rpc_url, "agent", "run", *TRUSTING, *options]
    command += ["--device-key", str(folder / "device.json"), "--base", str(folder / "node"), "--ip", "127.0.9.9"]
    command += ["--ports", "24000-24020", "--listen", "127.0.0.1:0"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()[-1:]


def started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as errors:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)


async def test_a_key_that_is_no_node_serves_nothing(chain: Market, tmp_path: Path) -> None:
    device = Keypair()
    node = pdas.node(PROGRAM.id, device.pubkey())
    said = f"error: the node cannot be served: {node} is not registered"
    assert await refused(chain, tmp_path, device) == (1, [said])


async def test_a_key_that_was_replaced_serves_nothing(chain: Market, tmp_path: Path) -> None:
    machine, new = await chain.add_machine("rotated"), Keypair()
    await chain.admin.node.rotate_device_key(machine.address, KeypairSigner(new))
    said = f"error: the node cannot be served: the device key of {machine.address} is {new.pubkey()}, not this one"
    assert await refused(chain, tmp_path, machine.device) == (1, [said])


async def test_a_device_key_without_sol_is_an_alarm_that_says_so_once(chain: Market, tmp_path: Path) -> None:
    """Not that the chain did not answer, nor a line for each try; and what waited is done once there is some."""
    machine, log = await chain.add_machine("poor"), tmp_path / "agent.log"
    write_keypair(tmp_path / "device.json", machine.device)
    command = [sys.executable, "-m", "ionet", "--url", chain.net.rpc_url, "agent", "run", *TRUSTING, "--json"]
    command += ["--device-key", str(tmp_path / "device.json"), "--base", str(tmp_path / "node"), "--ip", "127.0.9.9"]
    command += ["--ports", "24000-24020", "--listen", "127.0.0.1:0", "--poll-secs", "0.2"]
    agent = started(command, log)
    try:
        key = machine.device.pubkey()
        await until(lambda: f"device key {key} has 0 SOL, too little" in log.read_text(), "it is said at the start")
        [lease] = await chain.book(await chain.open_cluster(), machine)
        refused = f"wallet {key} has no SOL: `ionet keys airdrop`"
        await until(lambda: refused in log.read_text(), "it cannot say that it is ready")
        await asyncio.sleep(2)  # several more tries
        said = log.read_text()
        assert said.count(refused) == 1
        assert "did not answer" not in said
        assert "AccountNotFound" not in said
        await chain.admin.rpc.airdrop(key, 10**9)

        async def ready() -> bool:
            found = await chain.renter.find(Lease, lease)
            return found is not None and found.status == LeaseStatus.READY

        await until(ready, "it is said as soon as there is some")
    finally:
        agent.terminate()
        await asyncio.to_thread(agent.wait)
