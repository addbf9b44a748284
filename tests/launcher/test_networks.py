"""A cluster on two machines behind NATs, in a network of its own: joined, at work, proven, settled; and killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from functools import partial

import market
import postgres
import pytest
import pytest_asyncio
from ionet.generated.enums import LeaseStatus
from ionet_agent import processes
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.lab import LabStack, lab_stack
from launcher.stack import ray_mains, until
from launcher.test_stack import JOB, close, end, has_status, is_phase, ordered, proven, stopped
from netlab import missing

if WHY := missing():
    pytest.skip(WHY, allow_module_level=True)
for program in ("wg", "wireguard-go", "nsenter", "unshare"):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed", allow_module_level=True)
pytestmark = pytest.mark.asyncio(loop_scope="module")
DURATION = 90


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LabStack]:
    async with market.market(slot_ms=100, clock_factor=0.1) as founded, postgres.database(server) as dsn:
        async with lab_stack(founded, dsn, tmp_path_factory.mktemp("lab"), launcher_options=FAR) as made:
            yield made
            tags = made.tags()
        assert [processes.tagged(tag) for tag in tags] == [[] for _ in tags]
        assert [ray_mains(node.base) for node in made.nodes] == [[], []]


# A busy machine answers late.
FAR = ("--max-latency-ms", "2000")


@pytest.mark.drill
async def test_a_cluster_behind_two_nats_runs_a_job_on_both_hosts_and_is_settled(running: LabStack) -> None:
    cluster, leases = await running.book(running.nodes, duration=DURATION)
    took = await until(partial(has_status, running, leases, LeaseStatus.ACTIVE), 400, "meters run")
    [row] = await running.clusters()
    print(f"booking → meters {took:.1f} s; decision → members up {row['joined_at'] - row['decided_at']}")
    head = ordered(running, leases)[0]
    answer = json.loads(await running.renter_command(head, "run", str(cluster), script=JOB))
    assert answer["exit_code"] == 0, answer["output"]
    await end(running, leases)
    await until(partial(stopped, running.nodes), 40, "members stop at the end")
    for lease in leases:
        await until(partial(proven, running, lease), 30, "every second is proven")
    await until(partial(is_phase, running, cluster, "stopped"), 20, "the launcher is done")
    assert running.leftovers() == []
    await close(running, leases)
