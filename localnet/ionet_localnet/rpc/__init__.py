"""Solana's JSON-RPC over a local chain; importing this package registers every method."""

from __future__ import annotations

from ionet_localnet.rpc import accounts, cheats, cluster, tokens, transactions

__all__ = ["accounts", "cheats", "cluster", "tokens", "transactions"]
