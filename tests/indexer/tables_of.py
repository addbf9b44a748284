"""All rows of a database, to compare two of them."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
from ionet_indexer import topics
from ionet_indexer.store import KEPT

CHAIN = ("transactions", "events", "event_entities")
STATES = tuple(kind.table for kind in topics.STATES)
FACTS = tuple(kind.table for kind in topics.FACTS)


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


async def empty(dsn: str) -> None:
    """Remove every derived row by hand."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"TRUNCATE {', '.join((*STATES, *FACTS, *KEPT))}")
    finally:
        await connection.close()
