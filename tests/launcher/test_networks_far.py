"""Two members behind NATs with a slow line between them: the further one is refused with the figure, before Ray starts
there and before its meter does."""

from __future__ import annotations

import re
from functools import partial

import pytest
from agent.overlay_lab import why_no_lab
from ionet.generated.enums import LeaseStatus
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.joined import LONG, booked
from launcher.lab import LabStack
from launcher.slow_line import slow_line
from launcher.stack import ray_mains, until
from solders.pubkey import Pubkey

from launcher import joined

if WHY := why_no_lab():
    pytest.skip(WHY, allow_module_level=True)
LATER_SECS = 0.15


async def has_status(lab: LabStack, leases: list[Pubkey], *statuses: LeaseStatus) -> bool:
    found = [await lab.lease(lease) for lease in leases]
    return any(lease is not None and lease.status in statuses for lease in found)


@pytest.mark.drill
async def test_a_node_behind_a_slow_line_is_refused_with_the_figure_and_never_starts(server: EmbeddedPostgres) -> None:
    async with joined.lab(server, 0.1, options=()) as lab, slow_line(lab.lab.nat_b, port=7443, secs=LATER_SECS):
        cluster = await booked(lab)
        await until(partial(has_status, lab, cluster.leases, LeaseStatus.CANCELLED), LONG, "one of them is refused")
        await until(partial(has_status, lab, cluster.leases, LeaseStatus.ACTIVE), LONG, "the other's meter runs")
        head, far = await cluster.head(), await cluster.worker()
        log = (lab.folder / "launcher.log").read_text()
        said = re.search(r"node (\w+): (\d+) ms to the head and back, at most 50 ms are allowed: refused", log)
        assert said is not None
        assert said[1] == str(far.machine.address)
        assert float(said[2]) >= 2 * LATER_SECS * 1000
        assert (len(ray_mains(head.base)), len(ray_mains(far.base))) == (1, 0)
        assert not (far.base / "ray.json").exists()
