"""Tells the owner of a node which alarms begin and end: JSON to a URL of theirs. Nothing waits for it.

What is told is the difference to what was last taken, so an owner's server that is down for a while hears how it stands
then, and an alarm that came and went meanwhile is in the log alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import msgspec
from ionet.webhooks import why_not_taken

_LOOK_SECS = 1.0
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


class Webhook:
    """alarms: those that there are, in one line each, by name; asked again and again."""

    def __init__(self, url: str, node: str, alarms: Callable[[], Mapping[str, str]]) -> None:
        self._url, self._node, self._alarms = url, node, alarms

    async def run(self) -> None:
        """Until it is cancelled."""
        taken: frozenset[str] = frozenset()
        pause = _FIRST_PAUSE_SECS
        while True:
            # By name: the text of one that goes on may change every second.
            now = self._alarms()
            if now.keys() == taken:
                await asyncio.sleep(_LOOK_SECS)
            elif await self._post(taken, now):
                taken, pause = frozenset(now), _FIRST_PAUSE_SECS
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LAST_PAUSE_SECS)

    async def _post(self, before: frozenset[str], now: Mapping[str, str]) -> bool:
        """Whether it was taken."""
        began, ended = sorted(now.keys() - before), sorted(before - now.keys())
        told = Told(self._node, int(time.time()), began, ended, {name: text[:_MOST_TEXT] for name, text in now.items()})
        why = await why_not_taken(self._url, msgspec.json.encode(told))
        if why is not None:
            _log.info("alarms are told later: %s", why, extra={"action": "webhook_later"})
        return why is None
