"""The suppliers' machines and the renter's launcher, as processes of the stack."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.cli.children import Child
from ionet.cli.stack import Stack
from ionet.wallet import write_keypair

# Loopback addresses and ports of the nodes: apart from each other and from what a system usually uses.
_FIRST_PORT, _PORTS = 21_000, 40


def write_agents(stack: Stack, urls: dict[Pubkey, str]) -> None:
    """Tell the launcher where the nodes' agents are."""
    (stack.folder / "agents.json").write_text(json.dumps({str(node): url for node, url in urls.items()}))


async def start_agents(
    stack: Stack, url: str, api: str, devices: Sequence[Keypair]
) -> tuple[dict[Pubkey, Child], dict[Pubkey, str]]:
    """One agent per device key. Returns the processes and the URLs by node."""

    async def start(number: int, device: Keypair) -> tuple[Pubkey, Child, str]:
        key = stack.folder / f"device-{number}.json"
        write_keypair(key, device)
        first = _FIRST_PORT + number * _PORTS
        child = await stack.child(
            f"agent-{number}",
            *("--url", url, "agent", "run", "--device-key", str(key)),
            *("--base", str(stack.folder / f"node-{number}"), "--ip", f"127.0.1.{number}", "--indexer", api),
            *("--ports", f"{first}-{first + _PORTS - 1}", "--poll-secs", "0.25", "--json"),
        )
        ready = await child.ready()
        return Pubkey.from_string(ready["node"]), child, str(ready["api"])

    started = await asyncio.gather(*(start(number, device) for number, device in enumerate(devices, 1)))
    return {node: child for node, child, _ in started}, {node: address for node, _, address in started}


def freeze(child: Child) -> None:
    """Make a machine go silent without letting it clean up."""
    child.signal(signal.SIGSTOP)


def thaw(child: Child) -> None:
    """Let it go on, so that it can end in order."""
    child.signal(signal.SIGCONT)
