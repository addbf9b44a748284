"""What one client address may have: requests per second, and places for what lasts. Memory is bounded for both."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Callable
from typing import Any

from ionet import places
from ionet.buckets import Buckets, whose
from ionet.errors import InvalidInput
from ionet.places import Place
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Receive, Scope, Send

from ionet_indexer.core.refusals import TooMuch

RATE, BURST = 50.0, 200  # requests per second and address, and at once
FOR_MANY = 20
"""What an address that asks for many readers may have, in what one reader may."""
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
        place = self._places.take(who)
        if place is None and self._places.has_all(who):
            raise TooMuch(f"this address has {self._each} {self._what} already", wait=10)
        if place is None:
            raise TooMuch(f"there are {self._most} {self._what} already", wait=10)
        request.scope["state"].setdefault(_PLACES, []).append(place)
        return place


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
