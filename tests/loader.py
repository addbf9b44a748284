"""Deploying and upgrading a program by transactions of the runtime's own loader, on a chain in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ionet_localnet.chain import LocalChain
from ionet_localnet.genesis import RENT_EXEMPT, UPGRADEABLE_LOADER, program_data_address
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import CreateAccountParams, create_account
from solders.sysvar import CLOCK, RENT
from solders.transaction import VersionedTransaction

# Bytes of the loader's accounts before the program: of a buffer, of ProgramData; and of a Program account.
BUFFER_META, DATA_META, PROGRAM_SIZE = 37, 45, 36
_CHUNK = 900  # what fits into a transaction beside one signature
_INITIALIZE, _WRITE, _DEPLOY, _UPGRADE = range(4)
_EXTEND = 6


class Refused(Exception):
    """A transaction that landed and failed."""


def send(chain: LocalChain, instructions: Sequence[Instruction], signers: Sequence[Keypair]) -> None:
    """One transaction, in a block of its own. Raises Refused with what the runtime said."""
    message = MessageV0.try_compile(signers[0].pubkey(), instructions, [], chain.latest_blockhash())
    record = chain.submit(VersionedTransaction(message, list(signers)))
    chain.begin_block()
    if record.error is not None:
        raise Refused(f"{record.error} {record.meta.logs()}")


def write_buffer(chain: LocalChain, elf: bytes, authority: Keypair) -> Pubkey:
    """A buffer account with the program in it, which the authority may deploy."""
    buffer = Keypair.from_seed(hashlib.sha256(b"buffer" + bytes(authority.pubkey()) + elf).digest())
    key, size = buffer.pubkey(), BUFFER_META + len(elf)
    begin = [_account(chain, authority, key, size), _call(_INITIALIZE, b"", _writable(key), _read(authority.pubkey()))]
    send(chain, begin, [authority, buffer])
    for start in range(0, len(elf), _CHUNK):
        part = elf[start : start + _CHUNK]
        data = start.to_bytes(4, "little") + len(part).to_bytes(8, "little") + part
        send(chain, [_call(_WRITE, data, _writable(key), _signs(authority))], [authority])
    return key


def deploy(chain: LocalChain, program: Pubkey, elf: bytes, authority: Keypair, most: int | None = None) -> None:
    """Deploy a program that may get `most` bytes long; `authority` pays and may upgrade it.

    No test has the program's own key, which signs for the creation of its account: the empty account is put there.
    """
    empty = Account(chain.minimum_balance(PROGRAM_SIZE), bytes(PROGRAM_SIZE), UPGRADEABLE_LOADER, False, RENT_EXEMPT)
    chain.set_account(program, empty)
    buffer, payer = (
        write_buffer(chain, elf, authority),
        AccountMeta(authority.pubkey(), is_signer=True, is_writable=True),
    )
    where = [_writable(key) for key in (program_data_address(program), program, buffer)]
    rest = [_read(RENT), _read(CLOCK), _read(SYSTEM_PROGRAM), _signs(authority)]
    data = (len(elf) if most is None else most).to_bytes(8, "little")
    send(chain, [_call(_DEPLOY, data, payer, *where, *rest)], [authority])


def extend(chain: LocalChain, program: Pubkey, more: int, payer: Keypair) -> None:
    """Make room for a program that is larger by `more` bytes; anyone may."""
    accounts = [_writable(program_data_address(program)), _writable(program), _read(SYSTEM_PROGRAM)]
    data = more.to_bytes(4, "little")
    send(chain, [_call(_EXTEND, data, *accounts, AccountMeta(payer.pubkey(), True, True))], [payer])


def upgrade(chain: LocalChain, program: Pubkey, buffer: Pubkey, authority: Keypair) -> None:
    """Replace the program by what is in the buffer, whose lamports come back."""
    accounts = (program_data_address(program), program, buffer, authority.pubkey())
    rest = [_read(RENT), _read(CLOCK), _signs(authority)]
    send(chain, [_call(_UPGRADE, b"", *map(_writable, accounts), *rest)], [authority])


def deployed(chain: LocalChain, program: Pubkey) -> bytes:
    """The bytes of a program as the chain runs it, with the room behind it."""
    account = chain.get_account(program_data_address(program))
    assert account is not None
    return account.data[DATA_META:]


def _call(number: int, data: bytes, *accounts: AccountMeta) -> Instruction:
    return Instruction(UPGRADEABLE_LOADER, number.to_bytes(4, "little") + data, list(accounts))


def _account(chain: LocalChain, payer: Keypair, key: Pubkey, size: int) -> Instruction:
    return create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=key,
            lamports=chain.minimum_balance(size),
            space=size,
            owner=UPGRADEABLE_LOADER,
        )
    )


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _read(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _signs(key: Keypair) -> AccountMeta:
    return AccountMeta(key.pubkey(), is_signer=True, is_writable=False)
