"""How long after a transaction is confirmed its events are in the indexer's tables, at the pace of a real chain."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import postgres
from bench.database import durable_server
from bench.figures import Figures, percentile, timed
from bench.machine import STORING
from bench.watch import Tables, Watch
from launcher.stack import Command
from market import market

SAMPLES, SLOT_MS = 60, 400
TARGET_P95 = 0.5


def measure() -> Figures:
    lags = asyncio.run(_measure())
    note = f"{SAMPLES} transactions, slots of {SLOT_MS} ms; shown as confirmed by the node → committed to PostgreSQL"
    return {
        "indexer.head_lag_p50": timed("lag", [percentile(lags, 50)], "s", bound_by=STORING, note=note),
        "indexer.head_lag_p95": timed(
            "lag", [percentile(lags, 95)], "s", bound_by=STORING, target=TARGET_P95, note=note
        ),
    }


async def _measure() -> list[float]:
    draw = random.Random(5)
    with durable_server() as server, tempfile.TemporaryDirectory(prefix="ionet-bench-") as folder:
        dsn = await postgres.create(server, "bench")
        async with market(slot_ms=SLOT_MS) as played:
            machine = await played.add_machine("bench")
            options = ["--dsn", dsn, "--ws-url", played.net.ws_url, "--no-api", "--json"]
            indexer = Command(Path(folder) / "log", "--url", played.net.rpc_url, "indexer", "run", *options)
            indexer.start()
            try:
                await indexer.ready()
                async with Watch.open(played.net.ws_url) as watch, Tables.open(dsn) as tables:
                    lags = []
                    for number in range(SAMPLES):
                        receipt = await played.admin.node.pause(machine.address, paused=number % 2 == 0)
                        stored = await tables.reached(receipt.slot)
                        lags.append(max(0.0, stored - await watch.confirmed(str(receipt.signature))))
                        await asyncio.sleep(draw.uniform(0, SLOT_MS / 1_000))
            finally:
                await indexer.end()
    return lags[1:]  # the first waits for the history before it
