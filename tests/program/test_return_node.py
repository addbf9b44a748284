from __future__ import annotations

import pytest
from ionet.generated.events import NodeFlagsChanged
from program import calls
from program.chain import refused
from program.governance import ABSENT, PAUSED
from program.refs import LeaseRef
from program.world import H100, HOUR, World


@pytest.fixture
def lease(world: World) -> LeaseRef:
    """A lease whose node was not ready in time."""
    lease = world.booked(world.staked_node(), world.cluster())
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    return lease


@pytest.mark.parametrize("side", ["owner", "device"])
def test_by_owner_and_device_key(world: World, lease: LeaseRef, side: str) -> None:
    again = LeaseRef(lease.node, lease.cluster, 1)
    with refused("NodeAbsent"):
        world.do(calls.add_lease(again, H100, HOUR))
    landed = world.do(calls.return_node(lease.node, getattr(lease.node, side)))
    assert landed.events == (NodeFlagsChanged(node=lease.node.key, seq=6, at=world.now, before=ABSENT, after=0),)
    world.do(calls.add_lease(again, H100, HOUR))


def test_the_owners_own_pause_is_not_lifted(world: World, lease: LeaseRef) -> None:
    world.do(calls.pause_node(lease.node, True), calls.return_node(lease.node))
    assert world.of_node(lease.node).flags == PAUSED
    with refused("NodePaused"):
        world.do(calls.add_lease(LeaseRef(lease.node, lease.cluster, 1), H100, HOUR))


def test_an_absent_node_that_the_owner_resumes_is_absent_still(world: World, lease: LeaseRef) -> None:
    world.do(calls.pause_node(lease.node, False))
    assert world.of_node(lease.node).flags == ABSENT


def test_a_node_that_is_there_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.return_node(lease.node))
    with refused("NodeNotAbsent"):
        world.do(calls.return_node(lease.node))


def test_by_anybody_else_fails(world: World, lease: LeaseRef) -> None:
    for other in (world.stranger, lease.cluster.renter):
        with refused("NotSupplier"):
            world.do(calls.return_node(lease.node, other))
