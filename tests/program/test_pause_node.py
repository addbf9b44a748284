from __future__ import annotations

from ionet.generated.events import NodeFlagsChanged
from program import calls
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, World


def test_pause_and_resume(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster()
    paused = world.do(calls.pause_node(node, True))
    assert paused.events == (NodeFlagsChanged(node=node.key, seq=3, at=world.now, before=0, after=1),)
    with refused("NodePaused"):
        world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR))
    resumed = world.do(calls.pause_node(node, False))
    assert resumed.events == (NodeFlagsChanged(node=node.key, seq=4, at=world.now, before=1, after=0),)
    world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR))


def test_a_running_lease_goes_on_but_is_not_extended(world: World) -> None:
    lease = world.running()
    world.do(calls.pause_node(lease.node, True))
    world.serve(lease, 1)
    with refused("NodePaused"):
        world.do(calls.extend_lease(lease, H100, HOUR))


def test_by_another_than_the_owner_fails(world: World) -> None:
    node = world.node()
    for stranger in (world.stranger, node.device):
        with refused("NotNodeOwner"):
            world.do(calls.pause_node(node, True).signed_by("owner", stranger))


def test_a_retired_node_stays_so_fails(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False))
    with refused("NodeRetired"):
        world.do(calls.pause_node(node, False))
