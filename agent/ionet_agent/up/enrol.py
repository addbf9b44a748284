"""From a machine to a node with its stake: what the chain lacks of that, in as few transactions as fit.

Nothing is remembered between runs: what is done is seen on the chain, so any step may be interrupted and repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from ionet.client import Client
from ionet.errors import ConfigError, WalletError
from ionet.executor import send_all
from ionet.fees import proving_a_day
from ionet.generated.accounts import Network, Node
from ionet.generated.enums import NodeFlag
from ionet.generated.types import NodeTerms
from ionet.plan import Plan, Receipt
from ionet.rules import pool
from ionet.wallet import KeypairSigner
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_agent.up.machine import Kind

FEE_DAYS = 30
"""For how many days of proofs the device gets SOL, within limits; it is given more when half of it is gone."""
_LEAST_LAMPORTS, _MOST_LAMPORTS = 10_000_000, 1_000_000_000


@dataclass(frozen=True)
class Standing:
    """What the chain has of a machine. node: None before it is registered. lamports: of the device's key."""

    address: Pubkey
    node: Node | None
    network: Network
    lamports: int

    def lacking_stake(self, needed: int, wanted: int | None) -> int:
        """IO base units. needed: for the node to be hired. wanted: what its owner wants to have in it."""
        if self.node is None:
            return max(needed, wanted or 0)
        bonded = pool.Pool(self.node.bonded.amount, self.node.bonded.shares)
        percent = self.network.params.co_stake_max_percent
        counted = pool.counted_stake(bonded, self.node.owner_bonded_shares, percent)
        own = bonded.worth(self.node.owner_bonded_shares)
        return max(needed - counted, (wanted or 0) - own, 0)

    def lacking_lamports(self) -> int:
        """What the device lacks for its fees."""
        fees = FEE_DAYS * proving_a_day(self.network.params.interval_secs)
        enough = min(max(_LEAST_LAMPORTS, fees), _MOST_LAMPORTS)
        return enough - self.lamports if self.lamports < enough // 2 else 0


@dataclass(frozen=True)
class Missing:
    """What is to be sent. terms: of a node that is to be registered, else None."""

    kind: Kind
    terms: NodeTerms | None
    stake: int
    lamports: int

    @property
    def is_nothing(self) -> bool:
        return self.terms is None and not self.stake and not self.lamports


async def look(client: Client, device: Pubkey) -> Standing:
    """What there is. Raises ConfigError for a node that serves no more."""
    address = client.node.address(device)
    node = await client.find(Node, address)
    if node is not None and NodeFlag.RETIRED & node.flags:
        raise ConfigError(f"node {address} is retired for good: another one needs another --folder")
    if node is not None and node.device_key != device:
        raise ConfigError(f"node {address} has another device key by now, {node.device_key}: use `ionet node run`")
    return Standing(address, node, await client.network.get(), await client.rpc.balance(device))


def plan(client: Client, standing: Standing, device: Keypair, missing: Missing) -> Plan:
    """All of it in one transaction, signed by the device. client: of the owner's wallet."""
    signer = KeypairSigner(device)

    async def build() -> list[Instruction]:
        return await _instructions(client, standing, device.pubkey(), missing)

    return Plan(client, build, signers=[signer])


async def send(client: Client, standing: Standing, device: Keypair, missing: Missing) -> list[Receipt]:
    """Send it, in more than one transaction where it does not fit into one."""
    wanted = await _instructions(client, standing, device.pubkey(), missing)
    return await send_all(client, wanted, signers=[KeypairSigner(device)])


async def _instructions(client: Client, standing: Standing, device: Pubkey, missing: Missing) -> list[Instruction]:
    wallet, node = client.address, standing.node
    if node is not None and missing.stake and node.owner != wallet:
        raise WalletError(
            f"node {standing.address} is {node.owner}'s, not {wallet}'s: only its owner's stake carries it"
        )
    found = []
    if missing.terms is not None:
        register = client.program.ix.register_node(
            owner=wallet,
            device_key=device,
            model_code=missing.kind.code,
            processors=missing.kind.processors,
            terms=missing.terms,
        )
        found.append(register)
    if missing.lamports:
        found += await client.tokens.send_sol(device, missing.lamports).instructions()
    if missing.stake:
        busy = node is not None and node.current_lease != Pubkey.default()
        lease = node.current_lease if node is not None and busy else None
        found.append(client.program.ix.stake(staker=wallet, node=standing.address, lease=lease, amount=missing.stake))
    return found
