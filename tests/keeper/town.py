"""A town of leases that end in every way there is. Nobody in it does what anyone may do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ionet.generated import pdas
from ionet.generated.accounts import Iosd, Lease, Node
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ClusterOpened
from ionet.program import PROGRAM
from ionet.rules.lease_time import intervals, proof_deadline
from ionet.wallet import KeypairSigner
from market import IO, MODEL, USD, Machine, Market, key, market
from solders.pubkey import Pubkey

INTERVAL = 3
SERVED, SILENT, UNREADY, UNANSWERED, DISPUTED, EXTENDED, EARLY, QUIT = ENDINGS = (
    *("served", "silent", "unready", "unanswered", "disputed", "extended", "early", "quit"),
)
_PROVE = {SERVED, DISPUTED, EXTENDED, EARLY}


@dataclass
class Town:
    """Leases by how they end, with their machines."""

    market: Market
    leases: dict[str, tuple[Pubkey, Machine]] = field(default_factory=dict)
    clusters: list[Pubkey] = field(default_factory=list)
    proven: dict[str, int] = field(default_factory=dict)
    disputed: bool = False

    async def found(self) -> None:
        """Machines, one of them with co-stakers who get rewards and income; leases in two clusters; a case."""
        built = self.market
        await built.give_io(built.stranger.address, 1_000 * IO)
        machines = {name: await built.add_machine(name) for name in ENDINGS}
        shared = machines[SERVED].address
        await built.admin.stake.open_income_vault(shared, "IOSD")
        await built.admin.stake.set_terms(shared, 5_000, 5_000)
        await built.stranger.stake.add(shared, 10 * IO)
        await built.stranger.stake.fund_rewards(shared, IO)
        self.clusters = [await self._cluster(), await self._cluster()]
        for at, (name, machine) in enumerate(machines.items()):
            (lease,) = await built.book(self.clusters[at % 2], machine, duration=30)
            self.leases[name] = (lease, machine)
            if name != UNREADY:
                await built.admin.lease.mark_ready(lease, KeypairSigner(machine.device))
            if name not in (UNREADY, UNANSWERED):
                await built.renter.lease.accept_ready(lease)
        await built.renter.lease.extend(self.leases[EXTENDED][0], 12)
        await built.admin.case.open(machines[SILENT].address, "false-hardware", b"evidence".ljust(32))
        await built.admin.network.propose_model(MODEL, multiplier=120)
        await built.admin.network.propose_params(reject_floor_secs=4)

    async def _cluster(self) -> Pubkey:
        """With a session key, without which nothing can be disputed."""
        expires = self.market.net.chain.unix_time + 86_400
        opened = await self.market.renter.cluster.open(
            1_000 * USD, session_key=key("session").pubkey(), session_expires_at=expires
        )
        return opened.event(ClusterOpened).cluster

    async def act(self) -> None:
        """What suppliers and renters themselves do at this moment."""
        for name in self.leases:
            lease = await self.lease(name)
            if lease is None or lease.status != LeaseStatus.ACTIVE:
                continue
            if name in _PROVE:
                await self._prove(name, lease)
            if name == EARLY and self.proven.get(EARLY, 0) >= 3:
                await self.market.renter.lease.end(self.leases[name][0])
            if name == QUIT:
                await self.market.admin.lease.quit(self.leases[name][0])
            if name == DISPUTED and self.proven.get(DISPUTED, 0) >= 4 and not self.disputed:
                await self.market.renter.lease.dispute(self.leases[name][0], 1, 2)
                self.disputed = True

    async def _prove(self, name: str, lease: Lease) -> None:
        """Every interval that is over and can still be proven."""
        address, machine = self.leases[name]
        now = self.market.net.chain.unix_time
        for interval in range(self.proven.get(name, 0), intervals(lease)):
            start = lease.started_at + interval * INTERVAL
            if now < min(start + INTERVAL, lease.ends_at):
                return
            self.proven[name] = interval + 1
            if now < proof_deadline(lease, interval):
                served = min(start + INTERVAL, lease.ends_at) - start
                await self.market.prove(address, machine, interval, served, [b"result", bytes([interval])])

    async def lease(self, name: str) -> Lease | None:
        return await self.market.stranger.find(Lease, self.leases[name][0])

    async def pass_time(self, secs: int) -> None:
        """In steps of an interval, so that whoever proves can."""
        for _ in range(0, secs, INTERVAL):
            self.market.pass_time(INTERVAL)
            await self.act()

    async def leave(self) -> None:
        """Owners retire their nodes, and do nothing more."""
        for _, machine in self.leases.values():
            await self.market.admin.node.retire(machine.address)

    # -- what must be so in the end

    async def rest(self) -> dict[str, Any]:
        """What should be gone and is not."""
        found: dict[str, Any] = {}
        client = self.market.stranger
        for name, (address, machine) in self.leases.items():
            if await client.rpc.account(address) is not None:
                found[f"lease {name}"] = await client.lease.get(address)
            if await client.rpc.account(pdas.stake_vault(PROGRAM.id, machine.address)) is not None:
                found[f"vault {name}"] = await client.fetch(Node, machine.address)
            for mint in (pdas.io_mint(PROGRAM.id), pdas.iosd_mint(PROGRAM.id)):
                if await client.rpc.account(pdas.income_vault(PROGRAM.id, machine.address, mint)) is not None:
                    found[f"income {name}"] = mint
        for cluster in self.clusters:
            if await client.rpc.account(cluster) is not None:
                found[f"cluster {cluster}"] = await client.cluster.get(cluster)
        found |= {f"position {address}": position for address, position in await client.stake.all()}
        found |= {f"case {address}": case for address, case in await client.case.all()}
        for mint in (pdas.io_mint(PROGRAM.id), pdas.iosd_mint(PROGRAM.id)):
            if await client.rpc.token_balance(pdas.burn_vault(PROGRAM.id, mint)):
                found[f"burn vault {mint}"] = True
        return found

    async def check_books(self, *wallets: Pubkey) -> None:
        """Every unit is somebody's or was burned: what the wallets hold and the fee vaults is all that there is."""
        client, program = self.market.stranger, PROGRAM.id
        books: Iosd = await client.iosd.books()
        genesis = (await client.network.get()).io_genesis
        io, iosd = pdas.io_mint(program), pdas.iosd_mint(program)
        parties = {client.address for client in self.clients} | set(wallets)
        held = dict.fromkeys((io, iosd), 0)
        for mint in held:
            held[mint] = sum([await client.tokens.balance(mint, party) for party in parties])
            held[mint] += await client.rpc.token_balance(pdas.fee_vault(program, mint))
        assert held[io] == genesis + books.io_redeemed - books.io_burned - books.io_other_burned
        assert held[iosd] == books.minted - books.redeemed - books.fee_burned

    @property
    def clients(self) -> list[Any]:
        return [self.market.treasury, self.market.admin, self.market.renter, self.market.stranger]


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """Its time moves only when a test says so."""
    async with market(clock_factor=0.0001) as built:
        made = Town(built)
        await made.found()
        yield made
