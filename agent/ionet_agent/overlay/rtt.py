"""How far peers are: rtt.py ADDRESS... prints the milliseconds of each that answers, as JSON, run inside the network.

A refused connection is an answer. All are asked at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import time

_PORT = 9  # nobody listens there, and the peer's system says so
_TIMES, _SECS = 5, 3.0


async def measure(address: str) -> float | None:
    """The median, in milliseconds; None when there is no answer."""
    took = []
    try:
        for _ in range(_TIMES):
            began = time.perf_counter()
            async with asyncio.timeout(_SECS):
                with contextlib.suppress(ConnectionRefusedError):
                    _, writer = await asyncio.open_connection(address, _PORT)
                    writer.transport.abort()
            took.append((time.perf_counter() - began) * 1000)
    except (OSError, TimeoutError):
        return None
    return statistics.median(took)


async def main(*addresses: str) -> None:
    """Print the latencies of those that answer."""
    found = await asyncio.gather(*map(measure, addresses))
    print(json.dumps({address: took for address, took in zip(addresses, found, strict=True) if took is not None}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
