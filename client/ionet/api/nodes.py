"""Nodes that could be rented now."""

from __future__ import annotations

from ionet.api.base import RoleApi
from ionet.api.network import NetworkApi
from ionet.node_search import Found, search
from ionet.wish import DEFAULT_CURRENCY, model_of, wished

DEFAULT_API = "http://127.0.0.1:8080"


class NodesApi(RoleApi):
    async def search(
        self,
        gpu: str,
        *,
        nodes: int = 1,
        hours: float | str = 1,
        max_price: float | str | None = None,
        country: str | None = None,
        min_score: float | None = None,
        isolation: str | None = None,
        gpu_memory: float | str | None = None,
        max_latency: float | None = None,
        currency: str = DEFAULT_CURRENCY,
        api: str = DEFAULT_API,
    ) -> Found:
        """Nodes that fit, the cheapest first, and how many each filter removed: what `ionet run --explain` finds.

        gpu: `H100` or `H100:8`, of each node. hours: a number, or `90m`. max_price: dollars per processor-hour.
        country: ISO letters, several with commas. min_score: from 0 to 1. isolation: the weakest level that will do.
        gpu_memory: GB (10^9 bytes) of each GPU. max_latency: milliseconds there and back, which are measured from here.
        api: URL of an indexer, which can hide nodes; a booking takes their price from the chain. Raises InvalidInput,
        ApiError.
        """
        models = await NetworkApi(self._chain).model_names()
        asked = wished(
            *model_of(models, gpu),
            nodes=nodes,
            hours=hours,
            max_price=max_price,
            country=country,
            min_score=min_score,
            isolation=isolation,
            gpu_memory=gpu_memory,
            max_latency=max_latency,
            currency=currency,
        )
        return await search(api, asked)
