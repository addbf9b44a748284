"""The chain's clock as a caller of an agent knows it: this machine's, corrected by the date that an agent stated."""

from __future__ import annotations

import logging
import time
from email.utils import parsedate_to_datetime

WARN_SECS = 15
"""A machine's clock that differs from the chain's by more than this is worth a warning."""
_LATEST = 2**40
_log = logging.getLogger(__name__)


class AgentClock:
    """Starts as this machine's clock.

    An agent may state any date. It learns nothing by that: what is signed with it is good for that agent's node alone,
    which has the request anyway.
    """

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self._ahead

    def learn(self, date: str) -> bool:
        """Take over the date of an answer; False when it is not one."""
        try:
            stated = parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            return False
        if not 0 < stated < _LATEST:
            return False  # nothing can be signed for it
        self._ahead = stated - time.time()
        if abs(self._ahead) > WARN_SECS:
            _log.warning(skew_text(-self._ahead), extra={"action": "clock_skewed"})
        return True


def skew_text(ahead: float) -> str:
    """How far this machine's clock is ahead of the chain's (seconds; negative is behind), for people."""
    return f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the chain's"
