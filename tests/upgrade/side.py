"""What one version's client, indexer and launcher do, in a process that has only its packages.

    PYTHONPATH=TREE python side.py RPC_URL

Reads one JSON object a line, {"do": NAME, ...}, and answers each with one.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import ionet
import ionet_indexer
import ionet_launcher
import msgspec
from ionet.client import Client
from ionet.generated.accounts import Cluster, Lease
from ionet.plan import Plan
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner
from ionet_indexer.core.reader import Reader
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.reconcile import reconcile
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.store import Store, migrate
from solders.keypair import Keypair
from solders.pubkey import Pubkey

WALLETS = ("admin", "renter", "stranger", "session")
Answer = dict[str, Any]


def key(name: str) -> Keypair:
    """As market.py has them."""
    return Keypair.from_seed(hashlib.sha256(name.encode()).digest())


class Side:
    """One version at work."""

    def __init__(self, url: str, clients: dict[str, Client]) -> None:
        self._url, self._clients = url, clients

    def _of(self, role: str) -> Client:
        return self._clients[role]

    async def _sent(self, plan: Plan) -> Answer:
        """Events of the receipt by name; those that this version does not know are not in it."""
        receipt = await plan
        return {type(each.event).__name__: PROGRAM.codec.show(each.event) for each in receipt.events}

    # -- the client

    async def where(self) -> Answer:
        """Which packages these are, and which events the program is known to record."""
        folders = {Path(str(package.__file__)).parent.parent for package in (ionet, ionet_indexer, ionet_launcher)}
        return {"folders": sorted(map(str, folders)), "events": [item.name for item in PROGRAM.codec.idl.events]}

    async def ready(self, lease: str, device: str) -> Answer:
        return await self._sent(self._of("admin").lease.mark_ready(Pubkey.from_string(lease), signer(device)))

    async def prove(self, lease: str, device: str, interval: int, served: int) -> Answer:
        address = Pubkey.from_string(lease)
        found = await self._of("admin").lease.get(address)
        root = hashlib.sha256(f"{lease} {interval}".encode()).digest()
        plan = self._of("admin").lease.append_proof(
            address,
            signer(device),
            node=found.node,
            interval=interval,
            served_secs=served,
            root=root,
            gpu_ms=served * 1_000,
        )
        return await self._sent(plan)

    async def end(self, lease: str) -> Answer:
        return await self._sent(self._of("renter").lease.end(Pubkey.from_string(lease)))

    async def settle(self, lease: str) -> Answer:
        return await self._sent(self._of("stranger").lease.settle(Pubkey.from_string(lease)))

    async def close(self, lease: str) -> Answer:
        return await self._sent(self._of("stranger").lease.close(Pubkey.from_string(lease)))

    async def close_cluster(self, cluster: str) -> Answer:
        return await self._sent(self._of("renter").cluster.close(Pubkey.from_string(cluster)))

    async def lease(self, lease: str) -> Answer:
        """Every field of a lease that this version knows."""
        return PROGRAM.codec.show(await self._of("stranger").lease.get(Pubkey.from_string(lease)))

    async def leases(self, cluster: str) -> Answer:
        """The leases of a cluster, found by a filter on a field."""
        found = await self._of("stranger").fetch_all(Lease, cluster=Pubkey.from_string(cluster))
        return {str(address): PROGRAM.codec.show(lease) for address, lease in found}

    async def proofs(self, lease: str) -> Answer:
        """The proof chain, read from the history and checked against the lease."""
        found = await self._of("stranger").lease.proofs(Pubkey.from_string(lease))
        return {"intervals": [proof.interval for proof in found]}

    # -- the indexer

    async def index(self, dsn: str) -> Answer:
        """Follow the chain to its head in this database, rebuilding it first if that is due; compare with accounts."""
        source = RpcSource(self._url, str(PROGRAM.id))
        try:
            async with Writer.open(dsn) as writer:
                assert await writer.take_lock()
                start = await writer.start(await source.genesis(), str(PROGRAM.id))
                pipeline = Pipeline(writer, PROGRAM.codec)
                rebuilt = await pipeline.rebuild() if await pipeline.is_due() else 0
                ingest = Ingest(source, writer, pipeline, start)
                fresh = await ingest.run_once()
                unread = len(await writer.unread(PROGRAM.codec))
                following = asyncio.create_task(ingest.run(asyncio.Event(), 0.05))
                async with Reader.open(dsn) as reader:
                    drift = await reconcile(reader, source, PROGRAM.codec)
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        finally:
            await source.close()
        return {"rebuilt": rebuilt, "fresh": fresh, "unread": unread, "drift": [str(each) for each in drift]}

    # -- the launcher

    async def plan(self, dsn: str) -> Answer:
        """What the launcher takes up from the indexer's tables, and what it sees of it on the chain."""
        session = self._of("session")
        async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
            async with pool.acquire() as connection:
                await migrate(connection)
            store = Store(pool, str(session.address))
            planned = await store.plan()
            due = await store.claim(1)
            if not due:
                return {"planned": planned, "cluster": None, "live": {}}
            [work] = due
            await work.release()
            names, address = work.row.leases, Pubkey.from_string(work.row.cluster)
        view = await SessionChain(session).cluster(address, [Pubkey.from_string(name) for name in names])
        assert view is not None
        assert view.is_named(session.address)
        live = {str(lease.address): lease.status for lease in view.live()}
        return {"planned": planned, "cluster": str(address), "live": live}

    async def accept(self, cluster: str, lease: str) -> Answer:
        """Start a lease's meter as the launcher does it, by the session key."""
        chain, address = SessionChain(self._of("session")), Pubkey.from_string(lease)
        view = await chain.cluster(Pubkey.from_string(cluster), [address])
        assert view is not None
        await chain.accept(view.leases)
        found = await self._of("session").fetch(Cluster, Pubkey.from_string(cluster))
        return {"head": str(found.head_lease)}

    async def approve(self, cluster: str, lease: str, through: int) -> Answer:
        chain, address = SessionChain(self._of("session")), Pubkey.from_string(lease)
        view = await chain.cluster(Pubkey.from_string(cluster), [address])
        assert view is not None
        await chain.approve(view.leases[0], through)
        return {}


def signer(name: str) -> KeypairSigner:
    return KeypairSigner(key(name))


async def main(url: str) -> None:
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(Client(url, key(name))) for name in WALLETS}
        side = Side(url, clients)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked: dict[str, Any] = msgspec.json.decode(line)
            act: Callable[..., Awaitable[Answer]] = getattr(side, asked.pop("do"))
            print(msgspec.json.encode(await act(**asked)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
