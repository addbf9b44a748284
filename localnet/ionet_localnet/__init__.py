"""A Solana chain on this machine for development and tests: LiteSVM behind blocks, a ledger and JSON-RPC."""

from __future__ import annotations

from ionet_localnet.chain import LocalChain, Simulation
from ionet_localnet.errors import (
    ForkError,
    GenesisError,
    InvalidSetting,
    JournalCorrupt,
    LedgerBusy,
    LedgerMismatch,
    LocalnetError,
    NoChain,
    TransactionRefused,
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
    "InvalidSetting",
    "JournalCorrupt",
    "LedgerBusy",
    "LedgerMismatch",
    "LocalChain",
    "Localnet",
    "LocalnetConfig",
    "LocalnetError",
    "NoChain",
    "Simulation",
    "TransactionRecord",
    "TransactionRefused",
    "open_chain",
    "read_account",
    "read_program",
]
