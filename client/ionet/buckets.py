"""Who may ask how often: a token bucket for each address, for a bounded number of addresses."""

from __future__ import annotations

import ipaddress
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

_MOST_ADDRESSES = 10_000
_PROXIES = "FORWARDED_ALLOW_IPS"  # as uvicorn itself names it, which believes all of this machine without it


def believing(proxies: str | None = None, otherwise: str = "") -> dict[str, Any]:
    """Settings of uvicorn, by which nobody chooses the address that limits count.

    proxies: addresses whose `X-Forwarded-For` is believed, with commas; by default those that the environment names,
    and where it names none, `otherwise`.
    """
    believed = os.environ.get(_PROXIES, otherwise) if proxies is None else proxies
    return {"proxy_headers": bool(believed), "forwarded_allow_ips": believed}


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
