"""Days, in UTC."""

from __future__ import annotations

DAY = 86_400  # seconds


def start_of(time: int) -> int:
    """The first second of a time's day."""
    return time - time % DAY
