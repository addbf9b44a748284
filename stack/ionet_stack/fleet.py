"""Suppliers' machines as processes of the stack, and nodes for them."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence

from ionet.client import Client
from ionet.generated.accounts import Node
from ionet.generated.enums import USD_UNIT, Currency
from ionet.generated.types import NodeTerms
from ionet.ready import AgentReady
from ionet.wallet import KeypairSigner, write_keypair
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_stack.children import Child, ChildFailed
from ionet_stack.stack import Stack

# Ports per node, out of those that systems give to nobody by themselves.
_PORTS = 40
_LOWEST, _HIGHEST = 20_000, 32_000
# All on one machine, which is one's own: also without isolation, where it has none.
_SMALL = ("--trust-renters", "--num-cpus", "1", "--object-store-mib", "80", "--disk-mib", "2048")
# Three Ray nodes that start on one busy machine may take longer than a renter is given otherwise.
_PATIENT = ("--check-secs", "600")
_MODEL, _PRICE, _LONGEST_SECS = "RTX 4090", USD_UNIT // 4, 30 * 86_400
_LAMPORTS = 10 * 10**9
# What co-stakers get of rewards, and all stake of leases' income, in basis points.
_SHARES = 3_000, 2_000


async def start_agents(
    stack: Stack, url: str, api: str, devices: Sequence[Keypair]
) -> tuple[dict[Pubkey, Child], dict[Pubkey, str], str]:
    """One agent per device key. Returns the processes and the URLs by node, and how they keep renters' code apart."""
    ports = _free_ports(_PORTS * len(devices))

    async def start(number: int, device: Keypair) -> tuple[Pubkey, Child, AgentReady]:
        key = stack.folder / f"device-{number}.json"
        if not key.exists():
            write_keypair(key, device)
        first = ports[(number - 1) * _PORTS]
        child = await stack.child(
            f"agent-{number}",
            *("--url", url, "agent", "run", "--device-key", str(key)),
            *("--base", str(stack.folder / f"node-{number}"), "--ip", f"127.0.1.{number}", "--indexer", api),
            *("--listen", "127.0.0.1:0"),
            *("--ports", f"{first}-{first + _PORTS - 1}", "--poll-secs", "0.25", "--json"),
            *_SMALL,
            *_PATIENT,
        )
        ready = await child.ready(AgentReady)
        return Pubkey.from_string(ready.node), child, ready

    started = await asyncio.gather(*(start(number, device) for number, device in enumerate(devices, 1)))
    levels = ", ".join(sorted({ready.isolation for _, _, ready in started}))
    return {node: child for node, child, _ in started}, {node: ready.api for node, _, ready in started}, levels


def _free_ports(count: int) -> range:
    """Ports in a row that nobody uses now: Ray's head listens on all addresses, so two demos need different ones."""
    for _ in range(100):
        first = random.randrange(_LOWEST, _HIGHEST - count)
        ports = range(first, first + count)
        if all(map(_is_free, ports)):
            return ports
    raise ChildFailed(f"no {count} free ports in a row between {_LOWEST} and {_HIGHEST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


async def supply(client: Client, devices: Sequence[Keypair]) -> None:
    """A node for each device that has none, with its stake, open to that of others; and SOL for the device.

    client: of a wallet with IO.
    """
    codes = {name: code for code, name in (await client.network.model_names()).items()}
    code = codes[_MODEL]
    stake = await client.node.required_stake(code, 1)
    for device in devices:
        if await client.rpc.balance(device.pubkey()) < _LAMPORTS // 2:
            await client.rpc.airdrop(device.pubkey(), _LAMPORTS)
        node = client.node.address(device.pubkey())
        found = await client.find(Node, node)
        if found is None:
            terms = NodeTerms(
                price=_PRICE,
                min_coverage_bps=0,
                min_duration=60,
                max_duration=_LONGEST_SECS,
                payout=client.address,
                fee_payer=device.pubkey(),
                country=276,
                currencies=Currency.IOSD | Currency.USDC,
                region=0,
            )
            await client.node.register(KeypairSigner(device), model_code=code, processors=1, terms=terms)
            await client.stake.set_terms(node, *_SHARES)
        if found is None or found.bonded.amount < stake:
            await client.stake.add(node, stake)
