"""Less often looking for cycles, where many objects are made and none of them are part of one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (20_000, 20, 20)


@contextmanager
def rarely_collected() -> Iterator[None]:
    """What was there before is left alone inside, and what is made there is looked through thirty times less often.

    It was a sixth of what reading and folding a history costs Python. Objects that nobody refers to are freed as ever.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
