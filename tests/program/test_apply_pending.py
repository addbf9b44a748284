from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from ionet.generated.accounts import Network
from ionet.generated.enums import NetworkRole
from ionet.generated.events import LeaseSettled, NodeSlashed, ParamsChanged, RoleChanged
from program import calls, governance
from program.calls import FEED as FEED_ID
from program.calls import NETWORK, NOBODY
from program.chain import Call, refused, who
from program.governance import ARBITER, AUTHORITY, FEED, PAUSER, CaseRef, changed
from program.test_propose_params import encoded
from program.world import H100, HOUR, IO_UNIT, World, required_stake
from solders.keypair import Keypair

DAY = 86_400
TIMELOCK = 2 * DAY
HEIR = who("heir")
VALUE = bytes(HEIR.pubkey())


def test_parameters_at_their_time_and_not_a_second_before(world: World) -> None:
    params, nothing = changed(world, min_charge_secs=700), governance.network(world).pending
    world.do(governance.propose_params(world.authority, params))
    world.warp(TIMELOCK - 1)
    for caller in (world.stranger, world.authority):
        with refused("TimelockRunning"):
            world.do(governance.apply_pending(caller))
    world.warp(1)
    before = governance.network(world)
    landed = world.do(governance.apply_pending(world.stranger))
    assert landed.events == (ParamsChanged(network=NETWORK, seq=3, at=world.now, params=encoded(params)),)
    assert world.get(Network, NETWORK) == msgspec.structs.replace(
        before, seq=3, params=params, pending=nothing, pending_effective_at=0
    )


@pytest.mark.parametrize("role", [PAUSER, ARBITER, FEED])
def test_a_role_at_its_time_and_not_a_second_before(world: World, role: NetworkRole) -> None:
    world.do(governance.propose_role(world.authority, role, VALUE))
    world.warp((21 * DAY if role == FEED else TIMELOCK) - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(world.stranger))
    world.warp(1)
    before = governance.network(world)
    landed = world.do(governance.apply_pending(world.stranger))
    field = {PAUSER: "pauser", ARBITER: "arbiter", FEED: "feed_id"}[role]
    old = bytes(getattr(before, field))
    assert landed.events == (RoleChanged(network=NETWORK, seq=3, at=world.now, role=role, before=old, after=VALUE),)
    new = VALUE if role == FEED else HEIR.pubkey()
    assert governance.network(world) == msgspec.structs.replace(
        before, seq=3, pending_role=0, pending_role_at=0, pending_value=bytes(32), **{field: new}
    )


def test_the_authority_is_taken_by_its_successor_alone(world: World) -> None:
    world.do(governance.propose_role(world.authority, AUTHORITY, VALUE))
    world.warp(TIMELOCK - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(HEIR))
    world.warp(1)
    for caller in (world.stranger, world.authority, world.pauser):
        with refused("NotPendingAuthority"):
            world.do(governance.apply_pending(caller))
    landed = world.do(governance.apply_pending(HEIR))
    old = bytes(world.authority.pubkey())
    assert landed.events == (
        RoleChanged(network=NETWORK, seq=3, at=world.now, role=AUTHORITY, before=old, after=VALUE),
    )
    found = governance.network(world)
    assert (found.authority, found.pending_authority, found.pending_role) == (HEIR.pubkey(), NOBODY, 0)


def test_what_is_due_is_applied_and_what_is_not_stays(world: World) -> None:
    params = changed(world, renter_fee_bps=60)
    world.do(governance.propose_params(world.authority, params))
    world.warp(1)
    world.do(governance.propose_role(world.authority, PAUSER, VALUE))
    world.warp(TIMELOCK - 1)
    first = world.do(governance.apply_pending(world.stranger))
    assert [type(event) for event in first.events] == [ParamsChanged]
    world.warp(1)
    second = world.do(governance.apply_pending(world.stranger))
    assert [type(event) for event in second.events] == [RoleChanged]
    assert governance.network(world).pauser == HEIR.pubkey()


def test_both_at_once(world: World) -> None:
    world.do(governance.propose_params(world.authority, changed(world, renter_fee_bps=60)))
    world.do(governance.propose_role(world.authority, PAUSER, VALUE))
    world.warp(TIMELOCK)
    both = world.do(governance.apply_pending(world.stranger))
    assert [(type(event), event.seq) for event in both.events] == [(RoleChanged, 4), (ParamsChanged, 5)]
    assert (world.params.renter_fee_bps, governance.network(world).pauser) == (60, HEIR.pubkey())


def test_parameters_do_not_wait_for_the_successor(world: World) -> None:
    world.do(governance.propose_params(world.authority, changed(world, renter_fee_bps=60)))
    world.do(governance.propose_role(world.authority, AUTHORITY, VALUE))
    world.warp(TIMELOCK)
    alone = world.do(governance.apply_pending(world.stranger))
    assert [(type(event), event.seq) for event in alone.events] == [(ParamsChanged, 4)]


def test_a_new_authority_starts_with_nothing_pending(world: World) -> None:
    """What the earlier one proposed binds nobody any more (A10): parameters, even due ones, and models' terms."""
    world.do(governance.propose_model(world.authority, H100, multiplier=5_000))
    world.warp(19 * DAY)
    world.do(governance.propose_params(world.authority, changed(world, renter_fee_bps=60)))
    world.do(governance.propose_role(world.authority, AUTHORITY, VALUE))
    world.warp(TIMELOCK)
    landed = world.do(governance.apply_pending(HEIR))
    assert [type(event) for event in landed.events] == [RoleChanged]
    found = governance.network(world)
    assert (found.authority, found.authority_number) == (HEIR.pubkey(), 1)
    assert (found.pending_effective_at, found.pending_role, found.params.renter_fee_bps) == (0, 0, 25)
    for call in (governance.apply_pending(HEIR), governance.apply_model(H100)):
        with refused("NothingPending"):
            world.do(call)
    world.fund(HEIR.pubkey())
    world.do(governance.propose_model(HEIR, H100, multiplier=5_000))
    world.warp(21 * DAY)
    world.do(governance.apply_model(H100))


def test_nothing_pending_fails(world: World) -> None:
    with refused("NothingPending"):
        world.do(governance.apply_pending(world.stranger))
    governance.set_params(world, renter_fee_bps=60)
    governance.set_role(world, PAUSER, VALUE)
    with refused("NothingPending"):
        world.do(governance.apply_pending(world.stranger))


def test_the_old_authority_has_no_power_and_the_new_one_all(world: World) -> None:
    world.do(governance.propose_role(world.authority, AUTHORITY, VALUE))
    world.warp(TIMELOCK)
    world.do(governance.apply_pending(HEIR))
    world.fund(HEIR.pubkey())
    every: list[tuple[str, Callable[[Keypair], Call]]] = [
        ("NotAuthority", lambda key: governance.propose_params(key, world.params)),
        ("NotAuthority", lambda key: governance.propose_role(key, AUTHORITY, VALUE)),
        ("NotAuthority", lambda key: governance.set_model(key, H100, True)),
        ("NotAuthority", lambda key: governance.propose_model(key, H100)),
        ("NotAuthority", lambda key: calls.register_model(key, 9)),
        ("NotPauser", lambda key: calls.set_pause(key, 0)),
    ]
    for error, make in every:
        with refused(error):
            world.do(make(world.authority))
        world.do(make(HEIR))


def test_an_old_pauser_and_an_old_arbiter_have_no_power(world: World) -> None:
    case = CaseRef(world.staked_node(), 0)
    governance.set_role(world, PAUSER, VALUE)
    governance.set_role(world, ARBITER, VALUE)
    world.fund(HEIR.pubkey())
    with refused("NotPauser"):
        world.do(calls.set_pause(world.pauser, 1))
    with refused("NotArbiter"):
        world.do(governance.open_case(case))
    world.do(calls.set_pause(HEIR, 1))
    world.do(governance.open_case(case, HEIR))


def test_a_new_feed_replaces_the_old_one(world: World) -> None:
    renter, feed = world.renter("renter a"), b"\x09" * 32
    world.give_io(renter, IO_UNIT)
    governance.set_role(world, FEED, feed)
    world.post_price(3 * IO_UNIT)
    with refused("OracleWrongFeed"):
        world.do(calls.mint_iosd(renter, world.oracle, IO_UNIT, feed_id=FEED_ID))
    world.post_price(3 * IO_UNIT, feed_id=feed)
    world.do(calls.mint_iosd(renter, world.oracle, IO_UNIT, feed_id=feed))


def test_parameters_bind_new_leases_only(world: World) -> None:
    params = changed(
        world,
        interval_secs=700,
        grace_intervals=2,
        dispute_window_secs=3_500,
        defend_window_secs=3_500,
        tier_bps=(100, 200, 300, 400),
        tier_secs=(7_200, 49 * HOUR, 121 * HOUR),
        tier1_intervals=3,
        quit_bps=100,
        renter_fee_bps=300,
        supplier_fee_bps=300,
        renter_share_bps=0,
    )
    world.do(governance.propose_params(world.authority, params))
    world.warp(21 * DAY)
    served, silent = world.running("a"), world.running("b")
    copies = world.of(served), world.of(silent)
    world.do(governance.apply_pending(world.stranger))
    assert (world.of(served), world.of(silent)) == copies
    new = world.of(world.running("c"))
    assert (new.interval_secs, new.grace_intervals, new.dispute_window_secs, new.quit_bps) == (700, 2, 3_500, 100)
    assert (new.renter_fee_bps, new.supplier_fee_bps, new.tier_bps) == (300, 300, (100, 200, 300, 400))
    world.serve(served, 12)
    # Two hours of silence: the 4 % that were agreed from one hour on, not the 1 % of today.
    slashed = world.do(calls.report_missed(silent, silent.node.owner, rewarded=False)).event(NodeSlashed)
    assert (slashed.bps, slashed.amount) == (400, required_stake(H100, 8) * 4 // 100)
    assert slashed.to_renter > 0
    world.warp(600 + 3_600)
    settled = world.do(calls.settle_lease(served)).event(LeaseSettled)
    assert (settled.paid, settled.supplier_fee, settled.renter_fee) == (32_000_000, 80_000, 80_000)
