"""Drill: the GPUs of a machine disappear while its lease runs, and come back; all processes are real.

`nvidia-smi` is a program on PATH, here and in the room, that says what the real one says then. Nothing is signed for
the time without them, the launcher says why and books another node, each second is paid exactly, and the machine is
there for the next lease once its GPUs are.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import partial
from pathlib import Path

import market
import postgres
import pytest
from agent.gpu_hosts import Host
from agent.test_gpu_watch import cards
from ionet.generated.enums import LeaseStatus
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_launcher.phases import DEAD_SECS, Reason
from launcher.stack import NodeProcess, Stack, ray_mains, stack, until
from launcher.test_drills import has_status, is_idle, is_phase, is_proven
from launcher.test_lost_head import has_proof, in_trouble_for, is_booked, next_lease
from solders.pubkey import Pubkey

DURATION = 120
UNLOADED = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."


def host(folder: Path) -> Host:
    """A machine of two cards, and a runtime for it: what runs there finds its `nvidia-smi` as the agent does."""
    made = Host(folder)
    cards(made, 0, 1)
    (folder / "pyvenv.cfg").write_text((Path(sys.prefix) / "pyvenv.cfg").read_text())
    (folder / "bin/python").symlink_to(Path(sys.executable).resolve())
    packages = folder.joinpath(*Path(sysconfig.get_path("purelib")).parts[-3:])
    packages.mkdir(parents=True)
    (packages / "tested.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return made


async def is_said(running: Stack, lease: Pubkey, why: str) -> bool:
    """Whether the launcher says this of its node."""
    rows = await running.fetch("SELECT reason, detail FROM launcher.trouble WHERE lease = $1", str(lease))
    return [row["reason"] for row in rows] == [Reason.MEMBER_FAILED] and rows[0]["detail"].endswith(why)


async def is_logged(node: NodeProcess, words: str) -> bool:
    return words in node.agent.log.read_text()


async def served(running: Stack, lease: Pubkey) -> int:
    return sum((await running.served(lease)).values())


@pytest.mark.drill
async def test_a_machine_whose_gpus_disappear_is_replaced_and_serves_again_once_they_are_back(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    hosts = [host(tmp_path / f"host{number}") for number in range(2)]
    async with (
        market.market(slot_ms=100, clock_factor=0.1) as founded,
        postgres.database(server) as dsn,
        stack(founded, dsn, tmp_path, 2, replaces=True, hosts=hosts) as running,
    ):
        broken, spare = running.nodes
        cluster, [old] = await running.book([broken], duration=DURATION)
        await until(partial(has_status, running, old, LeaseStatus.ACTIVE), 400, "the meter runs")
        await until(partial(has_proof, running, old), 200, "something of it is proven")

        hosts[0].smi(UNLOADED, code=9)
        why = f"node {broken.machine.address}: the devices do not answer: nvidia-smi ended with 9: {UNLOADED}"
        await until(partial(is_said, running, old, why), 120, "the launcher knows why")
        lost_at = founded.net.chain.unix_time
        await in_trouble_for(running, DEAD_SECS + 1)
        await until(partial(is_booked, running, spare), 60, "another node is booked")
        new = await next_lease(running, spare)
        await until(partial(has_status, running, new, LeaseStatus.ACTIVE), 400, "its meter runs")
        await until(partial(is_idle, broken), 60, "the lost member has ended")

        # It is there for the next lease once its cards are.
        cards(hosts[0], 0, 1)
        await until(partial(is_logged, broken, "alarm over: GPUs"), 120, "the agent sees them again")
        founded.pass_time(1)
        await founded.renter.lease.end(new)
        await until(partial(is_idle, spare), 60, "the member stops")
        await until(partial(is_phase, running, cluster, "stopped"), 200, "the launcher is done")
        await until(partial(is_proven, running, new), 60, "every second of the other's is proven")
        over = await running.lease(old)
        assert over is not None
        assert 0 < await served(running, old) <= lost_at - over.started_at
        assert await running.settle(cluster, old, new) > 0

        again, [lease] = await running.book([broken], duration=DURATION)
        await until(partial(has_status, running, lease, LeaseStatus.ACTIVE), 400, "its meter runs")
        founded.pass_time(1)
        await founded.renter.lease.end(lease)
        await until(partial(is_idle, broken), 60, "the member stops")
        await until(partial(is_proven, running, lease), 60, "every second is proven")
        assert await running.settle(again, lease) > 0
    assert [ray_mains(node.base) for node in running.nodes] == [[], []]
