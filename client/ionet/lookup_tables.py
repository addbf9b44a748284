"""Address lookup tables: accounts that hold addresses, so that a transaction names each of them with one byte. Pure.

A table holds up to 256 addresses and can be used from the slot after the one that wrote them. Its rent comes back when
it is closed, which takes two steps: deactivated first, it can be closed when no transaction that might still land can
use it any more, 513 blocks later.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.address_lookup_table_account import (
    ID,
    AddressLookupTable,
    AddressLookupTableAccount,
    derive_lookup_table_address,
)
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from ionet.planner import PACKET, Packer

PROGRAM = ID
MAX_ADDRESSES = 256
# Bytes before the addresses, and where in them the authority is.
META_SIZE, AUTHORITY_OFFSET = 56, 22
# Blocks after its deactivation at which a table can be closed: until then it is in the SlotHashes sysvar.
COOLDOWN_BLOCKS = 513
_ACTIVE = 2**64 - 1
_CREATE, _EXTEND, _DEACTIVATE, _CLOSE = 0, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table as the chain has it. `authority` None: nobody can change it any more."""

    key: Pubkey
    authority: Pubkey | None
    addresses: tuple[Pubkey, ...]
    deactivation_slot: int
    last_extended_slot: int
    old_addresses: int

    @property
    def active(self) -> bool:
        """False once it has been deactivated."""
        return self.deactivation_slot == _ACTIVE

    def usable(self, slot: int) -> AddressLookupTableAccount | None:
        """What a message compiled at `slot` may use of it; None for nothing."""
        if not self.active:
            return None
        count = len(self.addresses) if slot > self.last_extended_slot else self.old_addresses
        return AddressLookupTableAccount(self.key, list(self.addresses[:count])) if count else None


def read(key: Pubkey, account: Account | None) -> Table | None:
    """The table in an account; None when there is none."""
    if account is None or account.owner != PROGRAM or len(account.data) < META_SIZE:
        return None
    try:
        found = AddressLookupTable.deserialize(account.data)
    except ValueError:
        return None
    meta = found.meta
    return Table(
        key,
        meta.authority,
        tuple(found.addresses),
        meta.deactivation_slot,
        meta.last_extended_slot,
        meta.last_extended_slot_start_index,
    )


def address(authority: Pubkey, recent_slot: int) -> tuple[Pubkey, int]:
    """Where a table created with that slot lies, and the bump of that address."""
    return derive_lookup_table_address(authority, recent_slot)


def create(authority: Pubkey, recent_slot: int) -> Instruction:
    """An empty table, paid by its authority. The slot must hold one of the newest 512 blocks, one for each table."""
    key, bump = address(authority, recent_slot)
    data = struct.pack("<IQB", _CREATE, recent_slot, bump)
    return Instruction(PROGRAM, data, [AccountMeta(key, False, True), *_payer(authority)])


def extend(table: Pubkey, authority: Pubkey, addresses: Sequence[Pubkey]) -> Instruction:
    """More addresses behind those it has; the authority pays the rent."""
    data = struct.pack("<IQ", _EXTEND, len(addresses)) + b"".join(bytes(item) for item in addresses)
    return Instruction(PROGRAM, data, [AccountMeta(table, False, True), *_payer(authority)])


def extensions(packer: Packer, table: Pubkey, addresses: Sequence[Pubkey]) -> list[Instruction]:
    """`extend` for any number of addresses, each as long as a transaction of its own can be."""
    made: list[Instruction] = []
    rest = list(addresses)
    while rest:
        count = min(len(rest), PACKET // 32)
        while packer.size([extend(table, packer.payer, rest[:count])]) > PACKET:
            count -= 1
        made.append(extend(table, packer.payer, rest[:count]))
        rest = rest[count:]
    return made


def deactivate(table: Pubkey, authority: Pubkey) -> Instruction:
    """The first step of closing."""
    metas = [AccountMeta(table, False, True), AccountMeta(authority, True, False)]
    return Instruction(PROGRAM, struct.pack("<I", _DEACTIVATE), metas)


def close(table: Pubkey, authority: Pubkey, recipient: Pubkey) -> Instruction:
    """The second step: its lamports go to `recipient`."""
    metas = [AccountMeta(table, False, True), AccountMeta(authority, True, False), AccountMeta(recipient, False, True)]
    return Instruction(PROGRAM, struct.pack("<I", _CLOSE), metas)


def _payer(authority: Pubkey) -> list[AccountMeta]:
    return [
        AccountMeta(authority, True, False),
        AccountMeta(authority, True, True),
        AccountMeta(SYSTEM_PROGRAM, False, False),
    ]
