"""How far a peer is: rtt.py ADDRESS prints milliseconds, run inside the network. A refused connection is an answer."""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import time

_PORT = 9  # nobody listens there, and the peer's system says so
_TIMES, _SECS = 5, 3.0


def measure(address: str) -> float:
    """The median, in milliseconds. Raises OSError when there is no answer."""
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection((address, _PORT), _SECS).close()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


if __name__ == "__main__":
    try:
        print(measure(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))
