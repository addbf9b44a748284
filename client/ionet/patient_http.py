"""HTTP as every part of the network uses it: patient with a busy server, and no proxy on the way to this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx2

from ionet.errors import InvalidInput

_log = logging.getLogger(__name__)

# What a server or the proxy before it answers when the same request may succeed a moment later.
BUSY = frozenset({429, 502, 503, 504})
ATTEMPTS = 4
# Seconds before the second attempt when the server names none; doubled each time.
_FIRST_WAIT_SECS = 0.25
# A server that asks for more patience than this is given up at once, in seconds.
_LONGEST_WAIT_SECS = 10.0


class PatientClient(httpx2.AsyncClient):
    """An HTTP client that repeats a request up to `ATTEMPTS` times while the server is busy.

    It waits for what `retry-after` names (in seconds), else a little longer each time. Only for requests that may
    arrive twice. The last answer is returned as it came, whatever its status. url: where requests go; a loopback
    address is asked directly, even when the environment names a proxy.
    """

    def __init__(self, url: str, **more: Any) -> None:
        super().__init__(trust_env=not is_loopback(url), verify=_trusted(), **more)

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        for attempt in range(1, ATTEMPTS + 1):
            response = await super().send(request, **more)
            wait = _wait_secs(response, attempt)
            if response.status_code not in BUSY or attempt == ATTEMPTS or wait > _LONGEST_WAIT_SECS:
                return response
            _log.debug("%s: %s, again in %.2f s", request.url, status_line(response.status_code), wait)
            await response.aclose()
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")


async def whole_body(answer: httpx2.Response, most: int, too_long: Exception) -> bytes:
    """The body of a streamed answer. Raises `too_long` for one of more than `most` bytes, of which no more is read."""
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > most:
            raise too_long
    return bytes(body)


@cache
def _trusted() -> ssl.SSLContext:
    """The usual authorities, read once: each time takes a tenth of a second."""
    return httpx2.create_ssl_context()


def is_loopback(url: str) -> bool:
    """Whether a URL names the machine it is read on."""
    host = httpx2.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def status_line(status: int) -> str:
    """An HTTP status for people: "HTTP 429: too many requests"."""
    try:
        return f"HTTP {status}: {HTTPStatus(status).phrase.lower()}"
    except ValueError:
        return f"HTTP {status}"


def _wait_secs(response: httpx2.Response, attempt: int) -> float:
    named = response.headers.get("retry-after", "")
    return float(named) if named.isascii() and named.isdigit() else _FIRST_WAIT_SECS * 2 ** (attempt - 1)


def check_url(url: str) -> None:
    """Raises InvalidInput for what is no http or https address."""
    try:
        good = isinstance(url, str) and url.startswith(("http://", "https://")) and bool(httpx2.URL(url).host)
    except (httpx2.InvalidURL, ValueError):
        good = False
    if not good:
        raise InvalidInput(f"{url!r} is no http or https address, such as http://127.0.0.1:8899")
