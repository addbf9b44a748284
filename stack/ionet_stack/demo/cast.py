"""Who takes part: keys, wallets with money, and the books of who owned what when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ionet.client import Client
from ionet.generated import pdas
from ionet.program import PROGRAM
from solders.keypair import Keypair
from solders.pubkey import Pubkey

SUPPLIERS = 3
LAMPORTS = 100 * 10**9
IO, IOSD = pdas.io_mint(PROGRAM.id), pdas.iosd_mint(PROGRAM.id)


@dataclass(frozen=True)
class Party:
    """One person: a wallet and a client that signs with it."""

    name: str
    key: Keypair
    client: Client

    @property
    def address(self) -> Pubkey:
        return self.key.pubkey()


@dataclass(frozen=True)
class Holdings:
    """What a wallet holds in its associated accounts, base units."""

    io: int
    iosd: int


class Cast:
    """Every party of the demonstration. An async context manager: closes the clients."""

    def __init__(self, url: str, authority: Keypair, keeper: Keypair) -> None:
        def party(name: str, key: Keypair | None = None) -> Party:
            key = key or Keypair()
            return Party(name, key, Client(url, key))

        self.authority = party("network", authority)
        self.treasury = party("treasury")
        self.suppliers = [party(f"supplier {number}") for number in range(1, SUPPLIERS + 1)]
        self.renter = party("renter")
        self.keeper = party("keeper", keeper)

    @property
    def all(self) -> list[Party]:
        return [self.authority, self.treasury, *self.suppliers, self.renter, self.keeper]

    async def close(self) -> None:
        await asyncio.gather(*(party.client.rpc.close() for party in self.all))

    async def airdrop(self, *more: Pubkey) -> None:
        """SOL for fees and rent, to everyone and to `more` keys."""
        client = self.authority.client
        keys = [party.address for party in self.all] + list(more)
        await asyncio.gather(*(client.rpc.airdrop(key, LAMPORTS) for key in keys))

    async def give_io(self, to: Party, amount: int) -> None:
        await self.treasury.client.tokens.transfer(IO, to.address, amount)

    async def holdings(self) -> dict[str, Holdings]:
        """What everyone holds now, by name."""

        async def of(party: Party) -> Holdings:
            balance = self.authority.client.tokens.balance
            return Holdings(await balance(IO, party.address), await balance(IOSD, party.address))

        found = await asyncio.gather(*(of(party) for party in self.all))
        return {party.name: holdings for party, holdings in zip(self.all, found, strict=True)}
