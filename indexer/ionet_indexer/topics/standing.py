"""What nodes offer and hold, before and after each event: the difference goes into the series."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from ionet.generated import events, pdas
from ionet.generated.enums import NodeFlag
from ionet.rules.pool import Pool, counted_stake, required_stake
from solders.pubkey import Pubkey

from ionet_indexer.core.decode import Event
from ionet_indexer.core.view import View
from ionet_indexer.topics import parts
from ionet_indexer.topics.network import Model, Network
from ionet_indexer.topics.nodes import Node

# As both profiles begin (programs/ionet/src/state/network/params.rs); a change is an event.
STAKE_PER_PROCESSOR = 200 * 10**8
CO_STAKE_MAX_PERCENT = 50
_RETIRED = int(NodeFlag.RETIRED)  # of a number like the row's it is seven times as fast
OF_A_MODEL: tuple[type[Any], ...] = (events.ModelEnabled, events.ModelChanged)
"""Events that concern every node of a model."""
OF_ALL: tuple[type[Any], ...] = (events.ParamsChanged,)
"""Events that concern every node."""
RULES: tuple[type[Any], ...] = (*OF_A_MODEL, *OF_ALL, events.ModelRegistered, events.NetworkInitialized)
"""Events that say what other entities' events mean: between both, the order counts."""


class Standing(NamedTuple):
    """A node's processors as listed, rentable and leased, price × rentable processors, and its bonded stake."""

    country: int
    listed: int
    rentable: int
    leased: int
    asked: int
    stake: int


@cache
def model_key(program: Pubkey, code: int) -> str:
    """The account of a device model, base58."""
    return str(pdas.model(program, code))


def is_rentable(view: View, node: Node) -> bool:
    """Whether `add_lease` would take the node, but for what no event tells: the network's pause and the renter."""
    if node.flags or node.current_lease is not None:
        return False
    model = view.peek(Model, model_key(view.program, node.model))
    if model is None or not model.enabled:
        return False
    network = view.peek(Network, str(view.network))
    params = (network.params if network else None) or {}
    per_processor = int(params.get("stake_per_processor", STAKE_PER_PROCESSOR))
    most = int(params.get("co_stake_max_percent", CO_STAKE_MAX_PERCENT))
    counted = counted_stake(Pool(node.bonded, node.bonded_shares), node.owner_bonded_shares, most)
    return counted >= required_stake(per_processor, model.multiplier, node.processors)


def standing(view: View, node: Node) -> Standing:
    """What a node offers and holds now."""
    rentable = node.processors if is_rentable(view, node) else 0
    return Standing(
        country=node.country,
        listed=0 if node.flags & _RETIRED else node.processors,
        rentable=rentable,
        leased=node.processors if node.current_lease is not None else 0,
        asked=rentable * node.price,
        stake=node.bonded,
    )


def concerned(view: View, value: Any, node: str | None) -> dict[str, Standing | None]:
    """The nodes that an event may change, as they stand before it. node: the one whose count it advances."""
    if isinstance(value, RULES):
        return {row.node: standing(view, row) for row in _nodes_under(view, value)}
    if node is None:
        return {}
    row = view.peek(Node, node)
    return {node: None if row is None else standing(view, row)}


def _nodes_under(view: View, value: Any) -> Iterable[Node]:
    if isinstance(value, OF_ALL):
        return view.all(Node)
    if isinstance(value, OF_A_MODEL) and (model := view.peek(Model, str(value.model))) is not None:
        return [row for row in view.all(Node) if row.model == model.code]
    return ()


def note(view: View, event: Event, before: dict[str, Standing | None]) -> None:
    """Note how the nodes of `concerned` stand after the event."""
    for key, old in before.items():
        node = view.peek(Node, key)
        if node is None:
            continue
        now = standing(view, node)
        if old == now:
            continue
        earlier = Standing(now.country, 0, 0, 0, 0, 0) if old is None else old
        changes = [(now.country, 1, now), (earlier.country, -1, earlier)]
        for field in Standing._fields[1:]:
            gained: dict[int, int] = {}
            for country, sign, each in changes:
                gained[country] = gained.get(country, 0) + sign * getattr(each, field)
            for country, value in gained.items():
                parts.add(view, event, event.value.at, {field: value}, where=(node.model, country), who=node.who)
