"""A machine that falls silent, and comes back."""

from __future__ import annotations

import signal

from ionet_stack.children import Child


def freeze(child: Child) -> None:
    """Make a machine go silent without letting it clean up."""
    child.signal(signal.SIGSTOP)


def thaw(child: Child) -> None:
    """Let it go on, so that it can end in order."""
    child.signal(signal.SIGCONT)
