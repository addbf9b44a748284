"""What a chain starts with: accounts, and programs deployed as the upgradeable loader leaves them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.system_program import ID as SYSTEM_PROGRAM

from ionet_localnet.errors import GenesisError

UPGRADEABLE_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
RENT_EXEMPT = 2**64 - 1
LAMPORTS_PER_SOL = 10**9

_STATE_PROGRAM = (2).to_bytes(4, "little")
_STATE_PROGRAM_DATA = (3).to_bytes(4, "little")
_RENT = Rent.default()


def program_data_address(program_id: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(program_id)], UPGRADEABLE_LOADER)[0]


def wallet(lamports: int) -> Account:
    """A plain system account."""
    return Account(lamports, b"", SYSTEM_PROGRAM, False, RENT_EXEMPT)


def rent_exempt(data: bytes, owner: Pubkey, executable: bool = False) -> Account:
    """An account of `data` with exactly the lamports that make it rent exempt."""
    return Account(_RENT.minimum_balance(len(data)), data, owner, executable, RENT_EXEMPT)


def deployed_program(
    program_id: Pubkey, elf: bytes, authority: Pubkey | None, slot: int = 0
) -> list[tuple[Pubkey, Account]]:
    """ProgramData and Program accounts of a deployed program, in the order in which they must be written.

    `authority` may upgrade it; None makes it immutable. `slot` is the slot of the deployment.
    """
    if not elf.startswith(b"\x7fELF"):
        raise GenesisError(f"program {program_id} is not an ELF file")
    # Option<Pubkey>: a missing authority still takes its 32 bytes, as the loader reserves them.
    holder = b"\x01" + bytes(authority) if authority else bytes(33)
    data_address = program_data_address(program_id)
    data = _STATE_PROGRAM_DATA + slot.to_bytes(8, "little") + holder + elf
    program = rent_exempt(_STATE_PROGRAM + bytes(data_address), UPGRADEABLE_LOADER, executable=True)
    return [(data_address, rent_exempt(data, UPGRADEABLE_LOADER)), (program_id, program)]


@dataclass(frozen=True)
class Genesis:
    """Programs and accounts of the first block."""

    # Program id to ELF bytes.
    programs: dict[Pubkey, bytes] = field(default_factory=dict)
    # Written after the programs.
    accounts: dict[Pubkey, Account] = field(default_factory=dict)
    # May upgrade every program here; None makes them immutable.
    upgrade_authority: Pubkey | None = None

    def entries(self) -> Iterator[tuple[Pubkey, Account]]:
        for program_id, elf in self.programs.items():
            yield from deployed_program(program_id, elf, self.upgrade_authority)
        yield from self.accounts.items()

    def digest(self) -> str:
        """Hex digest of everything in it, so that a ledger can tell whether it was made from the same."""
        hasher = hashlib.sha256()
        for address, account in self.entries():
            hasher.update(bytes(address) + hashlib.sha256(bytes(account)).digest())
        return hasher.hexdigest()


def read_program(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise GenesisError(f"cannot read program {path}: {failure.strerror}") from failure


def read_account(path: Path) -> tuple[Pubkey, Account]:
    """Read an account file as `solana account --output json` writes it and solana-test-validator takes it."""
    try:
        content: Any = msgspec.json.decode(path.read_bytes())
        value = content["account"]
        text, encoding = value["data"]
        if encoding != "base64":
            raise GenesisError(f"account file {path}: data encoding {encoding!r} is not base64")
        account = Account(
            int(value["lamports"]),
            base64.b64decode(text, validate=True),
            Pubkey.from_string(value["owner"]),
            bool(value["executable"]),
            int(value.get("rentEpoch", RENT_EXEMPT)),
        )
        return Pubkey.from_string(content["pubkey"]), account
    except OSError as failure:
        raise GenesisError(f"cannot read account file {path}: {failure.strerror}") from failure
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, binascii.Error) as failure:
        raise GenesisError(f"account file {path} is malformed: {failure}") from failure
