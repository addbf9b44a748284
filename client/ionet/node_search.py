"""Nodes that a renter could book now, and what keeps the others out.

An indexer is asked and not trusted: it can hide nodes, but what is booked is booked on the chain, at the price that is
shown here or not at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import httpx2
import msgspec
from solders.pubkey import Pubkey

from ionet import distance
from ionet.countries import LETTERS
from ionet.isolation import at_least
from ionet.offers import Missing, asking, get
from ionet.rules.reputation import ONE
from ionet.trace import ApiError
from ionet.wish import Wish

MOST_NODES = 4_000
"""Nodes of a model that are looked at, in the indexer's order."""
_PAGE = 200
_ASKED_AT_ONCE, _ASKED = 8, 64
T = TypeVar("T")


class Candidate(msgspec.Struct, frozen=True):
    """A node as the indexer has it. price: micro-dollars per processor-hour; durations in seconds."""

    node: str
    model_name: str | None
    processors: int
    price: int
    country: int
    currencies: list[str]
    flags: list[str]
    hireable: bool | None
    online: bool
    min_duration: int
    max_duration: int
    min_coverage_bps: int

    @property
    def hourly(self) -> int:
        """Micro-dollars an hour for all of it."""
        return self.price * self.processors


class Removed(NamedTuple):
    """A filter that removed nodes, how many, and what would let some of them in; empty where nothing would."""

    why: str
    nodes: int
    remedy: str = ""


class Found(NamedTuple):
    """The nodes that are left, the cheapest first, and why the others of `listed` are not."""

    candidates: list[Candidate]
    removed: list[Removed]
    listed: int


class _Filter(NamedTuple):
    why: str
    keeps: Callable[[Candidate], bool]
    remedy: Callable[[Sequence[Candidate]], str]


class _Page(msgspec.Struct):
    items: list[Candidate]
    next: str | None


class _Score(msgspec.Struct):
    score: int


class _Scored(msgspec.Struct):
    item: _Score


class _Gpu(msgspec.Struct):
    memory_mib: int | None


class _Told(msgspec.Struct):
    isolation: str
    gpus: list[_Gpu] = []


class _Advertised(msgspec.Struct):
    item: _Told


class _Offer(msgspec.Struct):
    model_name: str | None
    nodes_rentable: int


class _Offers(msgspec.Struct):
    items: list[_Offer]


async def search(api: str, wish: Wish) -> Found:
    """Ask the indexer at `api`. Raises ApiError, InvalidInput."""
    async with asking(api) as http:
        listed = await _listed(http, wish.model)
        left, removed = narrowed(listed, wish)
        if not listed:
            removed.append(await _of_other_models(http))
        if wish.min_score is not None:
            left = await _scored(http, left, wish.min_score, removed)
        if wish.isolation is not None or wish.gpu_memory_mib is not None:
            left = await _advertised(http, left, wish, removed)
    if wish.max_latency_ms is not None:
        left = await _near(api, left, wish.max_latency_ms, removed)
    return Found(left, [each for each in removed if each.nodes], len(listed))


def _filters(wish: Wish) -> list[_Filter]:
    def prices(removed: Sequence[Candidate]) -> str:
        return f"the cheapest asks {min(each.price for each in removed) / 10**6:g} dollars per processor-hour"

    def places(removed: Sequence[Candidate]) -> str:
        there = Counter(LETTERS.get(each.country, str(each.country)) for each in removed)
        return "there are " + ", ".join(f"{count} in {name}" for name, count in there.most_common(5))

    def sizes(removed: Sequence[Candidate]) -> str:
        return f"the largest has {max(each.processors for each in removed)}"

    def times(removed: Sequence[Candidate]) -> str:
        least, most = min(each.min_duration for each in removed), max(each.max_duration for each in removed)
        return f"they take from {least} s to {most} s"

    def reasons(removed: Sequence[Candidate]) -> str:
        why = Counter(flag for each in removed for flag in each.flags)
        return ", ".join(f"{count} {flag}" for flag, count in why.most_common(4))

    def currencies(removed: Sequence[Candidate]) -> str:
        taken = sorted({name for each in removed for name in each.currencies})
        return f"they take {', '.join(taken)}" if taken else ""

    limit, countries = wish.max_price, frozenset(wish.countries)
    return [
        _Filter(f"have fewer than {wish.processors} processors", lambda c: c.processors >= wish.processors, sizes),
        _Filter("cost more", lambda c: limit is None or c.price <= limit, prices),
        _Filter("are elsewhere", lambda c: not countries or c.country in countries, places),
        _Filter(f"do not take {wish.currency}", lambda c: wish.currency in c.currencies, currencies),
        _Filter("take no lease so long", lambda c: c.min_duration <= wish.secs <= c.max_duration, times),
        _Filter("cannot be hired now", lambda c: bool(c.hireable), reasons),
        _Filter("are offline", lambda c: c.online, lambda _: ""),
    ]


def narrowed(listed: Iterable[Candidate], wish: Wish) -> tuple[list[Candidate], list[Removed]]:
    """Those that are as wished but for score and isolation, the cheapest first; and for each filter what it removed."""
    left, removed = list(listed), []
    for each in _filters(wish):
        out = [candidate for candidate in left if not each.keeps(candidate)]
        left = [candidate for candidate in left if each.keeps(candidate)]
        removed.append(Removed(each.why, len(out), each.remedy(out) if out else ""))
    return sorted(left, key=lambda candidate: (candidate.hourly, candidate.node)), removed


async def _scored(
    http: httpx2.AsyncClient, left: Sequence[Candidate], least: int, removed: list[Removed]
) -> list[Candidate]:
    """Of the cheapest."""
    asked = left[:_ASKED]
    scores = await _asked(http, [f"/v1/nodes/{each.node}/reputation" for each in asked], _Scored)
    score = {each.node: 0 if found is None else found.item.score for each, found in zip(asked, scores, strict=True)}
    kept = [each for each in asked if score[each.node] >= least]
    best = max((score[each.node] for each in asked if each not in kept), default=0)
    removed.append(Removed("have a lower score", len(asked) - len(kept), f"the best has {best / ONE:.2f}"))
    return kept


async def _advertised(
    http: httpx2.AsyncClient, left: Sequence[Candidate], wish: Wish, removed: list[Removed]
) -> list[Candidate]:
    """Of the cheapest, those whose adverts will do."""
    asked = list(left[:_ASKED])
    adverts = await _asked(http, [f"/v1/nodes/{each.node}/advert" for each in asked], _Advertised)
    told = {each.node: None if found is None else found.item for each, found in zip(asked, adverts, strict=True)}
    if wish.isolation is not None:
        enough = at_least(wish.isolation)
        level = {node: "" if said is None else said.isolation for node, said in told.items()}
        kept = [each for each in asked if level[each.node] in enough]
        there = sorted({level[each.node] or "none told" for each in asked if each not in kept})
        removed.append(Removed("isolate less", len(asked) - len(kept), f"they have {', '.join(there)}"))
        asked = kept
    if wish.gpu_memory_mib is not None:
        memory = {node: _memory(said) for node, said in told.items()}
        kept = [each for each in asked if memory[each.node] >= wish.gpu_memory_mib]
        most = max((memory[each.node] for each in asked if each not in kept), default=0)
        remedy = f"the largest has {most / 1024:.0f} GiB" if most else "they tell none"
        removed.append(Removed("have less memory", len(asked) - len(kept), remedy))
        asked = kept
    return asked


def _memory(told: _Told | None) -> int:
    """MiB of the smallest GPU, 0 where it is not told."""
    return min((gpu.memory_mib or 0 for gpu in told.gpus), default=0) if told is not None else 0


async def _near(api: str, left: Sequence[Candidate], most: float, removed: list[Removed]) -> list[Candidate]:
    """Of the cheapest. How far one is that only a relay leads to, nobody knows."""
    asked = [(each, Pubkey.from_string(each.node)) for each in left[:_ASKED]]
    ways = await distance.measure(api, [key for _, key in asked])
    kept = [each for each, key in asked if key in ways and ways[key] <= most]
    nearest = min((way for way in ways.values() if way > most), default=None)
    remedy = "how far they are cannot be measured" if nearest is None else f"the nearest takes {nearest:.0f} ms"
    removed.append(Removed("are too far", len(asked) - len(kept), remedy))
    return kept


async def _listed(http: httpx2.AsyncClient, model: str) -> list[Candidate]:
    found: list[Candidate] = []
    query = {"model": model, "limit": str(_PAGE)}
    for _ in range(MOST_NODES // _PAGE):
        page = await get(http, "/v1/nodes", _Page, query)
        found += page.items
        if page.next is None or len(found) >= MOST_NODES:
            return found
        query["cursor"] = page.next
    raise ApiError(f"the list of nodes does not end after {len(found)}")


async def _of_other_models(http: httpx2.AsyncClient) -> Removed:
    """The model as the filter that removed all that could be rented now."""
    [page] = await _asked(http, [f"/v1/offers?limit={_PAGE}"], _Offers)
    there: Counter[str] = Counter()
    for each in [] if page is None else page.items:
        there[each.model_name or "unknown"] += each.nodes_rentable
    some = ", ".join(f"{count} {name}" for name, count in there.most_common(5) if count)
    return Removed("are of other models", there.total(), f"there are {some}" if some else "")


async def _asked(http: httpx2.AsyncClient, paths: Sequence[str], kind: type[T]) -> list[T | None]:
    """Each answer; None where the indexer has none."""
    places = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask(path: str) -> T | None:
        async with places:
            try:
                return await get(http, path, kind, {})
            except Missing:
                return None

    return list(await asyncio.gather(*map(ask, paths)))
