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
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner, write_keypair
from market import Market, market
from solders.keypair import Keypair


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
