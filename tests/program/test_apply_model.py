from __future__ import annotations

import msgspec
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.events import LeaseBooked, ModelChanged
from program import calls, governance
from program.calls import ID
from program.chain import refused, who
from program.refs import LeaseRef
from program.staking import DAY
from program.world import H100, HOUR, IO_UNIT, T4, World, required_stake

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


def test_cheap_models_need_what_a_multiplier_of_one_needs(world: World) -> None:
    world.do(governance.propose_model(world.authority, H100, multiplier=0))
    world.warp(21 * DAY)
    world.do(governance.apply_model(H100))
    lease = LeaseRef(world.node(), world.cluster(), 0)
    world.do(calls.stake(lease.node, 200 * IO_UNIT * 8 - 1))
    with refused("StakeTooLow"):
        world.do(calls.add_lease(lease, H100, HOUR))
    world.do(calls.stake(lease.node, 1))
    assert world.do(calls.add_lease(lease, H100, HOUR)).event(LeaseBooked).required_stake == 200 * IO_UNIT * 8


def test_it_neither_enables_nor_disables(world: World) -> None:
    """Nor does `set_model` touch what is pending: enabling brings the model back as it was."""
    before = world.get(DeviceModel, MODEL)
    world.do(governance.propose_model(world.authority, H100, **TERMS))
    world.do(governance.set_model(world.authority, H100, False), governance.set_model(world.authority, H100, True))
    found = world.get(DeviceModel, MODEL)
    assert (found.multiplier, found.enabled, found.pending_multiplier) == (before.multiplier, 1, 500)
    world.do(governance.set_model(world.authority, H100, False))
    world.warp(21 * DAY)
    world.do(governance.apply_model(H100))
    assert (world.get(DeviceModel, MODEL).enabled, world.get(DeviceModel, MODEL).multiplier) == (0, 500)


def test_it_waits_as_long_as_was_in_force_when_it_was_proposed(world: World) -> None:
    """A cooldown that has become shorter meanwhile shortens nothing (audit, A9)."""
    shorter = governance.changed(world, unbond_cooldown_secs=DAY)
    world.do(governance.propose_params(world.authority, shorter))
    world.warp(21 * DAY - 1)
    world.do(governance.propose_model(world.authority, H100, **TERMS))
    world.warp(1)
    world.do(governance.apply_pending(world.stranger))
    world.warp(21 * DAY - 2)
    with refused("TimelockRunning"):
        world.do(governance.apply_model(H100))
    world.warp(1)
    world.do(governance.apply_model(H100))
    world.do(governance.propose_model(world.authority, H100, multiplier=1_000))
    world.warp(8 * DAY - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_model(H100))
    world.warp(1)
    world.do(governance.apply_model(H100))


def test_of_one_model_alone(world: World) -> None:
    world.do(governance.propose_model(world.authority, H100, **TERMS))
    world.warp(21 * DAY)
    with refused("NothingPending"):
        world.do(governance.apply_model(T4))


def test_what_a_replaced_authority_proposed_is_void(world: World) -> None:
    world.do(governance.propose_model(world.authority, H100, **TERMS))
    heir = who("heir")
    world.warp(19 * DAY)
    world.do(governance.propose_role(world.authority, governance.AUTHORITY, bytes(heir.pubkey())))
    world.warp(2 * DAY)
    world.do(governance.apply_pending(heir))
    with refused("NothingPending"):
        world.do(governance.apply_model(H100))
    world.fund(heir.pubkey())
    world.do(governance.propose_model(heir, H100, **TERMS))
    assert world.get(DeviceModel, MODEL).pending_by == 1
    world.warp(21 * DAY - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_model(H100))
    world.warp(1)
    world.do(governance.apply_model(H100))


def test_nothing_pending_fails(world: World) -> None:
    with refused("NothingPending"):
        world.do(governance.apply_model(H100))
    world.do(governance.propose_model(world.authority, H100))
    world.warp(21 * DAY)
    world.do(governance.apply_model(H100))
    with refused("NothingPending"):
        world.do(governance.apply_model(H100))
