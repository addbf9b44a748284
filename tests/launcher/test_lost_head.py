"""Drill: a head's machine is gone for good while its cluster runs; all processes are real.

Another node becomes the head for the time that is left, the worker joins it, the old lease is settled to the second.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import market
import postgres
import pytest
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import NONE
from ionet_agent import processes
from ionet_agent.isolation.base import OWN
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_launcher.phases import DEAD_SECS
from launcher.stack import NodeProcess, Stack, ray_mains, stack, until
from launcher.test_drills import has_status, is_idle, is_phase, is_proven
from solders.pubkey import Pubkey

DURATION = 120
JOB = b"""
import json, ray
ray.init(logging_level="error", log_to_driver=False)
def where():
    return ray.get_runtime_context().get_node_id()
alive = [node["Labels"]["ionet-lease"] for node in ray.nodes() if node["Alive"]]
options = [{"label_selector": {"ionet-lease": lease}} for lease in alive]
ran = ray.get([ray.remote(where).options(**one).remote() for one in options])
print("answer:", json.dumps([sorted(alive), len(set(ran))]))
"""


async def lose(node: NodeProcess) -> list[str]:
    """Its agent and Ray end at once, as with its machine; the tags that are left in its folder."""
    tag = node.tag()
    assert tag is not None
    await node.agent.end()
    await processes.stop(tag, None, 0)
    (node.base / "ray.json").unlink()
    # A machine that starts again has nothing mounted, and an empty /tmp.
    room = Path(tempfile.gettempdir(), f"ionet-{tag}")
    await asyncio.to_thread(subprocess.run, ["umount", "--lazy", str(room)], check=False, capture_output=True)
    for folder in (room, room.with_name(f"{room.name}{OWN}")):
        shutil.rmtree(folder, ignore_errors=True)
    return [tag]


async def in_trouble_for(running: Stack, secs: float) -> None:
    await running.fetch("UPDATE launcher.trouble SET since = now() - make_interval(secs => $1) RETURNING lease", secs)


async def is_silent(running: Stack, lease: Pubkey) -> bool:
    rows = await running.fetch("SELECT lease FROM launcher.trouble")
    return str(lease) in {row["lease"] for row in rows}


async def next_lease(running: Stack, node: NodeProcess) -> Pubkey:
    return (await running.market.renter.fetch(Node, node.machine.address)).current_lease


async def has_proof(running: Stack, lease: Pubkey) -> bool:
    found = await running.lease(lease)
    return found is not None and found.proof_count > 0


async def is_booked(running: Stack, node: NodeProcess) -> bool:
    return await next_lease(running, node) != NONE


async def has_both(running: Stack, cluster: Pubkey, head: NodeProcess, leases: list[Pubkey]) -> bool:
    """Whether a job beside the head runs on the nodes of these leases."""
    output = json.loads(await running.renter_command(head, "run", str(cluster), script=JOB))["output"]
    lines = [line.removeprefix("answer:") for line in output.splitlines() if line.startswith("answer:")]
    return bool(lines) and json.loads(lines[0]) == [sorted(map(str, leases)), 2]


@pytest.mark.drill
async def test_a_head_that_is_gone_for_good_is_replaced_and_the_worker_joins_the_next(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with (
        market.market(slot_ms=100, clock_factor=0.1) as founded,
        postgres.database(server) as dsn,
        stack(founded, dsn, tmp_path, 3, replaces=True) as running,
    ):
        cluster, leases = await running.book(running.nodes[:2], duration=DURATION)
        for lease in leases:
            await until(partial(has_status, running, lease, LeaseStatus.ACTIVE), 400, "the meters run")
        await until(partial(is_phase, running, cluster, "running"), 60, "the launcher knows")
        [old] = [one for one in leases if (await founded.renter.fetch(Cluster, cluster)).head_lease == one]
        [other] = [one for one in leases if one != old]
        by_lease = dict(zip(leases, running.nodes, strict=False))
        spare = running.nodes[2]
        worker, tags = by_lease[other], running.tags()

        founded.pass_time(2)
        await until(partial(has_proof, running, old), 200, "something of it is proven")
        tags += await lose(by_lease[old])
        await until(partial(is_silent, running, old), 60, "the launcher misses it")
        await in_trouble_for(running, DEAD_SECS + 1)
        await until(partial(is_booked, running, spare), 60, "another node is booked")
        new = await next_lease(running, spare)
        found = await running.lease(old)
        assert found is not None
        assert found.status == LeaseStatus.ENDED
        booked = await founded.renter.fetch(Lease, new)
        assert 0 < booked.duration < DURATION
        await until(partial(has_status, running, new, LeaseStatus.ACTIVE), 400, "its meter runs")
        assert (await founded.renter.fetch(Cluster, cluster)).head_lease == new
        await until(partial(has_both, running, cluster, spare, [new, other]), 400, "a job runs on both")
        await until(partial(is_phase, running, cluster, "running"), 60, "the launcher knows")
        assert [len(ray_mains(node.base)) for node in (worker, spare)] == [1, 1]

        tags += running.tags()
        founded.pass_time(1)
        for lease in (new, other):
            await founded.renter.lease.end(lease)
        for node in (worker, spare):
            await until(partial(is_idle, node), 60, "the members stop")
        assert [processes.tagged(tag) for tag in tags] == [[]] * len(tags)
        # Its machine is there again, much too late: it finds nothing to serve, and says so.
        by_lease[old].agent.start()
        await by_lease[old].agent.ready()
        await until(partial(is_phase, running, cluster, "stopped"), 200, "the launcher is done")
        assert ray_mains(by_lease[old].base) == []
        await until(partial(is_proven, running, new), 60, "every second of the new head's is proven")
        assert [await running.repeated_proofs(lease) for lease in (old, new, other)] == [0, 0, 0]
        assert await running.settle(cluster, old, new, other) > 0
