"""Free port ranges below the ephemeral ones, so that test runs beside each other do not meet."""

from __future__ import annotations

import random
import socket


def free_range(count: int) -> range:
    """`count` ports in a row on which nothing of this machine listens now."""
    for _ in range(100):
        ports = range(start := random.randrange(20_000, 31_000), start + count)
        if all(_is_free(port) for port in ports):
            return ports
    raise RuntimeError("no free range of ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
