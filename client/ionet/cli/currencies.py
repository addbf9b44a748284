"""Which currency the amounts of an event are in: that of its cluster, which events do not repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ionet.errors import RpcError
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.enums import Currency
from ionet.generated.events import ClusterClosed, ClusterOpened
from ionet.words import word, words

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.client import Client


class Currencies:
    """Asks the chain once for each cluster, lease and mint."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[Pubkey, str | None] = {}

    async def of(self, event: Any) -> str | None:
        """The word for the currency, None where none is known."""
        if isinstance(event, ClusterOpened):
            return word(Currency, event.currency)
        for name in ("cluster", "mint", "lease"):
            key = getattr(event, name, None)
            if key is None:
                continue
            if key not in self._known:
                try:
                    self._known[key] = await self._found(name, key, event)
                except RpcError:
                    self._known[key] = None
            if self._known[key] is not None:
                return self._known[key]
        return None

    async def _found(self, name: str, key: Pubkey, event: Any) -> str | None:
        if name == "mint":
            for currency in words(Currency):
                if await self._client.network.mint(currency) == key:
                    return currency
            return None
        account: Cluster | Lease | None = await self._client.find(Cluster, key) if name == "cluster" else None
        if name == "lease":
            account = await self._client.find(Lease, key)
        if account is not None:
            return word(Currency, account.currency)
        if isinstance(event, ClusterClosed):
            for earlier in await self._client.recent_events(key, 256):
                if isinstance(earlier, ClusterOpened):
                    return word(Currency, earlier.currency)
        return None
