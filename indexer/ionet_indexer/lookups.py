"""What is asked before events are folded and saved: of the rows that are stored, and of the tables' types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import asyncpg

from ionet_indexer.core import queries, rows
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.turns import in_turns
from ionet_indexer.core.view import Changes

S = TypeVar("S", bound=State)
SQL = queries.load()


class Link(NamedTuple):
    """A row of event_entities."""

    entity: str
    seq: int
    position: int


Records: TypeAlias = "list[Sequence[Any]]"


class Encoded(NamedTuple):
    """Changes as the database takes them: states as JSON, facts as records of COPY."""

    states: dict[type[State], str]
    facts: dict[type[Fact], Records]


class Lookups:
    """Asks over one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._recorders: dict[type[Fact], rows.Records] = {}

    async def last_links(self, entities: Iterable[str]) -> dict[str, Link]:
        """Newest link of each entity that has one."""
        found = await self._connection.fetch(SQL["links_last"], list(entities))
        return {row["entity"]: Link(row["entity"], row["seq"], row["position"]) for row in found}

    async def load(self, kind: type[S], keys: Sequence[Any], by: str | None = None) -> list[S]:
        """Rows of a table of states by key, or by another column."""
        return rows.decode(kind, await self._connection.fetchval(rows.select_sql(kind, by or kind.key), list(keys)))

    async def load_all(self, kind: type[S]) -> list[S]:
        """All rows of a table of states."""
        return rows.decode(kind, await self._connection.fetchval(rows.select_all_sql(kind)))

    async def encode(self, changes: Changes) -> Encoded:
        """What is to be saved, made ready."""
        return Encoded(changes.states, await self.encode_facts(changes.facts))

    async def encode_facts(self, facts: Iterable[Fact]) -> dict[type[Fact], Records]:
        """Rows of facts, by table."""
        made: dict[type[Fact], list[Fact]] = {}
        for row in facts:
            made.setdefault(type(row), []).append(row)
        encoded: dict[type[Fact], Records] = {}
        for kind, items in made.items():
            recorder = await self._recorder(kind)
            encoded[kind] = [record async for some in in_turns(items) for record in recorder(some)]
        return encoded

    async def _recorder(self, kind: type[Fact]) -> rows.Records:
        """How rows of this table are given to COPY."""
        if kind not in self._recorders:
            names = ", ".join(rows.columns(kind))
            prepared = await self._connection.prepare(f"SELECT {names} FROM {kind.table} LIMIT 0")
            self._recorders[kind] = rows.records([column.type.name for column in prepared.get_attributes()])
        return self._recorders[kind]
