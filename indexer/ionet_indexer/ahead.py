"""Batches that continue what is stored, folded before the one before them is saved.

Python folds a batch while PostgreSQL saves another; each is still saved in one transaction, in order. What does not
simply continue, a late event, a hole, an event that cannot be folded, is left to whoever commits it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ionet_indexer.core.decode import Event, Transaction
from ionet_indexer.core.turns import in_turns
from ionet_indexer.core.view import FoldError, View
from ionet_indexer.folding import Folding
from ionet_indexer.lookups import Encoded, Link, Records
from ionet_indexer.store import Placed, Writer, records_of
from ionet_indexer.topics.fold import links
from ionet_indexer.topics.leases import LeaseWork
from ionet_indexer.topics.standing import RULES


class LookedUp(NamedTuple):
    """A batch with the rows that it needs. `last_links` are the newest of the entities that it names."""

    placed: list[Placed]
    events: list[Event]
    links: list[Link]
    last_links: dict[str, Link]
    view: View


class Folded(NamedTuple):
    """A batch that is ready to be saved."""

    batch: LookedUp
    records: Records
    """Its events."""
    encoded: Encoded

    @property
    def shows_work(self) -> bool:
        """Whether it changes what the launcher sees."""
        return LeaseWork in self.encoded.states


class Ahead:
    """Looks up and folds what one Writer will save, a batch after the other."""

    def __init__(self, writer: Writer, folding: Folding) -> None:
        self._writer = writer
        self._folding = folding

    async def look_up(
        self, transactions: Sequence[Transaction], events: Sequence[Event], before: Folded | None = None
    ) -> LookedUp | None:
        """What the batch needs, after `before`, which may be about to be saved; all before that is.

        None where it has to be committed by itself. Without `before`, not while anything is being saved.
        """
        placed = placed_of(transactions)
        if not placed or len({item[0] for item in placed}) < len(placed):
            return None
        if before is not None and any(isinstance(event.value, RULES) for event in events):
            return None  # concerns rows that no event names
        stored = await self._writer.newest_slot() if before is None else before.batch.placed[-1][1]
        if placed[0][1] <= stored:
            return None
        events = sorted(events, key=lambda event: event.position)
        found = [link async for some in in_turns(events) for link in links_of(some)]
        last = await self._last_links(found, before)
        newest = _continued(found, last)
        if newest is None:
            return None
        view = await self._folding.look_up(events, None if before is None else before.batch.view)
        return LookedUp(placed, events, found, newest, view)

    async def _last_links(self, found: Sequence[Link], before: Folded | None) -> dict[str, Link]:
        entities = {link.entity for link in found}
        if before is None:
            return await self._writer.last_links(entities)
        last = {entity: before.batch.last_links[entity] for entity in entities & before.batch.last_links.keys()}
        return last | await self._writer.beside.last_links(entities - last.keys())

    async def fold(self, batch: LookedUp) -> Folded | None:
        """Fold it; None where it has to be committed by itself."""
        try:
            await self._folding.fold_in(batch.view, batch.events)
        except FoldError:
            return None
        encoded = await self._writer.beside.encode(batch.view.changes())
        records = [record async for some in in_turns(batch.events) for record in records_of(some)]
        return Folded(batch, records, encoded)


def placed_of(transactions: Sequence[Transaction]) -> list[Placed]:
    """What is stored of transactions, in the order of their slots."""
    return sorted(
        ((t.signature, t.slot, t.transaction_index or 0, t.block_time) for t in transactions), key=lambda item: item[1]
    )


def links_of(events: Sequence[Event]) -> list[Link]:
    """Which entities events belong to."""
    return [Link(entity, seq, event.position) for event in events for entity, seq in links(event.value)]


def _continued(found: Sequence[Link], last: dict[str, Link]) -> dict[str, Link] | None:
    """The newest link of each entity after these; None where one does not follow the one before."""
    newest = dict(last)
    for link in found:
        before = newest.get(link.entity)
        if link.seq != (1 if before is None else before.seq + 1):
            return None
        newest[link.entity] = link
    return newest
