from __future__ import annotations

import msgspec
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.events import LeaseBooked, ModelChanged
from program import calls, governance
from program.calls import ID
from program.chain import refused
from program.refs import LeaseRef
from program.staking import DAY
from program.world import H100, HOUR, IO_UNIT, World, required_stake

MODEL = pdas.model(ID, H100)
TERMS = {"pool": 1, "multiplier": 500, "throughput": 7, "reference_price": 2_500_000}


def test_at_its_time_and_not_a_second_before(world: World) -> None:
    world.do(governance.propose_model(world.authority, H100, **TERMS))
    world.warp(21 * DAY - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_model(H100))
    world.warp(1)
    before = world.get(DeviceModel, MODEL)
    landed = world.do(governance.apply_model(H100))
    assert landed.events == (ModelChanged(model=MODEL, seq=3, at=world.now, **TERMS),)
    nothing = {"pending_pool": 0, "pending_multiplier": 0, "pending_throughput": 0, "pending_reference_price": 0}
    assert world.get(DeviceModel, MODEL) == msgspec.structs.replace(before, seq=3, pending_at=0, **nothing, **TERMS)


def test_it_binds_new_leases_only(world: World) -> None:
    lease = world.running()
    world.do(governance.propose_model(world.authority, H100, multiplier=500))
    world.warp(21 * DAY)
    world.do(governance.apply_model(H100))
    assert world.of(lease).required_stake == required_stake(H100, 8)
    other = LeaseRef(world.staked_node("b"), world.cluster("b"), 0)
    booked = world.do(calls.add_lease(other, H100, HOUR)).event(LeaseBooked)
    assert booked.required_stake == 200 * IO_UNIT * 5 * 8


def test_nothing_pending_fails(world: World) -> None:
    with refused("NothingPending"):
        world.do(governance.apply_model(H100))
    world.do(governance.propose_model(world.authority, H100))
    world.warp(21 * DAY)
    world.do(governance.apply_model(H100))
    with refused("NothingPending"):
        world.do(governance.apply_model(H100))
