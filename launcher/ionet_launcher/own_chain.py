"""A renter's own clusters and leases, from the chain alone: what `lease_work` is to a launcher with a database."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import msgspec
from ionet.client import Client
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, DeviceModel, Lease, Node
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import LeaseReady
from solders.pubkey import Pubkey

from ionet_launcher.keeping import Booked

# Between two looks for clusters that nobody has named, by all accounts of the program.
_ALL_SECS = 60.0
# Anyone may name a lease in a transaction: what is behind this many is not looked for.
_MOST_TRANSACTIONS = 256
LIVE = (LeaseStatus.BOOKED, LeaseStatus.READY, LeaseStatus.ACTIVE)


class Seen(msgspec.Struct, frozen=True):
    """A cluster, and its leases by address."""

    cluster: Cluster
    leases: dict[Pubkey, Lease]

    @property
    def live(self) -> list[Lease]:
        return [lease for lease in self.leases.values() if lease.status in LIVE]


class OwnChain:
    """Clusters that name the wallet of `client`, the session key. Everything raises IonetError."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[Pubkey, Seen] = {}
        self._all_at = -_ALL_SECS
        self._hashes: dict[str, str] = {}

    async def look(self, named: Iterable[Pubkey]) -> dict[Pubkey, Seen]:
        """All of them now. named: clusters that are known to be some, before the next look at everything.

        Two calls where nothing is booked: the leases of a cluster are listed only when something happened to it.
        """
        keys = {*self._seen, *named}
        if time.monotonic() - self._all_at >= _ALL_SECS:
            keys |= {key for key, _ in await self._client.cluster.all(session_key=self._client.address)}
            self._all_at = time.monotonic()
        order = list(keys)
        now = dict(zip(order, await self._client.fetch_many(Cluster, order), strict=True))
        ours = {key: one for key, one in now.items() if one is not None and one.session_key == self._client.address}
        known = {key: await self._leases(key, one) for key, one in ours.items()}
        self._seen = {key: Seen(one, known[key]) for key, one in ours.items()}
        return self._seen

    async def _leases(self, key: Pubkey, cluster: Cluster) -> dict[Pubkey, Lease]:
        before = self._seen.get(key)
        if before is None or before.cluster.seq != cluster.seq:
            return dict(await self._client.lease.all(cluster=key))
        order = list(before.leases)
        found = await self._client.fetch_many(Lease, order) if order else []
        return {name: lease for name, lease in zip(order, found, strict=True) if lease is not None}

    async def booked(self, leases: Sequence[str]) -> dict[str, Booked]:
        """The hash of each node's report, from the event of its readiness, and what its model must reach."""
        found = {}
        for name in leases:
            lease = await self._client.find(Lease, Pubkey.from_string(name))
            if lease is None:
                continue
            node = await self._client.fetch(Node, lease.node)
            model = await self._client.fetch(DeviceModel, pdas.model(self._client.program.id, node.model))
            found[name] = Booked(await self._report_hash(name), model.throughput)
        return found

    async def _report_hash(self, name: str) -> str | None:
        if name not in self._hashes:
            for event in await self._client.recent_events(Pubkey.from_string(name), _MOST_TRANSACTIONS):
                if isinstance(event, LeaseReady) and str(event.lease) == name:
                    self._hashes[name] = event.report_hash.hex()
                    break
        return self._hashes.get(name)
