"""A thousand clusters of which every fifth has a hostile agent: how long the honest ones wait for the launcher."""

from __future__ import annotations

import asyncio

import postgres
from bench.database import durable_server
from bench.figures import Figures, percentile, timed
from bench.machine import COMPUTING
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.crowd import RATE, Crowd
from launcher.tables import tables

CLUSTERS, HOSTILE, TARGET_SECS = 1_000, 200, 2


def measure() -> Figures:
    with durable_server() as server:
        started, metered = asyncio.run(_waits(server))
    about = f"{HOSTILE} of {CLUSTERS:,} agents hostile, at once; then {RATE} honest bookings/s, event → "
    figures: Figures = {}
    for name, waits, what in (("asked", started, "asked to start"), ("metered", metered, "meter runs")):
        for percent in (50, 95):
            figures[f"launcher.beside_hostile_{name}_p{percent}"] = timed(
                "distrust",
                [percentile(waits, percent)],
                "s",
                bound_by=COMPUTING,
                target=TARGET_SECS if (name, percent) == ("asked", 95) else None,
                note=about + what,
            )
    return figures


async def _waits(server: EmbeddedPostgres) -> tuple[list[float], list[float]]:
    crowd = Crowd(CLUSTERS, HOSTILE)
    async with tables(await postgres.create(server, "distrust")) as pool, crowd.serving(), crowd.launcher(pool):
        await crowd.come(pool)
    return crowd.waits()
