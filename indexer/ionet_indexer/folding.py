"""Events into rows: what they need is loaded, they are folded in order, and what changed is ready to be saved.

An event that cannot be folded stops everything, unless an event that this version does not know explains it: one that
may have created or changed what it names. Such an event is held back, and so is what follows from it, until a version
that knows all of them folds everything again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
from ionet.codec import ProgramCodec
from ionet.generated.events import NodeRegistered
from solders.pubkey import Pubkey

from ionet_indexer.core.decode import Event
from ionet_indexer.core.rows import State
from ionet_indexer.core.turns import in_turns
from ionet_indexer.core.view import FoldError, View
from ionet_indexer.store import Writer
from ionet_indexer.topics.fold import apply, needs
from ionet_indexer.topics.network import Model, Network
from ionet_indexer.topics.nodes import Node
from ionet_indexer.topics.standing import OF_A_MODEL, OF_ALL, model_key
from ionet_indexer.topics.unfolded import Unfolded

log = logging.getLogger(__name__)


class Folding:
    """Folds what one Writer has stored."""

    def __init__(self, writer: Writer, codec: ProgramCodec) -> None:
        self._writer = writer
        self._codec = codec

    async def fold(self, events: Sequence[Event], again: Sequence[str] = ()) -> View:
        """The rows that these events, which are stored, change. again: entities whose rows are made again before.

        Raises FoldError.
        """
        try:
            return await self._folded(events, again, None)
        except FoldError:
            held = _Held(self._writer)
            view = await self._folded(events, again, held)
        if held.entities:
            named = ", ".join(sorted(held.entities)[:3])
            log.warning(
                "%d events are held back: only events that are not known here tell of %s",
                len(held.events),
                named,
                extra={"action": "held_back"},
            )
        return view

    async def _folded(self, events: Sequence[Event], again: Sequence[str], held: _Held | None) -> View:
        """held: takes what cannot be folded and is explained; without it, nothing is."""
        view = View(self._codec)
        if again:
            await self._refold(view, again, {event.position for event in events}, held)
        await self._load(view, events)
        for event in events:
            entity = await _apply(view, event, held)
            if entity is not None:
                view.facts.append(Unfolded(position=event.position, entity=entity))
        return view

    async def look_up(self, events: Sequence[Event], before: View | None) -> View:
        """The rows that these events need, as they are after `before`, which may be about to be saved.

        With `before` no rule may be among the events.
        """
        view = View(self._codec)
        await self._load(view, events, before)
        return view

    async def fold_in(self, view: View, events: Sequence[Event]) -> None:
        """Fold events into the rows that were looked up for them; others get their turn meanwhile. Raises FoldError."""
        async for some in in_turns(events):
            for event in some:
                apply(view, event)

    async def _load(self, view: View, events: Sequence[Event], before: View | None = None) -> None:
        for kind, keys in needs(event.value for event in events).items():
            await self._hold(view, kind, {key for key in keys if not view.holds(kind, key)}, before)
        await self._load_rules(view, events, before)

    async def _hold(self, view: View, kind: type[State], keys: set[str], before: View | None) -> None:
        missing = keys if before is None else view.inherit(before, kind, keys)
        if missing:
            stored = self._writer if before is None else self._writer.beside
            view.hold(await stored.load(kind, list(missing)))

    async def _load_rules(self, view: View, events: Sequence[Event], before: View | None) -> None:
        """The rules that the nodes of these events are under, and the nodes under rules that they change."""
        values = [event.value for event in events]
        changed = {str(value.model) for value in values if isinstance(value, OF_A_MODEL)}
        under: list[Node] = []
        if any(isinstance(value, OF_ALL) for value in values):
            under = await self._writer.load_all(Node)
        elif codes := [model.code for model in view.all(Model) if model.model in changed]:
            under = await self._writer.load(Node, codes, by="model")
        view.hold([row for row in under if not view.holds(Node, row.node)])
        codes = [row.model for row in view.all(Node)]
        codes += [value.model for value in values if isinstance(value, NodeRegistered)]
        models = {model_key(self._codec.id, code) for code in codes}
        if missing := {key for key in models if not view.holds(Model, key)}:
            await self._hold(view, Model, missing, before)
        if models and not view.holds(Network, str(view.network)):
            await self._hold(view, Network, {str(view.network)}, before)

    async def _refold(self, view: View, entities: Sequence[str], but: Collection[int], held: _Held | None) -> None:
        """Make the states of these entities again from their events, but for some; their facts are still right.

        Such events may also belong to entities that lost nothing. Those rows are read, but what the replay does to
        them a second time is thrown away.
        """
        await self._writer.forget(entities)
        events = [event for event in await self._writer.events_of(entities, self._codec) if event.position not in but]
        replay = View(self._codec)
        await self._load(replay, events)
        for event in events:
            await _apply(replay, event, held, counted=False)
        chosen = set(entities)
        for kind, rows in replay.changed().items():
            for row in rows:
                if getattr(row, kind.entity) in chosen:
                    view.put(row)


class _Held:
    """What is held back, and the entities that explain it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.events: set[int] = set()  # positions
        self.entities: set[str] = set()
        self._named: dict[bytes, int] = {}  # key → the first of these events that names it

    async def explained(self, event: Event, error: FoldError) -> str | None:
        """The entity because of which an event cannot be folded; None where nothing that is unknown explains it."""
        keys = {error.key} if error.key is not None else set().union(*needs([event.value]).values())
        for key in sorted(keys):
            if key in self.entities or await self._is_named(key, event.position):
                self.entities.add(key)
                self.events.add(event.position)
                for named in _keys(event.value):
                    self._named[named] = min(event.position, self._named.get(named, event.position))
                return key
        return None

    async def _is_named(self, key: str, before: int) -> bool:
        if self._named.get(bytes(Pubkey.from_string(key)), before) < before:
            return True
        return await self._writer.is_unread(key, before)


def _keys(value: Any) -> Iterator[bytes]:
    """Every key in an event."""
    if isinstance(value, Pubkey):
        yield bytes(value)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _keys(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _keys(each)


async def _apply(view: View, event: Event, held: _Held | None, *, counted: bool = True) -> str | None:
    """Fold one event, or the entity because of which it is held back. Raises FoldError."""
    if held is None:
        apply(view, event, counted=counted)
        return None
    try:
        with view.tentative():
            apply(view, event, counted=counted)
    except FoldError as error:
        entity = await held.explained(event, error)
        if entity is None:
            raise
        return entity
    return None
