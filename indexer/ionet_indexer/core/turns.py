"""Long work a little at a time: while Python works on a batch, the statements that save another go on in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 50
"""Transactions or events that are worked on before others get their turn, about a millisecond."""


async def in_turns(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """All items in slices, in order."""
    for at in range(0, len(items), AT_ONCE):
        yield items[at : at + AT_ONCE]
        await asyncio.sleep(0)
