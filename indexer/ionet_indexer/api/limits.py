"""Rate limit per client address: a token bucket each, for a bounded number of addresses."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Receive, Scope, Send

RATE, BURST = 50.0, 200  # requests per second and address, and at once
_MOST_ADDRESSES = 10_000


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


def limit(buckets: Buckets) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that answers 429 with Retry-After to an address without tokens."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            client = scope.get("client")
            wait = buckets.take(whose(client[0] if client else "")) if scope["type"] == ScopeType.HTTP else 0.0
            if wait:
                raise TooManyRequestsException(
                    "too many requests from this address", headers={"Retry-After": str(math.ceil(wait))}
                )
            await app(scope, receive, send)

        return call

    return wrap
