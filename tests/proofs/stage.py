"""Where the compiled program computes single figures: accounts are written field by field, one instruction answers."""

from __future__ import annotations

import random
from typing import Any

from ionet.errors import ChainRefused
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from program import calls, staking
from program.calls import ID, IO, USD, ata
from program.chain import Call, Landed, error_name
from program.refs import LeaseRef
from program.world import IO_UNIT, World
from solders.account import Account
from solders.pubkey import Pubkey

SLOTS_PER_HOUR = 4 * 3_600


def spread(dice: random.Random, least: int, most: int) -> int:
    """A number between the two, often one of them or beside a power of two; each length is as likely as another."""
    kind = dice.random()
    if kind < 0.1:
        return dice.choice([least, most])
    value = dice.getrandbits(dice.randint(1, max(most.bit_length(), 1)))
    if kind < 0.2:
        value = (1 << value.bit_length()) + dice.randint(-1, 1)
    return max(least, min(most, value))


class Stage:
    """A network with a staked node and a lease of it that is ready. Each answer begins from there."""

    def __init__(self) -> None:
        self.world = World.started()
        self.node = self.world.staked_node()
        for mint in (USD, IO):
            self.world.do(staking.open_income_vault(self.node, self.world.stranger, mint))
        self.lease: LeaseRef = self.world.ready(self.node, self.world.cluster())
        self.wallet = self.lease.cluster.renter
        for wallet in (self.wallet, self.world.stranger):
            self.world.open_ata(wallet, IO)
        # Far from the start of time, in seconds and in slots, with a price of now.
        self.world.warp(10**8, slots=10**9)
        self.world.post_price(3 * IO_UNIT)
        self.now, self.slot = self.world.now, self.world.slot
        keys = [self.node.key, self.node.position, self.node.vault, self.lease.key, calls.NETWORK, pdas.iosd(ID)]
        keys += [self.lease.cluster.key, self.lease.cluster.escrow, IO, USD, pdas.burn_vault(ID, IO)]
        keys += [ata(owner, mint) for owner in (self.node.owner, self.wallet) for mint in (IO, USD)]
        keys += [ata(self.world.stranger, IO)]
        self.before = [(key, self.world.raw(key)) for key in keys]

    def reset(self) -> None:
        """Writes every account as it was at first."""
        for key, account in self.before:
            self.world.svm.set_account(key, account)

    def ask(self, call: Call) -> Landed:
        return self.world.do(call)

    def said(self, call: Call) -> str:
        """What the program says to a call: the name of its refusal, or "ok"."""
        try:
            self.world.do(call)
        except ChainRefused as refusal:
            return error_name(refusal)
        return "ok"

    def forge(self, kind: type[Any], key: Pubkey, **changes: Any) -> None:
        self.world.forge(kind, key, **changes)

    def forge_lease(self, **changes: Any) -> None:
        """As touched just now, so that no halt is between."""
        self.forge(Lease, self.lease.key, **{"synced_at": self.now, "synced_slot": self.slot, **changes})

    def hold(self, account: Pubkey, amount: int) -> None:
        """Makes a token account hold this much."""
        self._write(account, 64, amount)

    def exist(self, mint: Pubkey, amount: int) -> None:
        """Makes this the supply of a mint."""
        self._write(mint, 36, amount)

    def _write(self, key: Pubkey, at: int, amount: int) -> None:
        account = self.world.raw(key)
        data = account.data[:at] + amount.to_bytes(8, "little") + account.data[at + 8 :]
        self.world.svm.set_account(key, Account(account.lamports, data, account.owner, False, account.rent_epoch))
