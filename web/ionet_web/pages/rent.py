"""What can be rented for a wish: how many nodes each part of it removes, what the rest costs, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from ionet import resolve
from ionet.catalogues import MODELS
from ionet.cli import human
from ionet.cli.parsing import amount
from ionet.errors import InvalidInput
from ionet.generated.enums import BPS
from ionet.isolation import STRENGTHS, at_least
from ionet.node_search import Candidate, Removed, narrowed
from ionet.quote import IN_DOLLARS
from ionet.rules.pricing import earned
from ionet.rules.reputation import ONE
from ionet.wish import Wish
from markupsafe import Markup

from ionet_web.acts import MOST_NODES
from ionet_web.blocks import Block, Choice, Column, Fact, Facts, Form, Note, Page, Table, address, table
from ionet_web.indexer import Indexer, NotKnown, Refused
from ionet_web.shown import Kind, money, show

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
    Column("memory_gib", Kind.COUNT, "GiB each", "Nominal, of the model's smallest version"),
    Column("country", Kind.COUNTRY, "Country"),
    Column("isolation", Kind.STATE, "Isolation", "By the node's own word"),
    Column("score", Kind.SHARE, "Score"),
    Column("price", Kind.HOURLY, "Price", "For a processor and hour"),
    Column("hourly", Kind.HOURLY, "Node", "For all of it and an hour"),
)
_REMOVED = (
    Column("why", Kind.TEXT, "Nodes that"),
    Column("nodes", Kind.COUNT, "Removed"),
    Column("remedy", Kind.TEXT, "What would let some in"),
)


class _Asked(NamedTuple):
    """A wish, with what the pages add to it: memory in GiB of a processor."""

    wish: Wish
    memory_gib: int
    given: Mapping[str, str]


class _Known(NamedTuple):
    """What a node's own pages say. score: of `reputation.ONE`; isolation: empty where it says nothing."""

    score: int
    isolation: str


class _Found(NamedTuple):
    """What a wish leaves, the cheapest first, and what it removes. rows: of each that is left. looked_at: nodes."""

    left: list[Candidate]
    removed: list[Removed]
    rows: list[dict[str, Any]]
    looked_at: int
    slot: int


async def rent_page(indexer: Indexer, given: Mapping[str, str]) -> Page:
    """given: the parameters of the request. Raises Refused for a value that is none."""
    asked = _read(given)
    network, found = await asyncio.gather(indexer.get("network"), _found(indexer, asked))
    left, removed, form = found.left, found.removed, _form(asked)
    blocks: list[Block] = [
        form,
        _quote(left, asked.wish, network["item"]["params"]),
        _funnel(len(left) + sum(each.nodes for each in removed), removed, len(left)),
        table(
            "Nodes that are left, the cheapest first",
            _LEFT,
            found.rows[:ASKED],
            empty="No node is as wished.",
            file=address("/rent.csv", **{choice.name: choice.value for choice in form.choices}),
        ),
    ]
    if found.looked_at == LOOKED_AT:
        blocks.append(Note(Markup("Only the cheapest {:,} nodes were looked at; name a model.").format(LOOKED_AT)))
    lead = Markup("The command line books it: <code>{}</code>").format(_command(asked.wish))
    return Page("Rent", blocks, found.slot, lead + _to_sign(asked.wish, left), "/rent")


async def rent_rows(indexer: Indexer, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every node that is left, with all that the API has of it and what the page adds: memory_gib, isolation, score in
    hundredths of a percent (both of the cheapest alone), hourly. Raises Refused for a value that is none."""
    return (await _found(indexer, _read(given))).rows


async def _found(indexer: Indexer, asked: _Asked) -> _Found:
    items, slot = await _listed(indexer, asked.wish.model)
    raw = {item["node"]: item for item in items}
    left, removed = _narrowed(items, asked)
    known = dict(zip([each.node for each in left], await _known(indexer, left[:ASKED]), strict=False))
    left, removed = _by_word(left, known, asked.wish, removed)
    rows = [_row(each, raw[each.node], known.get(each.node)) for each in left]
    return _Found(left, removed, rows, len(items), slot)


def _read(given: Mapping[str, str]) -> _Asked:
    if any(len(value) > _LONGEST for value in given.values()):
        raise Refused(f"more than {_LONGEST} letters")
    try:
        currency = given.get("currency", "").strip() or IN_DOLLARS[0]
        if currency not in IN_DOLLARS:
            raise InvalidInput(f"currency {currency!r}; prices are in {' or '.join(IN_DOLLARS)}")
        level = given.get("isolation", "").strip() or None
        if level is not None and level not in STRENGTHS:
            raise InvalidInput(f"isolation {level!r}; there is {', '.join(STRENGTHS)}")
        price, score = given.get("max_price", "").strip().lstrip("$"), given.get("min_score", "").strip()
        wish = Wish(
            model=given.get("model", "").strip(),
            processors=_count(given, "gpus", 1, _MOST_GPUS),
            nodes=_count(given, "nodes", 1, _MOST_NODES),
            secs=_secs(given),
            currency=currency,
            max_price=amount(price, currency) if price else None,
            countries=tuple(resolve.country(name) for name in given.get("country", "").split(",") if name.strip()),
            min_score=_share(score) if score else None,
            isolation=level,
        )
    except InvalidInput as error:
        raise Refused(error.detail) from None
    return _Asked(wish, _count(given, "memory", 0, 10_000), given)


def _to_sign(wish: Wish, left: Sequence[Candidate]) -> Markup:
    """Where a wallet in the browser books the same, if a transaction has room for it."""
    chosen = left[: wish.nodes]
    if not len(chosen) == wish.nodes <= MOST_NODES or wish.currency != "IOSD" or wish.secs % 60:
        return Markup("")
    nodes = " ".join(each.node for each in chosen)
    return Markup('. <a href="{}">Sign it here</a>').format(address("/act/rent", nodes=nodes, minutes=wish.secs // 60))


def _count(given: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = given.get(name, "").strip() or str(least)
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise Refused(f"{name}: a number from {least} to {most:,}")
    return int(text)


def _secs(given: Mapping[str, str]) -> int:
    found = resolve.hours(given.get("hours", "").strip() or "1")
    if found > _MOST_SECS:
        raise Refused("hours: at most ten years")
    return found


def _share(text: str) -> int:
    """0 to 1, of `ONE`."""
    whole, _, rest = text.partition(".")
    if not (f"{whole}{rest}".isascii() and f"{whole}{rest}".isdigit() and len(rest) <= 9):
        raise Refused("min_score: a number from 0 to 1")
    found = int(whole or "0") * ONE + int((rest or "0").ljust(9, "0"))
    if found > ONE:
        raise Refused("min_score: a number from 0 to 1")
    return found


async def _listed(indexer: Indexer, model: str) -> tuple[list[dict[str, Any]], int]:
    """The cheapest nodes, and the slot of the answer."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        answer = await indexer.get("nodes", model=model, limit=_PAGE, cursor=cursor)
        items += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    return items, answer["slot"]


def _memory(model_name: str | None) -> int | None:
    known = MODELS.get(model_name or "")
    return None if known is None else known.memory_gib


def _narrowed(items: Sequence[Mapping[str, Any]], asked: _Asked) -> tuple[list[Candidate], list[Removed]]:
    listed = [msgspec.convert(item, Candidate, strict=False) for item in items if "retired" not in item["flags"]]
    large = [each for each in listed if not asked.memory_gib or (_memory(each.model_name) or 0) >= asked.memory_gib]
    left, removed = narrowed(large, asked.wish)
    if len(large) < len(listed):
        most = max((_memory(each.model_name) or 0 for each in listed), default=0)
        why = f"have less than {asked.memory_gib} GiB a processor"
        removed.insert(0, Removed(why, len(listed) - len(large), f"the largest has {most} GiB"))
    return left, removed


async def _known(indexer: Indexer, asked: Sequence[Candidate]) -> list[_Known]:
    async def ask(node: str) -> _Known:
        reputation = await indexer.slow("nodes", node, "reputation")
        try:
            advert = await indexer.slow("nodes", node, "advert")
        except NotKnown:
            return _Known(int(reputation["item"]["score"]), "")
        return _Known(int(reputation["item"]["score"]), str(advert["item"]["isolation"]))

    return list(await asyncio.gather(*(ask(each.node) for each in asked)))


def _by_word(
    left: Sequence[Candidate], known: Mapping[str, _Known], wish: Wish, removed: list[Removed]
) -> tuple[list[Candidate], list[Removed]]:
    """What score and isolation remove, of those that were asked."""
    if wish.min_score is None and wish.isolation is None:
        return list(left), removed
    asked = [each for each in left if each.node in known]
    kept = [each for each in asked if wish.min_score is None or known[each.node].score >= wish.min_score]
    if wish.min_score is not None:
        best = max((known[each.node].score for each in asked), default=0)
        removed = [*removed, Removed("have a lower score", len(asked) - len(kept), f"the best has {best / ONE:.2f}")]
    if wish.isolation is not None:
        enough = at_least(wish.isolation)
        strong = [each for each in kept if known[each.node].isolation in enough]
        removed = [*removed, Removed("isolate less", len(kept) - len(strong))]
        kept = strong
    return kept, removed


def _row(each: Candidate, raw: Mapping[str, Any], known: _Known | None) -> dict[str, Any]:
    score = None if known is None else 10_000 * known.score // ONE
    told = None if known is None else known.isolation
    return {
        **raw,
        "memory_gib": _memory(each.model_name),
        "isolation": told,
        "score": score,
        "hourly": each.hourly,
    }


def _form(asked: _Asked) -> Form:
    given = asked.given
    return Form(
        [
            Choice("model", "Model", given.get("model", ""), hint="any"),
            Choice("memory", "GiB a GPU at least", given.get("memory", ""), hint="any"),
            Choice("gpus", "GPUs a node at least", given.get("gpus", ""), hint="1"),
            Choice("nodes", "Nodes", given.get("nodes", ""), hint="1"),
            Choice("hours", "Hours", given.get("hours", ""), hint="1"),
            Choice("max_price", "Price at most ($/h)", given.get("max_price", ""), hint="any"),
            Choice("country", "Country", given.get("country", ""), hint="DE,FR"),
            Choice("isolation", "Isolation at least", given.get("isolation", ""), _LEVELS),
            Choice("min_score", "Score at least (0–1)", given.get("min_score", ""), hint="any"),
            Choice("currency", "Paid in", asked.wish.currency, [(each, each) for each in IN_DOLLARS]),
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
    bps = params["renter_fee_bps"] + (params["usdc_fee_bps"] if token == "USDC" else 0)
    costs = [earned(each.price, each.processors, wish.secs) for each in chosen]
    fee = sum(-(-cost * bps // BPS) for cost in costs)
    locked, least = sum(costs) + fee, min(wish.secs, params["min_charge_secs"])
    kept = [earned(each.price, each.processors, least) for each in chosen]
    back = locked - sum(kept) - sum(-(-cost * bps // BPS) for cost in kept)
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


def _command(wish: Wish) -> str:
    """The same wish for the command line."""
    parts = [f"ionet run --gpu {wish.model or 'MODEL'}:{wish.processors}"]
    if wish.nodes > 1:
        parts.append(f"--nodes {wish.nodes}")
    if wish.max_price is not None:
        parts.append(f"--max-price {wish.max_price / 10**6:g}")
    if wish.isolation is not None:
        parts.append(f"--isolation {wish.isolation}")
    return " ".join([*parts, "-- job.py"])
