"""What can be rented now, as an indexer tells. Nothing of it is proven: `ionet.quote` reads prices from the chain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Generic, TypeVar

import httpx2
import msgspec
from msgspec import Meta

from ionet.patient_http import PatientClient, check_url, status_line, whole_body
from ionet.trace import ApiError

# A page of 200 nodes has some 300 kB.
_MOST_BYTES = 4 << 20
_MOST_PAGES, _PER_PAGE = 200, 200
MOST = _MOST_PAGES * _PER_PAGE
_REQUEST_SECS, _ALL_SECS = 30.0, 300.0
# Adverts asked for at the same time; a public indexer answers 50 requests a second.
_AT_ONCE = 8

T = TypeVar("T")
Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,20}\Z")]
Name = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]


class Offer(msgspec.Struct, frozen=True):
    """A node and its terms. price: micro-dollars per processor-hour. durations: seconds. country: ISO 3166-1 number."""

    node: Annotated[str, Meta(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}\Z")]
    model: Count
    model_name: Name | None
    processors: Count
    price: Amount
    country: Count
    currencies: list[Name]
    min_duration: Count
    max_duration: Count
    tier: Count


class OfferGpu(msgspec.Struct, frozen=True):
    """A device as the node's own advert has it."""

    name: Name
    memory_mib: Count | None


class Page(msgspec.Struct, Generic[T]):
    """A part of a list. next: the cursor of the following one, None at the end."""

    items: list[T]
    next: str | None


class _Advert(msgspec.Struct):
    gpus: list[OfferGpu]


class _AdvertAnswer(msgspec.Struct):
    item: _Advert


class _Problem(msgspec.Struct):
    detail: str = ""
    title: str = ""


async def fetch(api: str, **filters: str) -> list[Offer]:
    """Nodes that can be rented now, the cheapest first. api: an indexer's address.

    filters: of `/v1/nodes`, such as model, country, max_price, min_processors. Raises ApiError, InvalidInput.
    """
    wanted = {"rentable": "true", **filters}
    async with asking(api) as http:
        return await every(
            http, "/v1/nodes", Page[Offer], wanted, f"{api}: the list does not end after {_MOST_PAGES} pages"
        )


async def fetch_gpus(api: str, nodes: Sequence[str]) -> dict[str, list[OfferGpu]]:
    """The devices of each node, by its own word; a node that says nothing is left out. Raises ApiError."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(http: httpx2.AsyncClient, node: str) -> tuple[str, list[OfferGpu]] | None:
        async with places:
            try:
                return node, (await get(http, f"/v1/nodes/{node}/advert", _AdvertAnswer, {})).item.gpus
            except Missing:
                return None

    async with asking(api) as http:
        answers = await asyncio.gather(*(ask(http, node) for node in nodes))
    return dict(answer for answer in answers if answer is not None)


class Missing(ApiError):
    """the indexer does not have that"""


@contextlib.asynccontextmanager
async def asking(api: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the API within the time for all; what goes wrong on the way is an ApiError."""
    check_url(api)
    try:
        async with asyncio.timeout(_ALL_SECS), PatientClient(api, base_url=api, timeout=_REQUEST_SECS) as http:
            yield http
    except httpx2.HTTPError as error:
        raise ApiError(f"{api}: {type(error).__name__}") from None
    except TimeoutError:
        raise ApiError(f"{api} did not answer within {_ALL_SECS:.0f} s") from None


async def every(
    http: httpx2.AsyncClient, path: str, kind: type[Page[T]], query: dict[str, str], endless: str
) -> list[T]:
    """All items of a list. endless: what is wrong with one of more than MOST. Raises Missing, ApiError."""
    found: list[T] = []
    wanted = {"limit": str(_PER_PAGE), **query}
    for _ in range(_MOST_PAGES):
        page = await get(http, path, kind, wanted)
        found += page.items
        if page.next is None:
            return found
        wanted["cursor"] = page.next
    raise ApiError(endless)


async def get(http: httpx2.AsyncClient, path: str, kind: type[T], query: dict[str, str]) -> T:
    """An answer; its numbers may be decimal strings. Raises Missing, ApiError."""
    async with http.stream("GET", path, params=query) as answer:
        body = await whole_body(answer, _MOST_BYTES, ApiError(f"an answer of more than {_MOST_BYTES} bytes"))
    try:
        if answer.status_code == 200:
            return msgspec.json.decode(body, type=kind, strict=False)
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ApiError(f"{http.base_url} is not an ionet indexer") from None
    said = problem.detail or problem.title or status_line(answer.status_code)
    raise Missing(said) if answer.status_code == 404 else ApiError(said)
