"""Rate limit per client address."""

from __future__ import annotations

import math
from collections.abc import Callable

from ionet.buckets import Buckets, whose
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.types import ASGIApp, Receive, Scope, Send

RATE, BURST = 50.0, 200  # requests per second and address, and at once


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
