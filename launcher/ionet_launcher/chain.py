"""The launcher's side of the chain: reads a cluster, accepts readiness with the session key."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from ionet.client import Client
from solders.pubkey import Pubkey

from ionet_launcher.chain_view import MAX_KEYS, Reader, lease_view
from ionet_launcher.lease import LeaseView


class ClusterView(msgspec.Struct, frozen=True):
    """A cluster at one slot. `leases`: those of the asked addresses that exist and belong to it."""

    now: int
    session_key: Pubkey
    session_expires_at: int
    head_lease: Pubkey
    leases: list[LeaseView]

    def live(self) -> list[LeaseView]:
        """Leases whose node has to be up, the head first."""
        return sorted((lease for lease in self.leases if lease.runs_at(self.now)), key=lambda lease: not lease.is_head)


class LauncherChain:
    """Reads and acts through `client`, whose wallet is the session key. Everything raises IonetError."""

    def __init__(self, client: Client) -> None:
        self._client, self._reader = client, Reader(client)

    async def cluster(self, address: Pubkey, leases: Sequence[Pubkey]) -> ClusterView | None:
        """The cluster as the chain has it now, None when it does not exist."""
        found = []
        cluster = None
        now = 0
        for start in range(0, max(len(leases), 1), MAX_KEYS - 1):
            chunk = leases[start : start + MAX_KEYS - 1]
            now, _, accounts = await self._reader.snapshot([address, *chunk])
            cluster = self._reader.cluster(accounts, address)
            if cluster is None:
                return None
            decoded = [(key, self._reader.lease(accounts, key)) for key in chunk]
            found += [
                lease_view(key, lease, cluster)
                for key, lease in decoded
                if lease is not None and lease.cluster == address
            ]
        if cluster is None:
            return None
        return ClusterView(now, cluster.session_key, cluster.session_expires_at, cluster.head_lease, found)

    async def accept(self, lease: LeaseView) -> None:
        """Start the lease's meter."""
        await self._client.lease.accept_ready(lease.address)
