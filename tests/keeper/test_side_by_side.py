"""Keepers in their own loops and in their own processes: waste, kills, trouble with RPC nodes."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from client.cli.conftest import IONET
from ionet.patient_http import PatientClient
from ionet.tending.nodes import Nodes
from ionet.wallet import write_keypair
from ionet_keeper.keeper import Keeper
from ionet_localnet import Localnet, LocalnetConfig
from ionet_localnet.faults import FaultConfig, FaultPlan
from keeper.stage import SOL, WALLETS, config, count, keeper, keepers, left, settled
from market import Market, key, market
from solders.keypair import Keypair

BOOKED = 12


async def overdue(built: Market) -> None:
    """Bookings that nobody answered in time, and nobody has cancelled yet."""
    machines = [await built.add_machine(str(number)) for number in range(BOOKED)]
    cluster = await built.open_cluster(10_000 * 10**6)
    for machine in machines:
        await built.book(cluster, machine)
    params = (await built.admin.network.get()).params
    built.pass_time(params.ready_deadline_secs - 5)


@asynccontextmanager
async def running(some: list[Keeper]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one.run(stop)) for one in some]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until_closed(built: Market, secs: float) -> None:
    deadline = time.monotonic() + secs
    while (found := await left(built))["Lease"]:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)


def outcomes(some: list[Keeper]) -> Counter[str]:
    """How many actions came to what, all keepers together."""
    found: Counter[str] = Counter()
    for one in some:
        for metric in one.metrics.actions.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total") and sample.labels["action"] != "refresh_price":
                    found[sample.labels["outcome"]] += int(sample.value)
    return found


async def test_who_comes_later_sees_that_it_is_done() -> None:
    """Three keepers with a window: each thing is done once, little is tried in vain, and nothing of it is paid for."""
    async with market() as built:
        await overdue(built)
        async with keepers(built, 3, window=15.0, idle_secs=0.5, busy_secs=0.2) as some:
            async with running(some):
                await until_closed(built, 120)
            found = outcomes(some)
            assert found["done"] >= 2 * BOOKED
            assert found["wasted"] == found["refused"] == found["expired"] == 0
            # Without a window each of the other two would try everything, 48 times in all.
            assert found["raced"] <= BOOKED, found
            landed = sum(one.metrics.transactions._value.get() for one in some)
            assert landed <= found["done"]


async def test_idle_it_asks_little() -> None:
    asked: Counter[str] = Counter()
    send = PatientClient.send

    async def counted(self: PatientClient, request: Any, **more: Any) -> Any:
        asked[request.url.host] += 1
        return await send(self, request, **more)

    async with market() as built, keeper(built, idle_secs=10.0) as one:
        await settled([one])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PatientClient, "send", counted)
            for _ in range(6):
                await one.round()
        # A minute: six looks at the history and at the time, a balance now and then.
        assert one._pause() <= 10.0
        assert sum(asked.values()) <= 14, asked


async def test_killed_at_any_moment_it_starts_from_the_chain(tmp_path: Path) -> None:
    wallet, owner = tmp_path / "keeper.json", Keypair()
    write_keypair(wallet, owner)
    draw = random.Random(7)
    async with market() as built:
        await overdue(built)
        await built.stranger.rpc.airdrop(owner.pubkey(), 10 * SOL)
        built.pass_time(10)
        command = [*IONET, "--url", built.net.rpc_url, "keeper", "run", "--keypair", str(wallet)]
        command += ["--port", "0", "--window", "2", "--poll-secs", "0.3", "--json"]
        kills = 0
        deadline = time.monotonic() + 200
        while (await left(built))["Lease"]:
            assert time.monotonic() < deadline
            process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert process.stdout is not None
            await process.stdout.readline()
            with suppress(TimeoutError):
                # Longer each time, so that it comes to its end however slow the machine is.
                async with asyncio.timeout(draw.uniform(0.5, 1.5) * 1.5**kills):
                    await until_closed(built, 60)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            kills += 1
        assert kills >= 2
        cancelled = [node for _, node in await built.stranger.node.all() if node.promises_broken_at[0]]
        assert len(cancelled) == BOOKED
        assert not any(node.promises_broken_at[1] for node in cancelled)


async def test_transactions_that_get_lost_are_sent_again() -> None:
    async with market() as built:
        await overdue(built)
        built.pass_time(10)
        built.net.node.faults = FaultPlan(FaultConfig(drop=0.3, duplicate=0.3, delay=0.3, seed=3))
        async with keepers(built, 2, window=2.0, idle_secs=0.5, busy_secs=0.2) as some:
            async with running(some):
                await until_closed(built, 200)
            assert outcomes(some)["done"] >= 2 * BOOKED


async def test_another_rpc_node_is_asked_when_one_is_gone() -> None:
    """The one it starts with does not answer; later the other one is as good as gone for a while."""
    async with market() as built:
        await overdue(built)
        built.pass_time(10)
        async with keeper(built, urls=("http://127.0.0.1:9", built.net.rpc_url)) as one, running([one]):
            await until_closed(built, 60)
            assert one.trouble() is None
            assert one.metrics.rpc_errors._value.get() >= 1


async def test_another_rpc_node_is_asked_when_one_stands_still() -> None:
    async with market() as built, Localnet(LocalnetConfig(slot_ms=3_600_000)) as still:
        told = config(built, urls=(still.rpc_url, built.net.rpc_url))
        clock = [0.0]
        async with Nodes(told.urls, None, 0, clock=lambda: clock[0]) as nodes:
            assert nodes.note_slot(5)
            clock[0] = 15.0
            assert nodes.note_slot(5)
            clock[0] = 21.0
            assert not nodes.note_slot(5)
            assert nodes.client.rpc.url == built.net.rpc_url
            assert nodes.note_slot(1_000)


async def test_no_answer_is_not_too_little_sol() -> None:
    async with market() as built, keeper(built, urls=("http://127.0.0.1:9",)) as one:
        async with running([one]):
            await asyncio.sleep(1.0)
        assert not one.paused
        assert one.purse.balance is None
    assert key(WALLETS[0])


async def test_with_too_little_sol_it_watches_and_goes_on_when_there_is_some() -> None:
    async with market() as built:
        await overdue(built)
        built.pass_time(10)
        poor = config(built).limits
        async with keeper(built, limits=type(poor)(hourly=SOL, floor=100 * SOL)) as one:
            assert one.low is None
            assert not await settled([one])
            assert one.paused
            assert "only watching" in str(one.trouble())
            assert one.agenda.counts["lease"] == BOOKED
            await built.stranger.rpc.airdrop(key(WALLETS[0]).pubkey(), 200 * SOL)
            one._asked_at = -1e9
            assert count(await settled([one]))["cancel_lease"] == BOOKED
            assert one.trouble() is None
