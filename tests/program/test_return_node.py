from __future__ import annotations

import msgspec
import pytest
from ionet.generated.events import NodeFlagsChanged
from program import calls, governance
from program.chain import refused, who
from program.governance import ABSENT, BLOCKED, FROZEN, PAUSED, RETIRED, CaseRef
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
    before = world.of_node(lease.node)
    landed = world.do(calls.return_node(lease.node, getattr(lease.node, side)))
    assert landed.events == (NodeFlagsChanged(node=lease.node.key, seq=6, at=world.now, before=ABSENT, after=0),)
    assert world.of_node(lease.node) == msgspec.structs.replace(before, seq=6, flags=0)
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


def test_by_an_earlier_device_key_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.rotate_device_key(lease.node, who("new device")))
    with refused("NotSupplier"):
        world.do(calls.return_node(lease.node, lease.node.device))
    world.do(calls.return_node(lease.node, who("new device")))


def test_the_promise_that_was_broken_still_counts(world: World, lease: LeaseRef) -> None:
    world.do(calls.return_node(lease.node))
    assert world.of_node(lease.node).promises_broken_at == (world.now, 0, 0)


def test_no_other_flag_is_lifted(world: World, lease: LeaseRef) -> None:
    """A retired node stays retired, a frozen one frozen, a blocked one blocked."""
    node = lease.node
    world.do(calls.retire_node(node))
    case: CaseRef = governance.accused(world, node)
    landed = world.do(calls.return_node(node)).event(NodeFlagsChanged)
    assert (landed.before, landed.after) == (RETIRED | FROZEN | ABSENT, RETIRED | FROZEN)
    world.do(governance.appeal_case(case), governance.decide_case(case, 0, True))
    assert world.of_node(node).flags == RETIRED | BLOCKED
    with refused("NodeNotAbsent"):
        world.do(calls.return_node(node))
