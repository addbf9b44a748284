"""A Solana chain on this machine for development and tests: LiteSVM behind blocks, a ledger and JSON-RPC."""

from __future__ import annotations

from ionet_localnet.chain import LocalChain, Simulation
from ionet_localnet.errors import (
    ForkError,
    GenesisError,
    InvalidSettingError,
    JournalCorruptError,
    LedgerBusyError,
    LedgerMismatchError,
    LocalnetError,
    TransactionRefusedError,
)
from ionet_localnet.faults import FaultConfig
from ionet_localnet.genesis import Genesis, read_account, read_program
from ionet_localnet.history import TransactionRecord
from ionet_localnet.ledger import open_chain
from ionet_localnet.server import Localnet, LocalnetConfig

__all__ = [
    "FaultConfig",
    "ForkError",
    "Genesis",
    "GenesisError",
    "InvalidSettingError",
    "JournalCorruptError",
    "LedgerBusyError",
    "LedgerMismatchError",
    "LocalChain",
    "Localnet",
    "LocalnetConfig",
    "LocalnetError",
    "Simulation",
    "TransactionRecord",
    "TransactionRefusedError",
    "open_chain",
    "read_account",
    "read_program",
]
