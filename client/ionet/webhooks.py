"""JSON to a URL of somebody's own, who hears of what happens that way. Of the answer nothing but its status is read."""

from __future__ import annotations

import asyncio

import httpx2

from ionet.errors import ConfigError, reason_of
from ionet.patient_http import is_loopback, status_line

_TIMEOUT_SECS = 10.0


def check_hook(url: str, option: str) -> str:
    """The URL. Raises ConfigError, which names the option that it was given with."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ConfigError(f"{option}: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(f"{option}: {url!r} is not an http or https URL")
    return url


async def why_not_taken(url: str, body: bytes) -> str | None:
    """Tell it once; why that was not taken, None where it was."""
    headers = {"content-type": "application/json"}
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECS),
            httpx2.AsyncClient(timeout=_TIMEOUT_SECS, trust_env=not is_loopback(url)) as http,
            http.stream("POST", url, content=body, headers=headers) as answer,
        ):
            return None if answer.is_success else status_line(answer.status_code)
    except (httpx2.HTTPError, httpx2.StreamError, OSError, TimeoutError) as error:
        return reason_of(error)
