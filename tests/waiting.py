"""Waiting for a state, bounded so that a test that waits in vain says what for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WITHIN_SECS = 90


async def until(holds: Callable[[], object], what: str, within: float = WITHIN_SECS) -> None:
    """Wait for a condition, a plain one or a coroutine's."""
    deadline = time.monotonic() + within
    while True:
        found = holds()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < deadline, f"not in {within} s: {what}"
        await asyncio.sleep(0.05)
