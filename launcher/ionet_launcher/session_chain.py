"""The launcher's side of the chain: reads clusters, and acts with the session key that they name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from ionet.client import Client
from ionet.errors import InstructionFailed
from ionet.executor import Bulk, Stopped, Verdict
from ionet.generated.accounts import Cluster
from ionet.lease_view import MAX_KEYS, LeaseView, Reader
from ionet.rules.lease_time import runs_at
from solders.pubkey import Pubkey

_READS_AT_ONCE = 8


class ClusterView(msgspec.Struct, frozen=True):
    """A cluster at one slot. `leases`: those of the asked addresses that exist and belong to it."""

    now: int
    cluster: Cluster
    leases: list[LeaseView]

    def is_named(self, session: Pubkey) -> bool:
        """Whether the cluster names this session key, and it has not expired."""
        return self.cluster.session_key == session and self.now < self.cluster.session_expires_at

    def live(self) -> list[LeaseView]:
        """Leases whose node has to be up, the head first.

        Where none was accepted yet, the first of them is the one to become it: always the same while it lives.
        """
        running = (lease for lease in self.leases if runs_at(lease, self.now))
        return sorted(running, key=lambda lease: (not lease.is_head, bytes(lease.address)))


class SessionChain:
    """Reads and acts through `client`, whose wallet is the session key. Everything raises IonetError."""

    def __init__(self, client: Client) -> None:
        self._client, self._reader = client, Reader(client)

    async def cluster(self, address: Pubkey, leases: Sequence[Pubkey]) -> ClusterView | None:
        """The cluster as the chain has it now, None when it does not exist."""
        size = MAX_KEYS - 1
        chunks = [leases[start : start + size] for start in range(0, max(len(leases), 1), size)]
        places = asyncio.Semaphore(_READS_AT_ONCE)

        async def read(chunk: Sequence[Pubkey]) -> ClusterView | None:
            async with places:
                at, accounts = await self._reader.snapshot([address, *chunk])
            cluster = self._reader.cluster(accounts, address)
            if cluster is None:
                return None
            decoded = [(key, self._reader.lease(accounts, key)) for key in chunk]
            views = [
                LeaseView.of(key, lease, cluster, at)
                for key, lease in decoded
                if lease is not None and lease.cluster == address
            ]
            return ClusterView(at.now, cluster, views)

        parts = await asyncio.gather(*map(read, chunks))
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        newest = max(found, key=lambda part: part.now)
        return msgspec.structs.replace(newest, leases=[lease for part in found for lease in part.leases])

    async def device_keys(self, nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
        """Node → device key, of those that exist."""
        places, found = asyncio.Semaphore(_READS_AT_ONCE), dict[Pubkey, Pubkey]()

        async def read(chunk: Sequence[Pubkey]) -> None:
            async with places:
                _, accounts = await self._reader.snapshot(chunk)
            read = ((key, self._reader.node(accounts, key)) for key in chunk)
            found.update({key: node.device_key for key, node in read if node is not None})

        await asyncio.gather(*(read(nodes[at : at + MAX_KEYS]) for at in range(0, len(nodes), MAX_KEYS)))
        return found

    async def accept(self, leases: Sequence[LeaseView]) -> None:
        """Start these leases' meters, many per transaction. The first refusal is raised once all have been tried."""
        wanted = [
            self._client.program.ix.accept_ready(
                authority=self._client.address,
                cluster=lease.cluster,
                lease=lease.address,
            )
            for lease in leases
        ]

        async def left_out(_position: int, error: InstructionFailed) -> Verdict:
            return error

        try:
            delivery = await Bulk(self._client, wanted, judge=left_out).run()
        except Stopped as stopped:
            raise stopped.cause from None
        for refused in delivery.left_out.values():
            raise refused

    async def reject(self, lease: LeaseView) -> None:
        """Refuse a node that says it is ready."""
        await self._client.lease.reject_ready(lease.address)

    async def approve(self, lease: LeaseView, through: int) -> None:
        """Let the intervals before `through` be paid at once."""
        await self._client.lease.approve(lease.address, through)

    async def dispute(self, lease: LeaseView, first: int, end: int) -> None:
        """Hold the intervals first..end, end excluded."""
        await self._client.lease.dispute(lease.address, first, end)
