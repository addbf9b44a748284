"""A cluster on two machines behind NATs, in a network of its own: booked, joined through the relay, at work, proven,
disputed, settled; as root and as an ordinary user, behind NATs whose ports can be guessed and such whose cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from agent.overlay_lab import why_no_lab
from ionet.generated.accounts import Lease
from ionet.generated.events import DisputeDefended
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.joined import INTERVAL, LONG, Joined, booked
from launcher.lab import LabStack
from launcher.stack import NodeProcess, until
from ordinary_user import AS_USER, why_no_network
from solders.pubkey import Pubkey

from launcher import joined

if WHY := why_no_lab():
    pytest.skip(WHY, allow_module_level=True)
CLOCK = 0.1
PLACES = {
    "root, plain ports": ((), False),
    "root, random ports": ((), True),
    "ordinary user, plain ports": (AS_USER, False),
    "ordinary user, random ports": (AS_USER, True),
}


@pytest_asyncio.fixture(params=PLACES, ids=list(PLACES))
async def lab(request: pytest.FixtureRequest, server: EmbeddedPostgres) -> AsyncIterator[LabStack]:
    user, random_ports = PLACES[request.param]
    if user and (why := why_no_network()):
        pytest.skip(why)
    async with joined.lab(server, CLOCK, user, random_ports=random_ports) as made:
        yield made


@pytest.mark.drill
async def test_a_cluster_behind_two_nats_runs_a_job_on_both_hosts_is_disputed_and_settled(lab: LabStack) -> None:
    cluster = await booked(lab)
    await cluster.runs()
    [row] = await lab.clusters()
    print(f"decision → members up {row['joined_at'] - row['decided_at']}")
    assert await cluster.works()
    assert await cluster.tunnelled() == "answered 200\n"
    await cluster.is_one()
    bond = await is_defended(cluster, await cluster.worker())
    assert bond > 0
    assert await cluster.ends(whole=False) > 0


async def is_defended(cluster: Joined, node: NodeProcess) -> int:
    """The renter disputes an interval of the node's, and its agent defends it. Returns the bond."""
    lab = cluster.lab
    lease, market = cluster.leases[lab.nodes.index(node)], lab.market
    await until(partial(has_whole_interval, lab, lease), LONG, "an interval is proven from its start to its end")
    [interval, *_] = whole_intervals(await lab.served(lease))
    found = await market.renter.fetch(Lease, lease)
    closed_at = found.started_at + INTERVAL * (interval + 2)
    market.pass_time(max(0, closed_at - market.net.chain.unix_time))
    await market.renter.lease.dispute(lease, interval, interval + 1)
    bond = (await market.renter.fetch(Lease, lease)).dispute_bond
    await until(partial(is_resolved, lab, lease), LONG, "the dispute is over")
    found = await market.renter.fetch(Lease, lease)
    assert (found.held_secs, found.undefended_secs, found.bond_due) == (0, 0, bond)
    events = [event for event in await market.stranger.events(lease) if isinstance(event, DisputeDefended)]
    assert [(event.interval, event.defended) for event in events] == [(interval, True)]
    return bond


def whole_intervals(served: dict[int, int]) -> list[int]:
    return [interval for interval, secs in served.items() if secs == INTERVAL]


async def has_whole_interval(lab: LabStack, lease: Pubkey) -> bool:
    return whole_intervals(await lab.served(lease)) != []


async def is_resolved(lab: LabStack, lease: Pubkey) -> bool:
    return (await lab.market.renter.fetch(Lease, lease)).dispute_bond == 0
