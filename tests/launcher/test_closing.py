"""Nobody calls a crank: agents settle what they earned, the launcher closes what is over; with a keeper beside them
nothing is done twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import market
import msgspec
import postgres
import pytest
from ionet.agent_api import Role, Spec
from ionet.generated import pdas
from ionet.generated.accounts import Cluster
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ClusterClosed, ClusterOpened, LeaseClosed
from ionet.program import PROGRAM
from ionet.rules.lease_time import final_at, intervals
from ionet.wallet import write_keypair
from ionet_agent import processes
from ionet_agent.providers.beside import Record
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import SESSION, Command, Stack, stack, until
from solders.pubkey import Pubkey
from solders.signature import Signature

KEEPER = market.key("keeper of test_closing")
# Three intervals.
DURATION = 9
WITHIN_SECS = 180
# What ends a lease and a cluster that anyone may end.
CRANKS = {"cancel_lease", "report_missed", "end_lease", "settle_lease", "close_lease", "close_cluster"}


async def gone(made: Stack, leases: list[Pubkey]) -> bool:
    return not any([await made.lease(lease) for lease in leases])


async def is_over(made: Stack, leases: list[Pubkey], cluster: Pubkey) -> bool:
    """Whether nothing of it is left on the chain."""
    return await gone(made, leases) and await made.market.renter.find(Cluster, cluster) is None


async def have(made: Stack, leases: list[Pubkey], status: LeaseStatus) -> bool:
    found = [await made.lease(lease) for lease in leases]
    return all(lease is not None and lease.status == status for lease in found)


async def proven(made: Stack, leases: list[Pubkey]) -> bool:
    """Whether the last interval of each is proven, or it is too late for that."""
    now = made.market.net.chain.unix_time
    found = [lease for address in leases if (lease := await made.lease(address)) is not None]
    return all(lease.ring_next >= intervals(lease) or now >= final_at(lease) for lease in found)


async def cranks(made: Stack, accounts: list[Pubkey]) -> Counter[Pubkey]:
    """Transactions with such an instruction that landed, by who paid for them."""
    rpc, found, seen = made.market.renter.rpc, Counter[Pubkey](), set[Signature]()
    for account in accounts:
        async for page in rpc.signatures(account):
            seen |= set(page)
    for signature in seen:
        landed: Any = await rpc.landed_transaction(signature)
        message = landed.transaction.transaction.message
        own = [item for item in message.instructions if message.account_keys[item.program_id_index] == PROGRAM.id]
        if CRANKS & {PROGRAM.codec.decode_args(bytes(item.data)).name for item in own}:
            found[message.account_keys[0]] += 1
    return found


async def booked(made: Stack) -> tuple[Pubkey, list[Pubkey]]:
    """A cluster of the launcher's, whose key has had its time when challenges would be missed."""
    until_then = made.market.net.chain.unix_time + 2
    opening = made.market.renter.cluster.open(
        100 * market.USD, session_key=SESSION.pubkey(), session_expires_at=until_then
    )
    cluster = (await opening).event(ClusterOpened).cluster
    machines = [node.machine for node in made.nodes]
    return cluster, await made.market.book(cluster, *machines, duration=DURATION)


async def live(made: Stack) -> tuple[Pubkey, list[Pubkey], list[LeaseClosed], ClusterClosed]:
    """A cluster from its booking until nothing of it is left. This test is the members: agents see that they live. The
    renter accepts; of what anyone may do, nobody here does anything. The launcher comes when the time is over."""
    await made.launcher.end()
    cluster, leases = await booked(made)
    await until(partial(have, made, leases, LeaseStatus.READY), WITHIN_SECS, "agents are ready")
    for node in made.nodes:
        found = await made.market.renter.lease.all(node=node.machine.address)
        [lease] = [address for address, _ in found if address in leases]
        spec = Spec(str(lease), str(cluster), Role.HEAD, "127.0.97.1:1", 2, "token", "ca", "certificate", "key")
        record = Record(spec, "no-such-tag", 1.0, os.getpid(), processes.start_ticks(os.getpid()))
        (node.base / "ray.json").write_bytes(msgspec.json.encode(record))
        await made.market.renter.lease.accept_ready(lease)
    await until(partial(proven, made, leases), WITHIN_SECS, "all is proven")
    for node in made.nodes:
        (node.base / "ray.json").unlink(missing_ok=True)
    made.launcher.start()
    await made.launcher.ready()
    made.market.pass_time(20)  # nothing can be disputed any more
    await until(partial(gone, made, leases), WITHIN_SECS, "leases are closed")
    made.market.pass_time((await made.market.renter.network.get()).params.idle_close_secs)
    await until(partial(is_over, made, leases, cluster), WITHIN_SECS, "everything is closed")
    closed = [event for event in await made.market.renter.events(cluster) if isinstance(event, LeaseClosed)]
    [end] = [event for event in await made.market.renter.events(cluster) if isinstance(event, ClusterClosed)]
    return cluster, leases, closed, end


async def check_money(made: Stack, before: tuple[int, int], closed: list[LeaseClosed], end: ClusterClosed) -> None:
    """To the unit: what the renter lost is what suppliers got and the network's fees."""
    renter, supplier = await balances(made)
    paid, fees = sum(event.paid for event in closed), sum(event.supplier_fee for event in closed)
    assert paid > 0
    assert supplier - before[1] == paid - fees
    assert before[0] - renter == end.deposit - end.refunded == end.paid + end.fees
    # Of each interval that was proven, every second was paid.
    price = market.PRICE * 2
    assert sum(event.paid for event in closed) == sum(price * event.served_secs // 3_600 for event in closed)


async def balances(made: Stack) -> tuple[int, int]:
    """Of the renter and of the supplier, in IOSD."""
    mint = pdas.iosd_mint(PROGRAM.id)
    tokens = made.market.renter.tokens
    return (
        await tokens.balance(mint, made.market.renter.address),
        await tokens.balance(mint, made.market.admin.address),
    )


@asynccontextmanager
async def keeper(made: Stack, folder: Path) -> AsyncIterator[None]:
    wallet = folder / "keeper.json"
    write_keypair(wallet, KEEPER)
    await made.market.admin.rpc.airdrop(KEEPER.pubkey(), 10**10)
    command = ("--url", made.market.net.rpc_url, "keeper", "run", "--keypair", str(wallet), "--port", "0", "--json")
    process = Command(folder / "keeper.log", *command)
    process.start()
    await process.ready()
    try:
        yield
    finally:
        await process.end()


@pytest.mark.drill
async def test_leases_settle_and_clusters_close_without_a_keeper_and_with_one_nothing_is_done_twice(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with (
        market.market(slot_ms=100, clock_factor=0.5) as founded,
        postgres.database(server) as dsn,
        stack(founded, dsn, tmp_path, 2, tends=True) as made,
    ):
        before = await balances(made)
        cluster, leases, closed, end = await live(made)
        assert {event.lease for event in closed} == set(leases)
        await check_money(made, before, closed, end)
        devices = {machine.device.pubkey() for machine in made.market.machines}
        payers = await cranks(made, [*leases, cluster])
        assert set(payers) <= devices | {SESSION.pubkey()}
        # Each closed with what has to come before it, or settled and closed; and once the cluster.
        assert payers.total() <= 2 * len(leases) + 1, payers

        async with keeper(made, tmp_path):
            before = await balances(made)
            cluster, leases, closed, end = await live(made)
            await check_money(made, before, closed, end)
            payers = await cranks(made, [*leases, cluster])
            assert set(payers) <= devices | {SESSION.pubkey(), KEEPER.pubkey()}
            assert payers.total() <= 2 * len(leases) + 1, payers
