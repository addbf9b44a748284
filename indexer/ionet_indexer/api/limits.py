"""What one client address may have: requests per second, and places for what lasts. Memory is bounded for both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from ionet.buckets import Buckets, whose
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Receive, Scope, Send

from ionet_indexer.core.refusals import TooMuch

RATE, BURST = 50.0, 200  # requests per second and address, and at once
_PLACES = "ionet_places"  # of a request's state


class Place:
    """One place of `Places`, until it is given back."""

    def __init__(self, places: Places, owner: str) -> None:
        self._places: Places | None = places
        self._owner = owner

    def release(self) -> None:
        """Give it back; again does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._owner)


class Places:
    """Places in this process for what lasts: `most` in all, `each` for an address."""

    def __init__(self, what: str, most: int, each: int) -> None:
        self._what = what
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def take(self, request: Request[Any, Any, Any]) -> Place:
        """A place for the request's address, which is given back at the end of the answer at the latest.

        Raises TooMuch.
        """
        who = owner(request.scope)
        if self._taken[who] >= self._each:
            raise TooMuch(f"this address has {self._each} {self._what} already", wait=10)
        if self.taken >= self._most:
            raise TooMuch(f"there are {self._most} {self._what} already", wait=10)
        self._taken[who] += 1
        place = Place(self, who)
        request.scope["state"].setdefault(_PLACES, []).append(place)
        return place

    def give_back(self, owner: str) -> None:
        """See `Place`."""
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]


def owner(scope: Scope) -> str:
    """Who a request counts as."""
    client = scope.get("client")
    return whose(client[0] if client else "")


def limit(buckets: Buckets) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that answers 429 with Retry-After to an address without tokens, and gives back a request's places."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            wait = buckets.take(owner(scope)) if scope["type"] == ScopeType.HTTP else 0.0
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
