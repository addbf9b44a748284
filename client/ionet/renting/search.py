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

from ionet.countries import LETTERS
from ionet.errors import InvalidInput, IonetError
from ionet.isolation import STRENGTHS
from ionet.patient_http import PatientClient, status_line
from ionet.rules.pricing import earned
from ionet.rules.reputation import ONE

MOST_NODES = 4_000
"""Nodes of a model that are looked at, in the indexer's order."""
_PAGE, _ANSWER_SECS, _SECS, _MOST_BYTES = 200, 20.0, 90.0, 4 * 2**20
_ASKED_AT_ONCE, _ASKED = 8, 64
T = TypeVar("T")


class SearchError(IonetError):
    """the indexer does not answer as it should"""

    exit_code = 4


class Wish(msgspec.Struct, frozen=True):
    """What each node has to be, and how many there have to be. None: anything. model: its code.

    max_price: micro-dollars per processor-hour. countries: ISO 3166-1 numbers. min_score: of `reputation.ONE`.
    isolation: the weakest level that will do, see `ionet.isolation`. secs: for how long.
    """

    model: str
    processors: int = 1
    nodes: int = 1
    secs: int = 3_600
    currency: str = "IOSD"
    max_price: int | None = None
    countries: tuple[int, ...] = ()
    min_score: int | None = None
    isolation: str | None = None


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

    def cost(self, secs: int) -> int:
        """Micro-dollars, before fees."""
        return earned(self.price, self.processors, secs)


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


class _Scored(msgspec.Struct):
    score: int


class _Advertised(msgspec.Struct):
    isolation: str


class _One(msgspec.Struct):
    item: msgspec.Raw


class Problem(msgspec.Struct):
    """Why the indexer refuses."""

    detail: str = ""


async def search(api: str, wish: Wish) -> Found:
    """Ask the indexer at `api`. Raises SearchError, and InvalidInput for what it does not know."""
    try:
        async with asyncio.timeout(_SECS), PatientClient(api, base_url=api, timeout=_ANSWER_SECS) as http:
            listed = await _listed(http, wish.model)
            left, removed = _filtered(listed, wish)
            if wish.min_score is not None:
                left = await _scored(http, left, wish.min_score, removed)
            if wish.isolation is not None:
                left = await _isolated(http, left, wish.isolation, removed)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SearchError(f"{api}: {error or type(error).__name__}") from None
    except (msgspec.MsgspecError, RecursionError):
        raise SearchError(f"{api} is not an ionet indexer") from None
    except TimeoutError:
        raise SearchError(f"{api} did not answer within {_SECS:.0f} s") from None
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


def _filtered(listed: Iterable[Candidate], wish: Wish) -> tuple[list[Candidate], list[Removed]]:
    left, removed = list(listed), []
    for each in _filters(wish):
        out = [candidate for candidate in left if not each.keeps(candidate)]
        left = [candidate for candidate in left if each.keeps(candidate)]
        removed.append(Removed(each.why, len(out), each.remedy(out) if out else ""))
    return sorted(left, key=lambda candidate: (candidate.hourly, candidate.node)), removed


async def _scored(
    http: PatientClient, left: Sequence[Candidate], least: int, removed: list[Removed]
) -> list[Candidate]:
    """Of the cheapest."""
    asked = left[:_ASKED]
    scores = await _asked(http, [f"/v1/nodes/{each.node}/reputation" for each in asked], _Scored)
    score = {each.node: 0 if found is None else found.score for each, found in zip(asked, scores, strict=True)}
    kept = [each for each in asked if score[each.node] >= least]
    best = max((score[each.node] for each in asked if each not in kept), default=0)
    removed.append(Removed("have a lower score", len(asked) - len(kept), f"the best has {best / ONE:.2f}"))
    return kept


async def _isolated(
    http: PatientClient, left: Sequence[Candidate], weakest: str, removed: list[Removed]
) -> list[Candidate]:
    """Of the cheapest."""
    enough = STRENGTHS[: STRENGTHS.index(weakest) + 1]
    asked = left[:_ASKED]
    adverts = await _asked(http, [f"/v1/nodes/{each.node}/advert" for each in asked], _Advertised)
    level = {each.node: "" if found is None else found.isolation for each, found in zip(asked, adverts, strict=True)}
    kept = [each for each in asked if level[each.node] in enough]
    there = sorted({level[each.node] or "none told" for each in asked if each not in kept})
    removed.append(Removed("isolate less", len(asked) - len(kept), f"they have {', '.join(there)}"))
    return kept


async def _listed(http: PatientClient, model: str) -> list[Candidate]:
    found: list[Candidate] = []
    cursor: str | None = None
    for _ in range(MOST_NODES // _PAGE):
        query = {"model": model, "limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
        page = msgspec.json.decode(await _got(http, "/v1/nodes", query), type=_Page, strict=False)
        found += page.items
        cursor = page.next
        if cursor is None or len(found) >= MOST_NODES:
            return found
    raise SearchError(f"the list of nodes does not end after {len(found)}")


async def _asked(http: PatientClient, paths: Sequence[str], kind: type[T]) -> list[T | None]:
    """Each item; None where the indexer has none."""
    places = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask(path: str) -> T | None:
        async with places:
            try:
                said = await _got(http, path, {})
            except _NoSuch:
                return None
        return msgspec.json.decode(msgspec.json.decode(said, type=_One).item, type=kind, strict=False)

    return list(await asyncio.gather(*map(ask, paths)))


class _NoSuch(InvalidInput):
    """the indexer does not have it"""


async def _got(http: PatientClient, path: str, query: dict[str, str]) -> bytes:
    async with http.stream("GET", path, params=query, headers={"accept-encoding": "identity"}) as response:
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > _MOST_BYTES:
                raise SearchError(f"an answer of more than {_MOST_BYTES} bytes")
    if response.is_success:
        return bytes(body)
    try:
        detail = msgspec.json.decode(body, type=Problem).detail
    except (msgspec.MsgspecError, RecursionError):
        detail = ""
    if response.status_code == 404:
        raise _NoSuch(detail)
    if response.status_code == 400:
        raise InvalidInput(detail)
    raise SearchError(detail or status_line(response.status_code))
