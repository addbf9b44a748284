"""No request of the API costs more because the history is longer: what its queries read, counted."""

from __future__ import annotations

from typing import Any

import asyncpg
import crowd
from indexer.bounded import CountingReader
from ionet.program import PROGRAM
from ionet_indexer.api import stream
from ionet_indexer.core.reader import Reader

EVENTS = 60_000
# Of a page, whatever it is of: at about a microsecond each.
MOST_BUFFERS, MOST_ROWS = 20_000, 10_000
LONG, OTHER = "L" * 40, "o" * 40


async def _history(dsn: str) -> dict[str, list[str]]:
    """A long history of one entity (all events) and of another (proofs alone); name → ids, newest first."""
    await crowd.fill(dsn, EVENTS)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"""
            INSERT INTO event_entities SELECT '{LONG}', row_number() OVER (ORDER BY position), position FROM events;
            INSERT INTO event_entities SELECT '{OTHER}', row_number() OVER (ORDER BY position), position FROM events
            WHERE name = 'ProofAppended';
            INSERT INTO event_entities SELECT '{OTHER}', 1000000, position FROM events WHERE name = 'NodeSlashed'
            ORDER BY position LIMIT 1;
            VACUUM ANALYZE events, event_entities;
            """.replace("VACUUM", "ANALYZE events; --")
        )
        rows = await connection.fetch("SELECT name, position FROM events ORDER BY position DESC")
    finally:
        await connection.close()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(str(row["position"]))
    return found


async def test_events_of_an_entity_and_a_name_are_found_page_by_page(dsn: str) -> None:
    """All of them and no others, whatever is rare: the name, the entity, or only both together."""
    known, limit = await _history(dsn), 7
    handler: Any = stream.events.fn
    async with Reader.open(dsn) as reader:
        counting = CountingReader(reader)
        for entity, name, wanted, most_pages in (
            (LONG, "NodeSlashed", known["NodeSlashed"], 3),  # rare in a long history: at once
            (OTHER, "NodeSlashed", known["NodeSlashed"][-1:], 2),
            (OTHER, "LeaseSettled", [], 40),  # both are common, together there is none
            (LONG, "LeaseSettled", known["LeaseSettled"][: 5 * limit], 0),
            ("n" * 40, "ProofAppended", [], 1),
        ):
            found: list[str] = []
            cursor, pages = None, 0
            while pages == 0 or cursor is not None:
                counting.reset()
                page = await handler(counting, PROGRAM.codec, entity=entity, name=name, cursor=cursor, limit=limit)
                assert counting.buffers < MOST_BUFFERS, (entity, name, cursor)
                assert counting.rows < MOST_ROWS, (entity, name, cursor)
                found += [item.id for item in page.items]
                assert not any("bytes" in item.data for item in page.items)  # each can be read
                cursor, pages = page.next, pages + 1
                if most_pages == 0 and pages == 5:
                    break
            assert found == wanted
            assert most_pages == 0 or pages <= most_pages
