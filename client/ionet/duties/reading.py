"""Reads accounts into what duties look at. What an account holds is believed only as far as it can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.base58 import encode
from ionet.duties.duty import Habits, Seen
from ionet.duties.stake import CURRENCIES, is_retired
from ionet.errors import IonetError, NotFound, RpcError
from ionet.generated import pdas
from ionet.generated.accounts import (
    Case,
    Cluster,
    DeviceModel,
    Iosd,
    Lease,
    Network,
    Node,
    StakePosition,
)
from ionet.lease_view import CLOCK, LAST_RESTART, clock
from ionet.program import Program
from ionet.rpc import ACCOUNTS_PER_CALL, Rpc
from ionet.rules.restarts import Moment

NOUNS: dict[type[Any], str] = {
    Lease: "lease",
    Cluster: "cluster",
    StakePosition: "position",
    Node: "node",
    Case: "case",
    DeviceModel: "model",
    Network: "network",
    Iosd: "iosd",
}
_TOKEN_STATE, _USABLE = 108, 1
_AT_ONCE = 8


@dataclass(frozen=True)
class Vault:
    """A token account that duties are about. noun: `burn_vault` or `owed`. receives: where an owed account's go."""

    noun: str
    mint: Pubkey
    owner: Pubkey
    receives: Pubkey | None = None


@dataclass
class Sight:
    """What was read, and when by the chain's clock. gone: keys where there is nothing. unread: why not."""

    at: Moment
    seen: dict[Pubkey, Seen] = field(default_factory=dict)
    gone: set[Pubkey] = field(default_factory=set)
    unread: dict[Pubkey, str] = field(default_factory=dict)


class Look:
    """Reads over one RPC node. vaults: the token accounts to know; it learns them from the network and from nodes."""

    def __init__(self, rpc: Rpc, program: Program, habits: Habits) -> None:
        self.rpc, self._program, self._habits = rpc, program, habits
        self.vaults: dict[Pubkey, Vault] = {}
        self._network: Network | None = None

    async def read(self, keys: Iterable[Pubkey]) -> Sight:
        """The accounts at these addresses that duties are about; the others are left out."""
        wanted = list(dict.fromkeys(keys))
        at, found = await self._accounts(wanted)
        if self._network is None:
            raise NotFound("the network is not founded yet")
        sight = Sight(at, gone={key for key in wanted if key not in found})
        decoded: dict[Pubkey, Any] = {}
        for key in wanted:
            if (account := found.get(key)) is None:
                continue
            if key in self.vaults:
                decoded[key] = account
            elif account.owner == self._program.id:
                try:
                    decoded[key] = self._program.codec.decode_any_account(account.data)
                except IonetError as error:
                    sight.unread[key] = str(error)
        beside = await self._beside(decoded)
        for key, value in decoded.items():
            seen = self._seen(key, value, beside)
            if seen is not None:
                sight.seen[key] = seen
        return sight

    async def moment(self) -> Moment:
        """The chain's time."""
        return (await self._accounts([]))[0]

    async def _accounts(self, keys: Sequence[Pubkey]) -> tuple[Moment, dict[Pubkey, Account]]:
        """Accounts by address, and the earliest time of the answers."""
        network_key, each = pdas.network(self._program.id), ACCOUNTS_PER_CALL - 3
        found: dict[Pubkey, Account] = {}
        gate = asyncio.Semaphore(_AT_ONCE)

        async def part(start: int) -> Moment:
            chunk = keys[start : start + each]
            async with gate:
                time, restart, network, *accounts = await self.rpc.accounts([CLOCK, LAST_RESTART, network_key, *chunk])
            if network is not None and network.owner == self._program.id:
                self._learn_network(self._program.codec.decode_account(network.data, Network))
            found.update({key: item for key, item in zip(chunk, accounts, strict=True) if item is not None})
            now, slot = clock(time)
            return Moment(now, slot, 0 if restart is None else int.from_bytes(restart.data[:8], "little"))

        moments = await asyncio.gather(*map(part, range(0, max(1, len(keys)), each)))
        return min(moments, key=lambda at: at.slot), found

    async def _beside(self, decoded: dict[Pubkey, Any]) -> dict[Pubkey, Account]:
        """Nodes of positions, vaults of retired nodes, vaults into which owed accounts go."""
        wanted: set[Pubkey] = set()
        for key, value in decoded.items():
            if isinstance(value, StakePosition):
                wanted.add(value.node)
            elif isinstance(value, Node):
                self._learn_node(key, value)
                if is_retired(value):
                    wanted.add(pdas.stake_vault(self._program.id, key))
            elif isinstance(value, Account) and (receives := self.vaults[key].receives) is not None:
                wanted.add(receives)
        return (await self._accounts(sorted(wanted, key=bytes)))[1] if wanted else {}

    def _seen(self, key: Pubkey, value: Any, beside: dict[Pubkey, Account]) -> Seen | None:
        assert self._network is not None
        seen = Seen(key, value, self._network.params, self._habits)
        if isinstance(value, Account):
            return self._seen_vault(key, value, beside)
        if isinstance(value, StakePosition):
            node = beside.get(value.node)
            if node is None or node.owner != self._program.id:
                return None
            return replace(seen, node=self._program.codec.decode_account(node.data, Node))
        if isinstance(value, DeviceModel):
            return replace(seen, node=self._network)
        if isinstance(value, Node):
            return replace(seen, vault_open=pdas.stake_vault(self._program.id, key) in beside)
        return seen if type(value) in NOUNS else None

    def _seen_vault(self, key: Pubkey, account: Account, beside: dict[Pubkey, Account]) -> Seen | None:
        assert self._network is not None
        vault = self.vaults[key]
        if len(account.data) <= _TOKEN_STATE:
            return None
        amount = addresses.token_amount(account.data)
        into = None if vault.receives is None else beside.get(vault.receives)
        usable = vault.receives is None or (
            into is not None and len(into.data) > _TOKEN_STATE and into.data[_TOKEN_STATE] == _USABLE
        )
        return Seen(key, amount, self._network.params, self._habits, mint=vault.mint, owner=vault.owner, usable=usable)

    def noun(self, seen: Seen) -> str:
        return self.vaults[seen.address].noun if seen.address in self.vaults else NOUNS[type(seen.account)]

    # -- which vaults there are

    def _learn_network(self, network: Network) -> None:
        first = self._network is None
        self._network = network
        if not first:
            return
        program, key = self._program.id, pdas.network(self._program.id)
        for mint in (network.io_mint, network.iosd_mint):
            self.vaults[pdas.burn_vault(program, mint)] = Vault("burn_vault", mint, key)
        for mint in (network.io_mint, network.iosd_mint, network.usdc_mint):
            self._learn_owed(mint, key, pdas.fee_vault(program, mint))

    def _learn_node(self, key: Pubkey, node: Node) -> None:
        if self._network is None or not any(node.income_vault_bumps):
            return
        mints = (self._network.iosd_mint, self._network.usdc_mint, self._network.io_mint)
        for place, _ in enumerate(CURRENCIES):
            if node.income_vault_bumps[place]:
                self._learn_owed(mints[place], key, pdas.income_vault(self._program.id, key, mints[place]))

    def _learn_owed(self, mint: Pubkey, owner: Pubkey, vault: Pubkey) -> None:
        self.vaults[pdas.owed(self._program.id, mint, owner)] = Vault("owed", mint, owner, vault)


# -- which accounts there are


async def versions(rpc: Rpc, program: Program, kind: type[Any], **fields: Any) -> dict[Pubkey, bytes]:
    """Accounts of a kind whose fields have the given values, with what changes when they do: their count of events.

    Kinds without one, positions and cases, change only with their nodes.
    """
    codec = program.codec
    matches = [(0, codec.account_discriminator(kind))]
    matches += [codec.field_match(kind, name, value) for name, value in fields.items()]
    offset, length = 0, 0
    if "seq" in kind.__struct_fields__:
        (offset, zero) = codec.field_match(kind, "seq", 0)
        length = len(zero)
    return await rpc.program_slices(program.id, [(at, encode(data)) for at, data in matches], offset, length)


async def all_versions(rpc: Rpc, program: Program) -> dict[Pubkey, bytes]:
    """The same of every account that duties may be about. Clusters with open leases are left out."""
    found: dict[Pubkey, bytes] = {}
    for kind in NOUNS:
        found |= await versions(rpc, program, kind, **({"leases_open": 0} if kind is Cluster else {}))
    if not found:
        raise RpcError(f"{rpc.url} lists no account of {program.id}")
    return found
