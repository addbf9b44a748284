"""What one client address may have: requests per second, and places for what lasts. Memory is bounded for both."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Receive, Scope, Send

from ionet_indexer.core.refusals import TooMuch

RATE, BURST = 50.0, 200  # requests per second and address, and at once
_MOST_ADDRESSES = 10_000
_PLACES = "ionet_places"  # of a request's state


def whose(address: str) -> str:
    """Who an address counts as: an IPv6 /64 is one customer of a provider, and an IPv4 address in IPv6 is itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


class Buckets:
    """`burst` requests at once, then `rate` per second, for every address."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address → (tokens, when)

    def take(self, address: str, amount: int = 1) -> float:
        """Take tokens; returns 0, or the seconds until there are enough."""
        now = self._clock()
        tokens, since = self._levels.pop(address, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = 0.0 if tokens >= amount else (amount - tokens) / self._rate
        self._levels[address] = (tokens if wait else tokens - amount, now)
        while len(self._levels) > _MOST_ADDRESSES:
            self._levels.popitem(last=False)
        return wait


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
        owner = _owner(request.scope)
        if self._taken[owner] >= self._each:
            raise TooMuch(f"this address has {self._each} {self._what} already", wait=10)
        if self.taken >= self._most:
            raise TooMuch(f"there are {self._most} {self._what} already", wait=10)
        self._taken[owner] += 1
        place = Place(self, owner)
        request.scope["state"].setdefault(_PLACES, []).append(place)
        return place

    def give_back(self, owner: str) -> None:
        """See `Place`."""
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]


def _owner(scope: Scope) -> str:
    client = scope.get("client")
    return whose(client[0] if client else "")


def limit(buckets: Buckets) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that answers 429 with Retry-After to an address without tokens, and gives back a request's places."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            wait = buckets.take(_owner(scope)) if scope["type"] == ScopeType.HTTP else 0.0
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
