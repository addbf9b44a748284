"""What one client address may have: requests per second, and places for what lasts. Memory is bounded for both."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeVar

import asyncpg
from ionet import places
from ionet.buckets import Buckets, whose
from ionet.errors import InvalidInput
from ionet.places import Place, Turns
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Receive, Scope, Send

from ionet_indexer.core.reader import Reader, Snapshot, State
from ionet_indexer.core.refusals import TooMuch

T = TypeVar("T")
RATE, BURST = 50.0, 200  # requests per second and address, and at once
FOR_MANY = 20
"""What an address that asks for many readers may have, in what one reader may."""
TURNS = 4  # at the eight connections of a Reader, and at what is computed beside the event loop
_PAGES = "IONET_PAGES"
_PLACES = "ionet_places"  # of a request's state


class Places:
    """Places in this process for what lasts: `most` in all, `each` for an address."""

    def __init__(self, what: str, most: int, each: int) -> None:
        self._what = what
        self._most = most
        self._each = each
        self._places = places.Places(most, each)

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._places.taken

    def take(self, request: Request[Any, Any, Any]) -> Place:
        """A place for the request's address, which is given back at the end of the answer at the latest.

        Raises TooMuch.
        """
        who = owner(request.scope)
        if self._places.has_all(who):
            raise TooMuch(f"this address has {self._each} {self._what} already", wait=10)
        if not self._places.has_room(who) and (gives_up := self.gives_up(self._places, who)) is not None:
            gives_up.give_up()
        place = self._places.take(who)
        if place is None:
            raise TooMuch(f"there are {self._most} {self._what} already", wait=10)
        request.scope["state"].setdefault(_PLACES, []).append(place)
        return place

    def gives_up(self, taken: places.Places, who: str) -> Place | None:
        """Which place goes to an address where all are taken: one of who has most."""
        return taken.of_who_has_more(who)


class SharedReader:
    """A Reader for one request, which waits for its address's turn at the connections.

    pages: addresses whose requests are those of many readers, and wait for no turn.
    """

    def __init__(self, reader: Reader, turns: Turns, scope: Scope, pages: frozenset[str]) -> None:
        self._reader = reader
        self._turns = turns
        who = owner(scope)
        self._owner = None if who in pages else who

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._owner is None else self._turns.of(self._owner)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """See Reader."""
        async with self._turn(), self._reader.snapshot() as snapshot:
            yield snapshot

    async def state(self) -> State:
        """See Reader. It takes no turn: all share one connection."""
        return await self._reader.state()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """See Reader."""
        async with self._turn(), self._reader.writing() as connection:
            yield connection

    async def computed(self, work: Callable[..., T], *arguments: Any) -> T:
        """What takes long enough to be done beside the event loop, in the address's turn too. Holds no connection."""
        async with self._turn():
            return await asyncio.to_thread(work, *arguments)


def owner(scope: Scope) -> str:
    """Who a request counts as."""
    client = scope.get("client")
    return whose(client[0] if client else "")


def pages_named() -> frozenset[str]:
    """Whose requests are those of many readers: the addresses, with commas, that `IONET_PAGES` names.

    Nobody's by default: it is a setting of the indexer's owner, and no header of a request. Raises InvalidInput.
    """
    named = [address.strip() for address in os.environ.get(_PAGES, "").split(",") if address.strip()]
    try:
        return frozenset(whose(str(ipaddress.ip_address(address))) for address in named)
    except ValueError as error:
        raise InvalidInput(f"{_PAGES}: {error}") from None


def limit(rate: float, burst: int, pages: frozenset[str] = frozenset()) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that answers 429 with Retry-After to an address without tokens, and gives back a request's places.

    rate, burst: requests per second and address, and at once; of `pages` `FOR_MANY` times as many.
    """
    readers, many = Buckets(rate, burst), Buckets(rate * FOR_MANY, burst * FOR_MANY)

    def wait_of(who: str) -> float:
        return (many if who in pages else readers).take(who)

    def wrap(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            wait = wait_of(owner(scope)) if scope["type"] == ScopeType.HTTP else 0.0
            if wait:
                raise TooManyRequestsException(
                    "too many requests from this address", headers={"Retry-After": str(math.ceil(wait))}
                )
            try:
                await app(scope, receive, send)
            finally:
                for place in scope["state"].pop(_PLACES, ()):
                    place.release()

        return call

    return wrap
