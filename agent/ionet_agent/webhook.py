"""Tells the owner of a node which alarms begin and end: JSON to a URL of theirs. Nothing waits for it.

What is told is the difference to what was last taken, so an owner's server that is down for a while hears how it stands
then, and an alarm that came and went meanwhile is in the log alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import httpx2
import msgspec
from ionet.errors import ConfigError, reason_of
from ionet.patient_http import is_loopback

_TIMEOUT_SECS, _LOOK_SECS = 10.0, 1.0
_FIRST_PAUSE_SECS, _LAST_PAUSE_SECS = 1.0, 60.0
_MOST_TEXT = 500
_log = logging.getLogger(__name__)


class Told(msgspec.Struct, frozen=True):
    """What is sent. at: unix seconds. began, ended: names, since what was last taken. alarms: all that there are now,
    in a line each, by name.
    """

    node: str
    at: int
    began: list[str]
    ended: list[str]
    alarms: dict[str, str]


def check_url(url: str) -> str:
    """Raises ConfigError."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ConfigError(f"--alarm-url: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(f"--alarm-url: {url!r} is not an http or https URL")
    return url


class Webhook:
    """alarms: those that there are, in one line each, by name; asked again and again."""

    def __init__(self, url: str, node: str, alarms: Callable[[], Mapping[str, str]]) -> None:
        self._url, self._node, self._alarms = url, node, alarms

    async def run(self) -> None:
        """Until it is cancelled."""
        taken: frozenset[str] = frozenset()
        pause = _FIRST_PAUSE_SECS
        async with httpx2.AsyncClient(timeout=_TIMEOUT_SECS, trust_env=not is_loopback(self._url)) as http:
            while True:
                # By name: the text of one that goes on may change every second.
                now = self._alarms()
                if now.keys() == taken:
                    await asyncio.sleep(_LOOK_SECS)
                elif await self._post(http, taken, now):
                    taken, pause = frozenset(now), _FIRST_PAUSE_SECS
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LAST_PAUSE_SECS)

    async def _post(self, http: httpx2.AsyncClient, before: frozenset[str], now: Mapping[str, str]) -> bool:
        """Whether it was taken. Of the answer nothing but its status is read."""
        began, ended = sorted(now.keys() - before), sorted(before - now.keys())
        told = Told(self._node, int(time.time()), began, ended, {name: text[:_MOST_TEXT] for name, text in now.items()})
        headers = {"content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(_TIMEOUT_SECS),
                http.stream("POST", self._url, content=msgspec.json.encode(told), headers=headers) as answer,
            ):
                if answer.is_success:
                    return True
                said = f"HTTP {answer.status_code}"
        except (httpx2.HTTPError, httpx2.StreamError, OSError, TimeoutError) as error:
            said = reason_of(error)
        _log.info("alarms are told later: %s", said, extra={"action": "webhook_later"})
        return False
