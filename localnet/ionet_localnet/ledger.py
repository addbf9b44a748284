"""A chain with its journal in a folder: created on first use, replayed to the same state afterwards."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ionet_localnet.chain import HISTORY_LIMIT, SLOT_MS, LocalChain
from ionet_localnet.errors import JournalCorrupt, LedgerMismatch, TransactionRefused
from ionet_localnet.genesis import Genesis
from ionet_localnet.journal import RUN_LIMIT, Journal, Kind, unpack_blocks

JOURNAL_FILE = "journal.bin"
_VERSION = 1


class _Header(msgspec.Struct, frozen=True):
    """First record of a journal; `genesis` is a digest of the programs and accounts that the next records hold."""

    version: int
    seed: str
    unix_time: int
    genesis: str


def open_chain(
    folder: Path,
    genesis: Genesis | None = None,
    *,
    reset: bool = False,
    slot_ms: int = SLOT_MS,
    history_limit: int = HISTORY_LIMIT,
    fsync: bool = False,
) -> LocalChain:
    """Open the chain in `folder`, creating both when absent. `reset` starts again from `genesis`.

    An existing ledger is replayed to the block it was closed in. After a crash it goes on after the longest run of
    empty blocks that can have been lost, so that no slot that was ever shown to anybody is used twice.
    `genesis=None` accepts whatever the ledger holds; another one than it was made from raises LedgerMismatch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / JOURNAL_FILE, fsync=fsync)
    try:
        if reset:
            os.truncate(journal.path, 0)
        records = journal.read()
        first = next(records, None)
        if first is None:
            return _create(journal, genesis or Genesis(), slot_ms, history_limit)
        if first[0] != Kind.GENESIS:
            raise JournalCorrupt(f"{journal.path} does not begin with a genesis record")
        header, accounts = _read_genesis(first[1])
        if genesis is not None and genesis.digest() != header.genesis:
            raise LedgerMismatch(f"{folder} was made from other programs or accounts; reset it to start again")
        chain = LocalChain(
            Genesis(accounts=accounts),
            unix_time=header.unix_time,
            slot_ms=slot_ms,
            history_limit=history_limit,
            seed=bytes.fromhex(header.seed),
        )
        closed = True
        for kind, payload in records:
            _replay(chain, kind, payload)
            closed = kind == Kind.CLOSED
        chain.journal = journal
        if not closed:
            chain.begin_block(slot=chain.slot + RUN_LIMIT + 1)
        return chain
    except BaseException:
        journal.abandon()
        raise


def _create(journal: Journal, genesis: Genesis, slot_ms: int, history_limit: int) -> LocalChain:
    header = _Header(_VERSION, os.urandom(32).hex(), int(time.time()), genesis.digest())
    accounts = [(bytes(address), bytes(account)) for address, account in genesis.entries()]
    journal.append(Kind.GENESIS, msgspec.msgpack.encode((header, accounts)))
    return LocalChain(
        genesis,
        unix_time=header.unix_time,
        slot_ms=slot_ms,
        history_limit=history_limit,
        seed=bytes.fromhex(header.seed),
        journal=journal,
    )


def _read_genesis(payload: bytes) -> tuple[_Header, dict[Pubkey, Account]]:
    try:
        header, accounts = msgspec.msgpack.decode(payload, type=tuple[_Header, list[tuple[bytes, bytes]]])
    except msgspec.MsgspecError as failure:
        raise JournalCorrupt(f"unreadable genesis record: {failure}") from failure
    if header.version != _VERSION:
        raise LedgerMismatch(f"the ledger has format {header.version}, this program writes {_VERSION}")
    return header, {Pubkey.from_bytes(address): Account.from_bytes(account) for address, account in accounts}


def _replay(chain: LocalChain, kind: Kind, payload: bytes) -> None:
    match kind:
        case Kind.BLOCKS:
            first, count, unix_time = unpack_blocks(payload)
            for slot in range(first, first + count):
                chain.begin_block(slot=slot, unix_time=unix_time)
        case Kind.TRANSACTION:
            # Signatures were checked before the transaction was recorded.
            transaction = VersionedTransaction.from_bytes(payload[1:])
            try:
                record = chain.submit(transaction, verify=False)
            except TransactionRefused as refusal:
                raise _mismatch(transaction) from refusal
            if (record.error is None) != bool(payload[0]):
                raise _mismatch(transaction)
        case Kind.ACCOUNT:
            chain.set_account(Pubkey.from_bytes(payload[:32]), Account.from_bytes(payload[32:]))
        case Kind.REWIND:
            chain.rewind(payload[0])
        case Kind.GENESIS:
            raise JournalCorrupt("a second genesis record")
        case Kind.CLOSED:
            pass


def _mismatch(transaction: VersionedTransaction) -> LedgerMismatch:
    return LedgerMismatch(
        f"transaction {transaction.signatures[0]} replays to another result than it had;"
        " the ledger was written by another version"
    )
