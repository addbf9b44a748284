"""What can be rented for a wish: how many nodes each part of it removes, what the rest costs, and what comes back."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
from ionet.catalogues import MODELS
from ionet.cli import human
from ionet.errors import InvalidInput
from ionet.isolation import STRENGTHS
from ionet.node_search import (
    Candidate,
    Removed,
    equipped,
    isolating,
    narrowed,
    near,
    scored,
    smallest_memory,
)
from ionet.quote import IN_DOLLARS
from ionet.rules.pricing import earned, fee_on
from ionet.rules.reputation import ONE
from ionet.wish import DEFAULT_CURRENCY, Wish, wished
from markupsafe import Markup

from ionet_web.acts import MOST_NODES
from ionet_web.blocks import Block, Choice, Column, Fact, Facts, Form, Note, Page, Table, address, table
from ionet_web.indexer import Indexer, NotKnown, Refused
from ionet_web.shown import Kind, money, renter_fee_bps, show

_PAGE, _PAGES = 200, 5
LOOKED_AT = _PAGE * _PAGES
"""Nodes, the cheapest first, that a search looks at."""
ASKED = 24
"""Of those that are left, how many are asked for their score and isolation."""
_MOST_NODES, _MOST_GPUS, _MOST_SECS = 10_000, 1_024, 10 * 365 * 86_400
_LONGEST = 64
"""Letters of a value."""
_LEVELS = [("", "any"), *((level, level) for level in STRENGTHS)]
_LEFT = (
    Column("node", Kind.NODE, "Node"),
    Column("model", Kind.MODEL, "Model"),
    Column("processors", Kind.COUNT, "GPUs"),
    Column("memory_gib", Kind.COUNT, "GiB each", "By the node's own word, else of the model's smallest version"),
    Column("country", Kind.COUNTRY, "Country"),
    Column("isolation", Kind.STATE, "Isolation", "By the node's own word"),
    Column("score", Kind.SHARE, "Score"),
    Column("price", Kind.HOURLY, "Price", "For a processor and hour"),
    Column("hourly", Kind.HOURLY, "Node", "For all of it and an hour"),
)
_AWAY = Column("away", Kind.TEXT, "Away", "There and back from these pages, the median of five")
_REMOVED = (
    Column("why", Kind.TEXT, "Nodes that"),
    Column("nodes", Kind.COUNT, "Removed"),
    Column("remedy", Kind.TEXT, "What would let some in"),
)


class _Known(NamedTuple):
    """What a node's own pages say. score: of `reputation.ONE`; isolation: empty, and memory (MiB) 0 where it says
    nothing; away: milliseconds from here, None where it was not asked for or cannot be measured."""

    score: int
    isolation: str
    memory: int
    away: float | None


class _Found(NamedTuple):
    """What a wish leaves, the cheapest first, and what it removes. rows: of each that is left. listed: nodes that were
    looked at and are not retired; whole: whether these are all."""

    left: list[Candidate]
    removed: list[Removed]
    rows: list[dict[str, Any]]
    listed: int
    whole: bool
    slot: int


async def rent_page(indexer: Indexer, given: Mapping[str, str]) -> Page:
    """given: the parameters of the request. Raises Refused for a value that is none."""
    wish = _read(given)
    network, found = await asyncio.gather(indexer.get("network"), _found(indexer, wish))
    form = _form(given, wish)
    blocks: list[Block] = [
        form,
        _quote(found.left, wish, network["item"]["params"]),
        _funnel(found.listed, found.removed, len(found.left)),
        table(
            "Nodes that are left, the cheapest first",
            _LEFT if wish.max_latency_ms is None else (*_LEFT, _AWAY),
            found.rows[:ASKED],
            empty="No node is as wished.",
            file=address("/rent.csv", **{choice.name: choice.value for choice in form.choices}),
        ),
    ]
    if not found.whole:
        blocks.append(Note(Markup("Only the cheapest {:,} nodes were looked at; name a model.").format(LOOKED_AT)))
    lead = Markup("The command line books it: <code>{}</code>").format(_command(wish, given))
    return Page("Rent", blocks, found.slot, lead + _to_sign(wish, found.left), "/rent")


async def rent_rows(indexer: Indexer, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every node that is left, with all that the API has of it and what the page adds: memory_gib, isolation, score in
    hundredths of a percent (both of the cheapest alone), away, hourly. Raises Refused for a value that is none."""
    return (await _found(indexer, _read(given))).rows


async def _found(indexer: Indexer, wish: Wish) -> _Found:
    items, slot = await _listed(indexer, wish.model)
    raw = {item["node"]: item for item in items}
    listed = [msgspec.convert(item, Candidate, strict=False) for item in items if "retired" not in item["flags"]]
    left, removed = narrowed(listed, wish)
    known = await _known(indexer, left[:ASKED], far=wish.max_latency_ms is not None)
    left = _by_word(left, known, wish, removed)
    rows = [_row(each, raw[each.node], known.get(each.node)) for each in left]
    return _Found(left, removed, rows, len(listed), len(items) < LOOKED_AT, slot)


def _read(given: Mapping[str, str]) -> Wish:
    """See `ionet.wish`; what the pages refuse besides would make them work for nothing."""
    if any(len(value) > _LONGEST for value in given.values()):
        raise Refused(f"more than {_LONGEST} letters")
    said = {name: value.strip() or None for name, value in given.items()}
    try:
        found = wished(
            said.get("model") or "",
            _count(said.get("gpus"), "gpus", _MOST_GPUS),
            nodes=_count(said.get("nodes"), "nodes", _MOST_NODES),
            hours=said.get("hours") or "1",
            max_price=said.get("max_price"),
            country=said.get("country"),
            min_score=said.get("min_score"),
            isolation=said.get("isolation"),
            gpu_memory=said.get("memory"),
            max_latency=said.get("latency"),
            currency=said.get("currency") or DEFAULT_CURRENCY,
        )
    except InvalidInput as error:
        raise Refused(error.detail) from None
    if found.currency not in IN_DOLLARS:
        raise Refused(f"prices are in {' or '.join(IN_DOLLARS)}")
    if found.secs > _MOST_SECS:
        raise Refused("hours: at most ten years")
    return found


def _to_sign(wish: Wish, left: Sequence[Candidate]) -> Markup:
    """Where a wallet in the browser books the same, if a transaction has room for it."""
    chosen = left[: wish.nodes]
    if not len(chosen) == wish.nodes <= MOST_NODES or wish.currency != "IOSD" or wish.secs % 60:
        return Markup("")
    nodes = " ".join(each.node for each in chosen)
    return Markup('. <a href="{}">Sign it here</a>').format(address("/act/rent", nodes=nodes, minutes=wish.secs // 60))


def _count(text: str | None, name: str, most: int) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise Refused(f"{name}: a number from 1 to {most:,}")
    return int(text)


async def _listed(indexer: Indexer, model: str) -> tuple[list[dict[str, Any]], int]:
    """The cheapest nodes, and the slot of the answer."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        answer = await indexer.listed("nodes", model=model, limit=_PAGE, cursor=cursor)
        items += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    return items, answer["slot"]


def _memory(model_name: str | None) -> int | None:
    known = MODELS.get(model_name or "")
    return None if known is None else known.memory_gib


async def _known(indexer: Indexer, asked: Sequence[Candidate], *, far: bool) -> dict[str, _Known]:
    """By node. far: whether it matters how far they are."""

    async def ask(node: str) -> _Known:
        reputation, advert, away = await asyncio.gather(
            indexer.slow("nodes", node, "reputation"),
            _advert(indexer, node),
            indexer.away(node) if far else _nothing(),
        )
        memory = smallest_memory(gpu["memory_mib"] for gpu in advert.get("gpus", []))
        return _Known(int(reputation["item"]["score"]), str(advert.get("isolation", "")), memory, away)

    return dict(
        zip([each.node for each in asked], await asyncio.gather(*(ask(each.node) for each in asked)), strict=True)
    )


async def _advert(indexer: Indexer, node: str) -> Mapping[str, Any]:
    """Empty where it never came."""
    try:
        found: Mapping[str, Any] = (await indexer.slow("nodes", node, "advert"))["item"]
    except NotKnown:
        return {}
    return found


async def _nothing() -> None:
    return None


def _by_word(left: list[Candidate], known: Mapping[str, _Known], wish: Wish, removed: list[Removed]) -> list[Candidate]:
    """What is left of those that were asked, where the wish is for what only they say."""
    steps = []
    if wish.min_score is not None:
        score = {node: each.score for node, each in known.items()}
        steps.append(partial(scored, score=score, least=wish.min_score))
    if wish.isolation is not None:
        level = {node: each.isolation for node, each in known.items()}
        steps.append(partial(isolating, level=level, weakest=wish.isolation))
    if wish.gpu_memory_mib is not None:
        memory = {node: each.memory for node, each in known.items()}
        steps.append(partial(equipped, memory=memory, least=wish.gpu_memory_mib))
    if wish.max_latency_ms is not None:
        ways = {node: each.away for node, each in known.items() if each.away is not None}
        steps.append(partial(near, ways=ways, most=wish.max_latency_ms))
    if steps:
        left = [each for each in left if each.node in known]
    for step in steps:
        left, out = step(left)
        removed.append(out)
    return left


def _row(each: Candidate, raw: Mapping[str, Any], known: _Known | None) -> dict[str, Any]:
    told = {} if known is None else {"isolation": known.isolation, "score": 10_000 * known.score // ONE}
    memory = known.memory if known is not None else 0
    return {
        **raw,
        "isolation": None,
        "score": None,
        **told,
        "memory_gib": round(memory / 1_024) or _memory(each.model_name),
        "away": None if known is None or known.away is None else f"{known.away:.0f} ms",
        "hourly": each.hourly,
    }


def _form(given: Mapping[str, str], wish: Wish) -> Form:
    return Form(
        [
            Choice("model", "Model", given.get("model", ""), hint="any"),
            Choice("memory", "GB a GPU at least", given.get("memory", ""), hint="any"),
            Choice("gpus", "GPUs a node at least", given.get("gpus", ""), hint="1"),
            Choice("nodes", "Nodes", given.get("nodes", ""), hint="1"),
            Choice("hours", "Hours", given.get("hours", ""), hint="1"),
            Choice("max_price", "Price at most ($/h)", given.get("max_price", ""), hint="any"),
            Choice("country", "Country", given.get("country", ""), hint="DE,FR"),
            Choice("isolation", "Isolation at least", given.get("isolation", ""), _LEVELS),
            Choice("min_score", "Score at least (0–1)", given.get("min_score", ""), hint="any"),
            Choice("latency", "Away at most (ms)", given.get("latency", ""), hint="any"),
            Choice("currency", "Paid in", wish.currency, [(each, each) for each in IN_DOLLARS]),
        ],
        "/rent",
        "Search",
    )


def _quote(left: Sequence[Candidate], wish: Wish, params: Mapping[str, Any] | None) -> Facts:
    """What the cheapest of them would lock, as the program reckons it."""
    chosen, token = left[: wish.nodes], wish.currency
    found = [Fact("Nodes as wished", show(Kind.COUNT, len(left), {}), f"{wish.nodes} wanted.")]
    if len(chosen) < wish.nodes or params is None:
        return Facts("", found, large=True)
    bps = renter_fee_bps(params, token)
    costs = [earned(each.price, each.processors, wish.secs) for each in chosen]
    fee = sum(fee_on(cost, bps) for cost in costs)
    locked, least = sum(costs) + fee, min(wish.secs, params["min_charge_secs"])
    kept = [earned(each.price, each.processors, least) for each in chosen]
    back = locked - sum(kept) - sum(fee_on(cost, bps) for cost in kept)
    words = f"Where it is ended at once: all but the first {human.span(least)}. Later, what is not served."
    found += [
        Fact("An hour", money(sum(each.hourly for each in chosen), token), "Before the fee."),
        Fact(human.span(wish.secs), money(sum(costs), token), "The most that the nodes can be paid."),
        Fact("Fee", money(fee, token), f"{human.percent(bps)} of it."),
        Fact("Locked", money(locked, token), "In escrow until it is served; no more can be taken."),
        Fact("Comes back", money(back, token), words),
    ]
    return Facts("", found, large=True)


def _funnel(listed: int, removed: Sequence[Removed], left: int) -> Table:
    rows = [
        {"why": "are registered", "nodes": listed, "remedy": ""},
        *({**each._asdict(), "nodes": -each.nodes} for each in removed if each.nodes),
        {"why": "are left", "nodes": left, "remedy": ""},
    ]
    return table("What removes how many", _REMOVED, rows)


def _command(wish: Wish, given: Mapping[str, str]) -> str:
    """The same wish for the command line."""
    said = {
        "--nodes": str(wish.nodes) if wish.nodes > 1 else "",
        "--hours": given.get("hours", ""),
        "--max-price": "" if wish.max_price is None else f"{wish.max_price / 10**6:g}",
        "--country": given.get("country", ""),
        "--min-score": given.get("min_score", ""),
        "--isolation": wish.isolation or "",
        "--gpu-memory": given.get("memory", ""),
        "--max-latency": given.get("latency", ""),
        "--currency": wish.currency if wish.currency != DEFAULT_CURRENCY else "",
    }
    options = [f"{name} {shlex.quote(value.strip())}" for name, value in said.items() if value.strip()]
    return " ".join([f"ionet run --gpu {shlex.quote(wish.model or 'MODEL')}:{wish.processors}", *options, "-- job.py"])
