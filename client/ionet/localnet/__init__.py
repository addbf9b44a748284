"""A Solana chain on this machine for development and tests: LiteSVM behind blocks, a ledger and JSON-RPC."""

from __future__ import annotations
