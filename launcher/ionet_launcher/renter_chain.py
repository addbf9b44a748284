"""What the launcher does on the chain with the renter's wallet, where it has it: end a lease, book another node."""

from __future__ import annotations

from collections.abc import Iterable

from ionet import addresses
from ionet.booking import read_nodes
from ionet.client import Client
from ionet.generated.accounts import Cluster, Node
from ionet.generated.enums import Currency, LeaseStatus
from ionet.lease_view import NONE, LeaseView
from solders.pubkey import Pubkey

# Nodes that are read in the search for a spare one.
_MOST_SPARES = 1_000


class RenterChain:
    """Acts through `client`, whose wallet is the renter. Everything raises IonetError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def address(self) -> Pubkey:
        return self._client.address

    async def spare(
        self, lost: Pubkey, cluster: Cluster, duration: int, max_price: int, nodes: Iterable[Pubkey]
    ) -> tuple[Pubkey, Pubkey] | None:
        """The cheapest of these nodes that can take a lost one's place, and the address of its next lease.

        It is free, of the same model and size, takes the currency and the duration, and asks no more than `max_price`.
        """
        keys = [lost, *nodes][: _MOST_SPARES + 1]
        before, *found = await read_nodes(self._client, keys)
        if before is None or cluster.currency == Currency.IO:
            return None  # in IO, what was paid says nothing about what is asked

        def fits(node: Node) -> bool:
            same = (node.model, node.processors) == (before.model, before.processors)
            free = node.current_lease == NONE and node.flags == 0 and node.price <= max_price
            takes = node.currencies & cluster.currency != 0 and node.min_duration <= duration <= node.max_duration
            return same and free and takes

        fitting = [(node.price, key, node) for key, node in zip(keys[1:], found, strict=True) if node and fits(node)]
        if not fitting:
            return None
        _, key, node = min(fitting, key=lambda one: one[0])
        return key, addresses.lease(self._client.program.id, key, node.next_lease_number)

    async def end(self, lease: LeaseView) -> None:
        """Give up a lease: its budget is free for another, and what the node served is paid as ever."""
        if lease.status == LeaseStatus.ACTIVE:
            await self._client.lease.end(lease.address)
        elif lease.status == LeaseStatus.READY:
            await self._client.lease.reject_ready(lease.address)

    async def cancel(self, lease: LeaseView) -> None:
        """End a lease whose node was not ready, or not accepted, in time."""
        await self._client.lease.cancel(lease.address)

    async def book(self, cluster: Pubkey, node: Pubkey, duration: int, max_price: int) -> None:
        await self._client.cluster.add_lease(cluster, node, duration=duration, max_price=max_price)
