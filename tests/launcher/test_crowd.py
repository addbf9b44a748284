"""A fifth of all agents is hostile, and the honest ones are served in time all the same.

    IONET_CLUSTERS=1000 scripts/test tests/launcher/test_crowd.py -s

is the whole size; the suite takes a sample, and `scripts/bench --only distrust` measures the whole.
"""

from __future__ import annotations

import asyncio
import os

import asyncpg
from ionet.agent_api import ANSWER_SECS
from launcher.crowd import Crowd, percentile

CLUSTERS = int(os.environ.get("IONET_CLUSTERS", "60"))


async def test_honest_agents_are_served_beside_hostile_ones(pool: asyncpg.Pool) -> None:
    crowd = Crowd(CLUSTERS, CLUSTERS // 5)
    async with crowd.serving(), crowd.launcher(pool):
        await crowd.come(pool)
        started, metered = crowd.waits()
        for what, waits in (("asked to start", started), ("meter runs", metered)):
            found = ", ".join(f"p{part} {percentile(waits, part / 100):.2f} s" for part in (50, 95, 100))
            print(f"{CLUSTERS} clusters, {crowd.hostiles} hostile; event → {what}: {found}")
        assert percentile(started, 0.5) < ANSWER_SECS, "honest nodes waited for what hostile ones take"
        rows = await pool.fetch(
            "SELECT reason, count(*) AS n FROM launcher.cluster WHERE phase <> 'running' GROUP BY 1"
        )
        assert crowd.hostiles <= sum(row["n"] for row in rows)
        assert {row["reason"] for row in rows} <= {"", "agent_unreachable", "agent_refused", "bad_answer"}


async def test_two_launchers_share_the_work_and_one_that_dies_leaves_nothing_behind(pool: asyncpg.Pool) -> None:
    crowd = Crowd(24, 4)
    async with crowd.serving(), crowd.launcher(pool) as first, crowd.launcher(pool):
        await crowd.book(pool, range(12))
        async with asyncio.timeout(300):
            await crowd.some_metered.wait()
        first.cancel()
        await asyncio.wait({first})
        await crowd.book(pool, range(12, 24))
        async with asyncio.timeout(300):
            await crowd.all_metered.wait()
    refused = await pool.fetchval("SELECT count(*) FROM launcher.cluster WHERE reason = 'not_accepted'")
    assert refused == 0, "no meter was begun twice"
