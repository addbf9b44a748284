"""How far nodes are from here before they are booked: the time in which their systems take a connection.

Only of nodes whose agents can be reached directly: what a relay takes says nothing of the way beyond it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence

from solders.pubkey import Pubkey

from ionet.advert import NotAdvertised, find_places

_TIMES, _CONNECT_SECS, _ALL_SECS = 5, 1.0, 4.0


async def measure(api: str, nodes: Sequence[Pubkey]) -> Mapping[Pubkey, float]:
    """Milliseconds there and back, the median of five, of those that the indexer at `api` gives an endpoint of.

    Nodes that do not answer, or of which nothing is known within four seconds, are missing.
    """
    tasks = {node: asyncio.create_task(_node(api, node)) for node in dict.fromkeys(nodes)}
    if not tasks:
        return {}
    _, late = await asyncio.wait(tasks.values(), timeout=_ALL_SECS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return {node: took for node, task in tasks.items() if not task.cancelled() and (took := task.result()) is not None}


async def _node(api: str, node: Pubkey) -> float | None:
    try:
        endpoints, _ = await find_places(api, node)
        return await _endpoint(endpoints[0]) if endpoints else None
    except (NotAdvertised, OSError, TimeoutError):
        return None


async def _endpoint(place: str) -> float:
    """Raises OSError, TimeoutError."""
    host, _, port = place.rpartition(":")
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        async with asyncio.timeout(_CONNECT_SECS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        took.append((time.perf_counter() - began) * 1000)
        writer.transport.abort()
    return statistics.median(took)
