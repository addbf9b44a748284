"""What is wrong now, one line for each part of the agent: said in the log when it begins and ends, and in the status.

Nothing that happens to a disk, a database or an RPC node is a reason for an agent to end, or for one part of it to stop
another: it is an alarm, and the next round tries again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from types import TracebackType

from ionet.errors import IonetError, reason_of

TROUBLE = (IonetError, OSError, sqlite3.Error)
_log = logging.getLogger(__name__)


class Alarms:
    """The alarms of one process, by name; and those of another that it was told of."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def texts(self) -> tuple[str, ...]:
        """Every alarm in one line."""
        return tuple(f"{name}: {text}" for name, text in sorted(self.all().items()))

    def all(self) -> dict[str, str]:
        """By name, those of the other process too."""
        return {**self._told, **self._own}

    @property
    def own(self) -> Mapping[str, str]:
        return self._own

    def tell(self, alarms: Mapping[str, str]) -> None:
        """These are the alarms of the other process now."""
        self._told = dict(alarms)

    def ring(self, name: str, text: str) -> None:
        if name not in self._own:
            _log.error("alarm: %s: %s", name, text, extra={"action": "alarm"})
        self._own[name] = text

    def end(self, name: str) -> None:
        if self._own.pop(name, None) is not None:
            _log.warning("alarm over: %s", name, extra={"action": "alarm_over"})

    def put(self, name: str, text: str | None) -> None:
        """Ring, or end when there is nothing to say."""
        if text is None:
            self.end(name)
        else:
            self.ring(name, text)

    def guard(self, name: str, *more: type[Exception]) -> Guard:
        """A block in which trouble becomes an alarm of this name, until the same goes well. more: also to be caught."""
        return Guard(self, name, more)


class Guard:
    """See `Alarms.guard`."""

    def __init__(self, alarms: Alarms, name: str, more: tuple[type[Exception], ...]) -> None:
        self._alarms, self._name, self._caught = alarms, name, (*TROUBLE, *more)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and isinstance(error, self._caught):
            if not isinstance(error, TROUBLE) and self._name not in self._alarms.own:
                _log.error("an error nobody expected", exc_info=error, extra={"action": "unexpected"})
            self._alarms.ring(self._name, reason_of(error))
            return True
        if error is None:
            self._alarms.end(self._name)
        return False
