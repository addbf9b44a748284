from __future__ import annotations

import msgspec
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.events import ModelEnabled
from program import calls, governance
from program.calls import ID
from program.chain import refused, who
from program.refs import LeaseRef
from program.world import H100, HOUR, T4, World

MODEL = pdas.model(ID, H100)


def test_off_and_on(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster()
    other = world.staked_node("b", T4, 4)
    before = world.get(DeviceModel, MODEL)
    off = world.do(governance.set_model(world.authority, H100, False))
    assert off.events == (ModelEnabled(model=MODEL, seq=2, at=world.now, enabled=False),)
    assert world.get(DeviceModel, MODEL) == msgspec.structs.replace(before, seq=2, enabled=0)
    with refused("ModelDisabled"):
        world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR))
    world.booked(other, cluster)
    on = world.do(governance.set_model(world.authority, H100, True))
    assert on.events == (ModelEnabled(model=MODEL, seq=3, at=world.now, enabled=True),)
    assert world.get(DeviceModel, MODEL) == msgspec.structs.replace(before, seq=3)
    world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR))


def test_a_running_lease_goes_on_but_is_not_extended(world: World) -> None:
    lease = world.running()
    world.do(governance.set_model(world.authority, H100, False))
    with refused("ModelDisabled"):
        world.do(calls.extend_lease(lease, H100, HOUR))
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease), calls.close_cluster(lease.cluster))
    assert world.of_node(lease.node).served_secs == 2 * HOUR


def test_twice_the_same_changes_nothing_but_is_recorded(world: World) -> None:
    before = world.get(DeviceModel, MODEL)
    landed = world.do(governance.set_model(world.authority, H100, True))
    assert landed.events == (ModelEnabled(model=MODEL, seq=2, at=world.now, enabled=True),)
    assert world.get(DeviceModel, MODEL) == msgspec.structs.replace(before, seq=2)


def test_of_a_model_that_does_not_exist_fails(world: World) -> None:
    with refused("AccountDataTooSmall"):
        world.do(governance.set_model(world.authority, 99, True))


def test_by_another_than_the_authority_fails(world: World) -> None:
    for name in ("pauser", "arbiter", "stranger"):
        with refused("NotAuthority"):
            world.do(governance.set_model(who(name), H100, False))
