"""A Solana chain on this machine for development and tests: LiteSVM behind blocks, a ledger and JSON-RPC."""

from __future__ import annotations

from ionet.localnet.chain import LocalChain, Simulation
from ionet.localnet.errors import (
    ForkError,
    GenesisError,
    JournalCorruptError,
    LedgerBusyError,
    LedgerMismatchError,
    LocalnetError,
    TransactionRefusedError,
)
from ionet.localnet.faults import FaultConfig
from ionet.localnet.genesis import Genesis, read_account, read_program
from ionet.localnet.history import TransactionRecord
from ionet.localnet.ledger import open_chain
from ionet.localnet.server import Localnet, LocalnetConfig

__all__ = [
    "FaultConfig",
    "ForkError",
    "Genesis",
    "GenesisError",
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
