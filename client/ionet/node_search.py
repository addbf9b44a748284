"""Nodes that a renter could book now, and what keeps the others out.

An indexer is asked and not trusted: it can hide nodes, but what is booked is booked on the chain, at the price that is
shown here or not at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        left = await _by_word(http, left, wish, removed)
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


def scored(asked: Sequence[Candidate], score: Mapping[str, int], least: int) -> tuple[list[Candidate], Removed]:
    """Those with at least this score, and what is said of the others. score: by node, of `reputation.ONE`."""
    kept = [each for each in asked if score.get(each.node, 0) >= least]
    best = max((score.get(each.node, 0) for each in asked if each not in kept), default=0)
    return kept, Removed("have a lower score", len(asked) - len(kept), f"the best has {best / ONE:.2f}")


def isolating(asked: Sequence[Candidate], level: Mapping[str, str], weakest: str) -> tuple[list[Candidate], Removed]:
    """The same of those that isolate as well as this level. level: by node, where it says one."""
    enough = at_least(weakest)
    kept = [each for each in asked if level.get(each.node) in enough]
    there = sorted({level.get(each.node) or "none told" for each in asked if each not in kept})
    return kept, Removed("isolate less", len(asked) - len(kept), f"they have {', '.join(there)}" if there else "")


def equipped(asked: Sequence[Candidate], memory: Mapping[str, int], least: int) -> tuple[list[Candidate], Removed]:
    """The same of those whose smallest GPU has so much memory. memory: MiB by node, where it is told."""
    kept = [each for each in asked if memory.get(each.node, 0) >= least]
    most = max((memory.get(each.node, 0) for each in asked if each not in kept), default=0)
    remedy = f"the largest has {most / 1024:.0f} GiB" if most else "they tell none"
    return kept, Removed("have less memory", len(asked) - len(kept), remedy)


def near(asked: Sequence[Candidate], ways: Mapping[str, float], most: float) -> tuple[list[Candidate], Removed]:
    """The same of those that are not farther. ways: milliseconds by node, where they could be measured."""
    kept = [each for each in asked if each.node in ways and ways[each.node] <= most]
    nearest = min((way for way in ways.values() if way > most), default=None)
    remedy = "how far they are cannot be measured" if nearest is None else f"the nearest takes {nearest:.0f} ms"
    return kept, Removed("are too far", len(asked) - len(kept), remedy)


def smallest_memory(gpus: Iterable[int | None]) -> int:
    """MiB of the smallest of a node's GPUs, 0 where one tells none."""
    return min((memory or 0 for memory in gpus), default=0)


async def _by_word(
    http: httpx2.AsyncClient, left: Sequence[Candidate], wish: Wish, removed: list[Removed]
) -> list[Candidate]:
    """Of the cheapest, those whose score and adverts will do."""
    asked = list(left)
    if wish.min_score is not None:
        asked = asked[:_ASKED]
        scores = await _asked(http, [f"/v1/nodes/{each.node}/reputation" for each in asked], _Scored)
        found = {each.node: said.item.score for each, said in zip(asked, scores, strict=True) if said is not None}
        asked, out = scored(asked, found, wish.min_score)
        removed.append(out)
    if wish.isolation is None and wish.gpu_memory_mib is None:
        return asked
    asked = asked[:_ASKED]
    adverts = await _asked(http, [f"/v1/nodes/{each.node}/advert" for each in asked], _Advertised)
    told = {each.node: said.item for each, said in zip(asked, adverts, strict=True) if said is not None}
    if wish.isolation is not None:
        asked, out = isolating(asked, {node: said.isolation for node, said in told.items()}, wish.isolation)
        removed.append(out)
    if wish.gpu_memory_mib is not None:
        memory = {node: smallest_memory(gpu.memory_mib for gpu in said.gpus) for node, said in told.items()}
        asked, out = equipped(asked, memory, wish.gpu_memory_mib)
        removed.append(out)
    return asked


async def _near(api: str, left: Sequence[Candidate], most: float, removed: list[Removed]) -> list[Candidate]:
    """Of the cheapest. How far one is that only a relay leads to, nobody knows."""
    asked = left[:_ASKED]
    ways = await distance.measure(api, [Pubkey.from_string(each.node) for each in asked])
    kept, out = near(asked, {str(node): took for node, took in ways.items()}, most)
    removed.append(out)
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
