"""The rules of money, as `ionet.rules` has them, against the program on random values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ionet.generated import pdas, types
from ionet.generated.accounts import Lease, Node, StakePosition
from ionet.generated.events import LeaseBooked, LeaseSettled, NodeSlashed, Staked, UnbondRequested
from ionet.rules.pool import Pool, required_stake
from ionet.rules.pricing import earned
from program import calls, governance
from program.calls import ID, IO, terms
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, IO_UNIT, World

BPS, HOUR, U64 = 10_000, 3_600, 2**64
MILLION = 10**12
random_values = settings(
    max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def fee(amount: int, bps: int = 25) -> int:
    return ceil_div(amount * bps, BPS)


# -- payments


@cache
def rented() -> tuple[World, NodeRef, ClusterRef]:
    """One world for many leases of one node, with as much budget as there can be."""
    world = World.started()
    node = world.staked_node(processors=8, min_duration=1)
    governance.set_params(world, mint_floor=2**63)
    world.renter("renter a", 10_000_000 * IO_UNIT)
    return world, node, world.cluster("a", deposit=29_000_000 * 10**6)


@random_values
@given(
    price=st.one_of(st.integers(1, 3_000_000), st.integers(1, 10**9)),
    processors=st.integers(1, 8),
    duration=st.integers(1, 7_200),
    parts=st.lists(st.integers(0, 600), min_size=12, max_size=12),
)
def test_a_lease_costs_and_pays_what_the_rules_say(
    price: int, processors: int, duration: int, parts: list[int]
) -> None:
    world, node, cluster = rented()
    world.do(calls.update_node(node, terms(node.owner, min_duration=1, price=price)))
    world.forge(Node, node.key, processors=processors)
    lease = LeaseRef(node, cluster, world.of_node(node).next_lease_number)
    terms_seq = world.of_node(node).terms_seq
    booked = world.do(calls.add_lease(lease, H100, duration, price, terms_seq)).event(LeaseBooked)
    cost = earned(price, processors, duration)
    assert booked.locked == cost + fee(cost)
    world.do(calls.mark_ready(lease))
    world.do(calls.accept_ready(lease))
    served = sum(prove(world, lease, duration, parts))
    world.final(lease)
    landed = world.do(calls.settle_lease(lease))
    gross = earned(price, processors, served)
    if gross:
        settled = landed.event(LeaseSettled)
        assert (settled.paid, settled.payable_secs, settled.missed_secs) == (gross, served, duration - served)
        assert (settled.supplier_fee, settled.renter_fee) == (fee(gross), fee(gross))
        assert settled.supplier_amount == gross - fee(gross)
    if world.of(lease).missed_secs:
        world.forge(Lease, lease.key, pending_bps=0, charged_bps=5_000)  # slashes have their own test
    world.do(calls.close_lease(lease))
    found = world.of_cluster(cluster)
    assert (found.locked, found.deposit - found.paid - found.refunded) == (0, world.tokens(cluster.escrow))


def prove(world: World, lease: LeaseRef, duration: int, parts: list[int]) -> Iterator[int]:
    """Appends a proof of at most this many seconds per interval; gives what was accepted."""
    start = world.now
    for interval, part in enumerate(parts[: ceil_div(duration, 600)]):
        end = min(600 * (interval + 1), duration)
        world.warp_to(start + end)
        secs = min(part, end - 600 * interval)
        if secs:
            world.do(calls.append_proof(lease, interval, secs))
        yield secs


# -- stake


@cache
def staked() -> tuple[World, NodeRef]:
    world = World.started()
    node = world.node()
    world.do(calls.stake(node, 50_000 * IO_UNIT))
    return world, node


pools = st.builds(
    lambda amount, rate: Pool(amount, max(1, amount * rate // 1_000)),
    st.integers(1, 10**12),
    st.integers(1_000, 50_000_000),
)


def set_pool(world: World, node: NodeRef, pool: Pool) -> None:
    """Gives a node and its owner a pool as slashes and deposits would have left it."""
    bonded = types.Pool(amount=pool.amount, era=0, shares=pool.shares)
    world.forge(
        Node,
        node.key,
        bonded=bonded,
        unbonding=calls.EMPTY_POOL,
        owner_bonded_shares=pool.shares,
        owner_unbonding_shares=0,
    )
    free = tuple(types.Ticket(matures_at=0, lease_number=0, lease_over_by=0, shares=0, era=0) for _ in range(8))
    world.forge(StakePosition, node.position, shares=pool.shares, era=0, tickets=free)


@random_values
@given(pool=pools, amount=st.integers(1, 10**9))
def test_a_deposit_makes_the_shares_of_the_rule(pool: Pool, amount: int) -> None:
    world, node = staked()
    set_pool(world, node, pool)
    worth = pool.worth(pool.shares)
    made = world.do(calls.stake(node, amount)).event(Staked)
    expected = pool.deposit(amount)
    assert (made.shares, made.bonded_after, made.bonded_shares_after) == (expected, pool.amount, pool.shares)
    assert pool.worth(expected) <= amount
    assert pool.worth(pool.shares - expected) >= worth


@random_values
@given(pool=pools, amount=st.one_of(st.integers(1, 10**6), st.integers(1, 2 * 10**12)))
def test_unbonding_burns_the_shares_of_the_rule_and_never_pays_more(pool: Pool, amount: int) -> None:
    world, node = staked()
    set_pool(world, node, pool)
    held, before = pool.shares, pool.amount
    burned = pool.shares_for(amount, held)
    paid = pool.redeem(burned)
    moved = world.do(calls.request_unbond(node, amount)).event(UnbondRequested)
    assert (moved.shares_burned, moved.amount, moved.bonded_after) == (burned, paid, pool.amount)
    assert moved.ticket_shares == 1_000 * paid
    assert moved.bonded_after + moved.unbonding_after == before
    assert paid > 0 or (burned == held and moved.matures_at == 0)
    assert burned == held or amount <= paid <= amount + pool.amount // max(1, pool.shares) + 1


# -- slashes


@cache
def silent() -> tuple[World, LeaseRef]:
    world = World.started()
    lease = world.running(duration=10 * 24 * HOUR)
    world.open_ata(world.stranger, IO)
    world.warp(120 * HOUR)
    return world, lease


@random_values
@given(
    bonded=st.integers(0, 10**12),
    unbonding=st.integers(0, 10**12),
    required=st.integers(1, 4 * 10**12),
    pending=st.sampled_from([1, 200, 400, 600, 3_000, 5_000, 10_000]),
    price=st.integers(1, MILLION),
    missed=st.integers(0, 120 * HOUR),
    io_price=st.one_of(st.just(0), st.integers(1, 10**8)),
    renter_share=st.integers(0, BPS),
    cap=st.integers(0, 10**12),
)
def test_a_slash_is_taken_and_divided_by_the_rules(
    bonded: int,
    unbonding: int,
    required: int,
    pending: int,
    price: int,
    missed: int,
    io_price: int,
    renter_share: int,
    cap: int,
) -> None:
    world, lease = silent()
    closed = 119 * HOUR + 3_000  # what is missing for good after 120 hours of silence
    world.forge(
        Lease,
        lease.key,
        required_stake=required,
        pending_bps=pending,
        charged_bps=5_000,
        price=price,
        compensated_secs=max(0, closed - missed),
        io_price=io_price,
        renter_share_bps=renter_share,
        reporter_cap=cap,
    )
    pools = [types.Pool(amount=amount, era=0, shares=1_000 * amount) for amount in (bonded, unbonding)]
    world.forge(
        Node,
        lease.node.key,
        bonded=pools[0],
        unbonding=pools[1],
        owner_bonded_shares=pools[0].shares,
        owner_unbonding_shares=pools[1].shares,
    )
    world.give_io(lease.node.owner, 0)
    top_up(world, lease.node, bonded + unbonding)
    slashed = world.do(calls.report_missed(lease, world.stranger)).event(NodeSlashed)
    amount = min(required * pending // BPS, bonded + unbonding)
    from_bonded = amount * bonded // (bonded + unbonding) if amount else 0
    share = earned(price, 8, min(missed, closed)) * renter_share // BPS
    to_renter = min(amount // 2, share * IO_UNIT // io_price) if io_price else 0
    to_reporter = min(amount * 500 // BPS, cap, amount // 2 - to_renter)
    assert (slashed.amount, slashed.from_bonded, slashed.from_unbonding) == (amount, from_bonded, amount - from_bonded)
    assert (slashed.to_renter, slashed.to_reporter) == (to_renter, to_reporter)
    assert slashed.burned == amount - to_renter - to_reporter
    assert (slashed.bonded_after, slashed.unbonding_after) == (bonded - from_bonded, unbonding - amount + from_bonded)
    node = world.of_node(lease.node)
    assert node.bonded.era == int(0 < from_bonded == bonded)
    assert world.of(lease).compensated_secs == max(closed, closed - missed)


def top_up(world: World, node: NodeRef, amount: int) -> None:
    """The vault holds what the forged pools say."""
    short = amount - world.tokens(node.vault)
    if short > 0:
        world.move(world.treasury, node.vault, IO, short)


# -- what a model requires


@pytest.mark.parametrize("multiplier", [0, 1, 50, 99, 100, 101, 125, 3_000, 100_000])
@pytest.mark.parametrize("processors", [1, 3, 8])
def test_the_required_stake(world: World, multiplier: int, processors: int) -> None:
    code = 77
    world.do(calls.register_model(world.authority, code, multiplier=multiplier))
    node = world.node(model=code, processors=processors)
    world.do(calls.stake(node, 1))
    required = required_stake(200 * IO_UNIT, multiplier, processors)
    set_pool(world, node, Pool(required, 1_000 * required))
    lease = LeaseRef(node, world.cluster(), 0)
    assert world.do(calls.add_lease(lease, code, HOUR)).event(LeaseBooked).required_stake == required
    assert pdas.model(ID, code) != pdas.model(ID, H100)
