"""The database as something that can be away."""

from __future__ import annotations

import asyncpg
from ionet.errors import IonetError

SWAP_LOCK = 0x10E7_0004  # arbitrary, ours alone; held while the tables wait to change places (second.py)

# What a lost or refusing server raises; the same work may be tried again with a new connection.
CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a server that ends while an answer is under way can leave the protocol in no state
    asyncpg.OperatorInterventionError,
)


def lost(error: Exception) -> bool:
    """Whether one of CONNECTION_ERRORS is about the connection; asyncpg files wrong arguments under the same class."""
    return not isinstance(error, ValueError)


class StoreError(IonetError):
    """the database cannot be used"""


class NoDatabase(StoreError):
    """cannot connect to the database"""
