"""What a page wants signed goes to the actions' process, and nowhere else: as it is, with a deadline and a size.

The reader's browser asks only the page's own origin; which one that was, it says itself (`Sec-Fetch-Site`), and the
actions refuse what another site's page asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from ionet.buckets import whose
from ionet.errors import IonetError
from ionet.patient_http import check_url, is_loopback, whole_body
from ionet.places import Places
from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

BODY_BYTES, BODY_SECS = 8 << 10, 5.0
ANSWER_BYTES, ANSWER_SECS = 256 << 10, 100.0
"""A transaction is followed to its end: a blockhash lives for a minute at the most."""
MOST_AT_ONCE, MOST_OF_AN_ADDRESS = 256, 16
"""Requests that are being answered."""
Asked = Request[Any, Any, Any]
_TAKEN = ("content-type", "sec-fetch-site", "origin")
_CORS = "access-control-"
_GIVEN = ("content-type", "retry-after", "cache-control", "x-action-version", "x-blockchain-ids")


class ActionsAway(IonetError):
    """what builds transactions does not answer"""


class Acting:
    """The actions' process; without an address there is none."""

    def __init__(self, client: httpx2.AsyncClient | None) -> None:
        self._client = client
        self._places = Places(MOST_AT_ONCE, MOST_OF_AN_ADDRESS)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Acting]:
        """url: empty for none. Raises InvalidInput for anything but an http or https address."""
        if not url:
            yield cls(None)
            return
        check_url(url)
        limits = httpx2.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
        # Not one that repeats: what was sent once may have arrived.
        async with httpx2.AsyncClient(
            base_url=url, timeout=ANSWER_SECS, limits=limits, trust_env=not is_loopback(url)
        ) as client:
            yield cls(client)

    @property
    def is_there(self) -> bool:
        return self._client is not None

    async def pass_on(self, request: Asked, path: str) -> Response[bytes]:
        """The answer to this request, from a path of the actions."""
        if self._client is None:
            return _problem(404, "not-found", "nothing is signed on these pages")
        place = self._places.take(whose(address_of(request)))
        if place is None:
            return _problem(429, "too-many-requests", "too much of this address is under way", {"retry-after": "10"})
        with place:
            return await self._pass_on(self._client, request, path)

    @staticmethod
    async def _pass_on(client: httpx2.AsyncClient, request: Asked, path: str) -> Response[bytes]:
        headers = {name: value for name in _TAKEN if (value := request.headers.get(name))}
        headers["x-forwarded-for"] = address_of(request)
        headers |= {"x-forwarded-host": request.url.netloc, "x-forwarded-proto": request.url.scheme}
        try:
            async with asyncio.timeout(BODY_SECS):
                body = await request.body()
            async with (
                asyncio.timeout(ANSWER_SECS),
                client.stream(request.method, path, content=body, headers=headers) as answer,
            ):
                found = await whole_body(answer, ANSWER_BYTES, ActionsAway("its answer is too long"))
        except (httpx2.HTTPError, TimeoutError, ActionsAway):
            return _problem(503, "actions-away", ActionsAway.message())
        kept = {name: value for name in _GIVEN if (value := answer.headers.get(name))}
        kept |= {name: value for name, value in answer.headers.items() if name.startswith(_CORS)}
        return Response(found, status_code=answer.status_code, headers=kept, media_type=kept.get("content-type"))


def address_of(request: Asked) -> str:
    """Of the reader, empty where there is none."""
    return request.client.host if request.client else ""


def _problem(status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    said = {"type": kind, "title": kind, "status": status, "detail": detail}
    return Response(
        msgspec.json.encode(said), status_code=status, headers=headers, media_type="application/problem+json"
    )


@post("/act/plans/{kind:str}", request_max_body_size=BODY_BYTES)
async def plan(acting: NamedDependency[Acting], request: Asked, kind: FromPath[str]) -> Response[bytes]:
    """A transaction to sign."""
    path = f"/v1/plans/{kind}" if kind.isascii() and kind.isalpha() else "/v1/plans/none"
    return await acting.pass_on(request, path)


@post("/act/transactions", request_max_body_size=BODY_BYTES)
async def transaction(acting: NamedDependency[Acting], request: Asked) -> Response[bytes]:
    """One that was signed."""
    return await acting.pass_on(request, "/v1/transactions")


@post("/act/machines", request_max_body_size=BODY_BYTES)
async def machine(acting: NamedDependency[Acting], request: Asked) -> Response[bytes]:
    """A machine that waits for its owner to open a link."""
    return await acting.pass_on(request, "/v1/machines")


@route("/actions.json", http_method=["GET", "OPTIONS"])
async def action_rules(acting: NamedDependency[Acting], request: Asked) -> Response[bytes]:
    """Which pages are Solana Actions."""
    return await acting.pass_on(request, "/actions.json")


@route("/actions/{kind:str}", http_method=["GET", "POST", "OPTIONS"], request_max_body_size=BODY_BYTES)
async def action(acting: NamedDependency[Acting], request: Asked, kind: FromPath[str]) -> Response[bytes]:
    """The same by Solana Actions, and for transaction requests of Solana Pay."""
    path = f"/actions/{kind}" if kind.isascii() and kind.isalpha() else "/actions/none"
    query = request.url.query
    return await acting.pass_on(request, f"{path}?{query}" if query else path)
