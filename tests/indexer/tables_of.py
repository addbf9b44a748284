"""All rows of a database, to compare two of them."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

CHAIN = ("transactions", "events", "event_entities")
STATES = ("networks", "models", "nodes", "positions", "clusters", "leases", "iosd", "lease_work")
FACTS = ("proofs", "payments", "slashes", "stake_moves", "mints", "burns")


async def tables_of(dsn: str, names: tuple[str, ...] = (*CHAIN, *STATES, *FACTS)) -> dict[str, list[Any]]:
    """Table → its rows, sorted."""
    connection = await asyncpg.connect(dsn)
    try:
        found = {}
        for name in names:
            rows = await connection.fetch(f"SELECT row_to_json(t)::text AS row FROM {name} t")
            found[name] = sorted((json.loads(row["row"]) for row in rows), key=json.dumps)
        return found
    finally:
        await connection.close()
