"""`ionet cluster status` and `--watch`: what a renter sees without anybody's key. Chain, database, API are real."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import market
import postgres
from ionet.generated.events import ClusterOpened
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_launcher.keeping import Move
from ionet_launcher.phases import ClusterPhase, Reason
from ionet_launcher.store import Store, open_pool
from launcher.ports import free_range
from launcher.test_api_process import prepare, serving
from launcher.test_store import work
from leases import SESSION
from solders.pubkey import Pubkey


@dataclass
class World:
    """A cluster of one node, a launcher's tables, and its API at `url`."""

    here: market.Market
    pool: asyncpg.Pool
    url: str
    cluster: Pubkey
    machine: market.Machine
    lease: Pubkey

    async def start(self, *arguments: str, cluster: object = None, launcher: str | None = None) -> Any:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ionet", "--url", self.here.net.rpc_url, "cluster", "status"),
            *(str(cluster or self.cluster), *arguments),
            env={**os.environ, "IONET_LAUNCHER": launcher or self.url, "COLUMNS": "400"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, cluster: object = None, launcher: str | None = None) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        process = await self.start(*arguments, cluster=cluster, launcher=launcher)
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def move(self, phase: ClusterPhase, reason: Reason = Reason.NONE, detail: str = "") -> None:
        """What a launcher's step would write."""
        store = Store(self.pool, str(SESSION.pubkey()))
        await store.plan()
        await self.pool.execute("UPDATE launcher.cluster SET next_at = now()")
        [held] = await store.claim(1)
        held.live = 1
        await held.move(Move(phase, reason=reason, detail=detail))


@contextlib.asynccontextmanager
async def world(server: EmbeddedPostgres) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        here = await stack.enter_async_context(market.market(clock_factor=0.001))
        dsn = await stack.enter_async_context(postgres.database(server))
        await prepare(dsn)
        pool = await stack.enter_async_context(await open_pool(dsn, 2))
        url, _ = await stack.enter_async_context(serving(dsn))
        opening = here.renter.cluster.open(100 * market.USD, session_key=SESSION.pubkey(), session_expires_at=2**40)
        cluster = (await opening).event(ClusterOpened).cluster
        machine = await here.add_machine("shown", price=market.PRICE)
        [lease] = await here.book(cluster, machine, duration=3_600)
        yield World(here, pool, url, cluster, machine, lease)


async def test_a_cluster_is_shown_as_the_chain_and_the_launcher_have_it(server: EmbeddedPostgres) -> None:
    async with world(server) as given:
        code, out, err = await given.run()
        assert (code, err) == (0, "")
        assert "the launcher has not seen it yet" in out

        await work(given.pool, str(given.lease), str(given.cluster), "booked", 1)
        await given.move(ClusterPhase.STARTING, Reason.AGENT_REFUSED, "node x: \x1b[2J no")
        code, out, err = await given.run("--json")
        found = json.loads(out)
        assert (code, found["phase"], found["reason"], found["over"]) == (0, "starting", "agent_refused", False)
        money = {name: int(units) for name, units in found["money"].items() if name != "currency"}
        assert (money["deposit"], money["spent"], money["refunded"]) == (100 * market.USD, 0, 0)
        assert money["locked"] >= 2 * market.PRICE, "two processors for an hour"
        assert money["free"] == money["deposit"] - money["locked"]
        [row] = found["leases"]
        assert (row["lease"], row["node"], row["status"]) == (
            str(given.lease),
            str(given.machine.address),
            "booked",
        )
        code, out, _ = await given.run()
        assert "starting  0 of 1 metered  agent_refused  node x: ?[2J no" in out, "one line, and nothing for a terminal"
        assert "\x1b" not in out
        assert "deposit 100  spent 0" in out
        assert str(given.machine.address) in out

        await given.here.start(given.lease, given.machine)
        given.here.pass_time(1_800)
        await given.move(ClusterPhase.RUNNING)
        code, out, _ = await given.run("--json", "--watch")
        found = json.loads(out)
        assert (code, found["phase"], found["leases"][0]["status"]) == (0, "running", "active")
        assert market.PRICE <= int(found["money"]["spent"]) < 1.1 * market.PRICE, "two processors for half an hour"


async def test_watching_says_what_changes_until_it_runs_or_is_over(server: EmbeddedPostgres) -> None:
    async with world(server) as given:
        await work(given.pool, str(given.lease), str(given.cluster), "booked", 1)
        await given.move(ClusterPhase.STARTING)
        process = await given.start("--watch")
        try:
            async with asyncio.timeout(120):
                assert b"starting  0 of 1 metered" in await process.stdout.readline()
                await given.move(ClusterPhase.JOINING, Reason.MEMBER_FAILED, "why")
                assert b"joining  0 of 1 metered  member_failed  why" in await process.stdout.readline()
                await given.move(ClusterPhase.FAILED, Reason.MEMBER_FAILED, "why")
                out, _ = await process.communicate()
            assert (process.returncode, b"failed" in out) == (6, True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        code, out, _ = await given.run()
        assert (code, "failed  0 of 1 metered  member_failed  why" in out) == (6, True)
        lines = [line.split(" UTC  ")[1].split() for line in out.splitlines() if " UTC  " in line]
        assert [line[0] for line in lines] == ["planned", "starting", "joining", "failed"], "what became of it"
        assert lines[-1] == ["failed", "member_failed", "why"]


async def test_a_closed_cluster_is_over_whatever_the_launcher_says(server: EmbeddedPostgres) -> None:
    async with world(server) as given:
        await work(given.pool, str(given.lease), str(given.cluster), "booked", 1)
        await given.move(ClusterPhase.RUNNING)
        given.here.pass_time(100_000)
        await given.here.renter.lease.cancel(given.lease)
        await given.here.renter.lease.close(given.lease)
        await given.here.renter.cluster.close(given.cluster)
        code, out, _ = await given.run("--watch")
        assert (code, "closed on the chain" in out) == (6, True)


async def test_each_failure_has_its_exit_code(server: EmbeddedPostgres) -> None:
    [port] = free_range(1)
    async with world(server) as given:
        nobody = Pubkey.new_unique()
        code, _, err = await given.run(cluster=nobody)
        assert (code, f"no such account on this chain: Cluster {nobody}" in err) == (1, True)
        code, _, err = await given.run(launcher=f"http://127.0.0.1:{port}")
        assert (code, "the launcher does not answer" in err) == (4, True)
        for nonsense in ("nonsense", "http://[::1"):
            code, _, err = await given.run(launcher=nonsense)
            assert (code, f"{nonsense} is not a" in err) == (1, True)
        other = await given.here.open_cluster(10 * market.USD)
        code, _, err = await given.run(cluster=other)
        assert (code, f"the launcher's is {SESSION.pubkey()}" in err) == (1, True)
        code, _, err = await given.run(launcher=given.here.net.rpc_url)
        assert (code, "error: the launcher does not answer as it should" in err) == (4, True)
