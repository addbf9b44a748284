"""The client's copy of the program's arithmetic (`ionet.rules`) against the program, over random leases.

Each lease is written field by field, each answer comes from the program itself, without keeping what it did.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest
from ionet.errors import ChainRefused
from ionet.generated.accounts import Lease
from ionet.generated.enums import TAKEN, LeaseStatus
from ionet.generated.types import ProofEntry
from ionet.lease_view import LeaseView
from ionet.rules import disputes as rules
from ionet.rules import lease_time as time
from program import calls, disputes
from program.chain import Call, error_name
from program.refs import LeaseRef
from program.world import World

RUNS, RING = 60, 16


@pytest.fixture(scope="module")
def stage() -> tuple[World, LeaseRef]:
    """A running lease, whose account each test overwrites."""
    world = World.started()
    lease = world.running()
    # Far from the start of time, so that no lease begins before it, and no key or promise is too new.
    world.warp(200_000)
    return world, lease


def answer(world: World, call: Call) -> str:
    """What the program says to a call, "ok" when it would do it. Everything is as before afterwards."""
    keys = list(dict.fromkeys(meta.pubkey for meta in call.instruction.accounts if meta.is_writable))
    before = [(key, world.svm.get_account(key)) for key in keys]
    try:
        world.do(call)
    except ChainRefused as error:
        return error_name(error)
    finally:
        for key, account in before:
            if account is not None:
                world.svm.set_account(key, account)
    return "ok"


def leases(stage: tuple[World, LeaseRef], seed: int) -> Iterator[tuple[Lease, random.Random]]:
    """Random leases on the chain, as long as the ring can hold, with the clock near one of their bounds."""
    world, lease = stage
    dice = random.Random(seed)
    for _ in range(RUNS):
        interval_secs, grace = dice.randint(1, 900), dice.randint(0, 3)
        length = dice.randint(1, RING * interval_secs)
        count = -(-length // interval_secs)
        window = dice.randint(0, 3 * interval_secs)
        bound = dice.choice([0, length, *(at * interval_secs for at in range(count + 1))])
        offset = bound + dice.choice([0, grace * interval_secs, grace * interval_secs + window]) + dice.randint(-1, 1)
        proven = dice.randint(0, count)
        ring = [dice.choice([1, 1, 1, 0, TAKEN]) if at < proven else 0 for at in range(RING)]
        if proven:
            ring[proven - 1] = 1
        world.forge(
            Lease,
            lease.key,
            status=dice.choice([LeaseStatus.ACTIVE, LeaseStatus.ENDED]),
            started_at=world.now - offset,
            ends_at=world.now - offset + length,
            interval_secs=interval_secs,
            grace_intervals=grace,
            dispute_window_secs=window,
            ring=tuple(ring),
            ring_base=0,
            ring_next=proven,
            approved_through=dice.choice([0, dice.randint(0, proven)]),
            blocked_from=dice.randint(0, count),
            blocked_until=dice.choice([0, world.now, world.now + 1]),
            defend_window_secs=dice.randint(0, 3 * interval_secs),
            kept_next=proven,
            # By slots and by seconds alike.
            last_kept_at=world.now,
            last_kept_slot=world.slot,
        )
        yield world.of(lease), dice


def test_a_proof_is_taken_between_start_and_deadline_of_its_interval(stage: tuple[World, LeaseRef]) -> None:
    world, ref = stage
    told = set()
    for lease, dice in leases(stage, 1):
        interval = dice.randint(0, time.intervals(lease))
        running = time.interval_at(lease, world.now)
        if running is not None:
            interval = dice.choice([interval, running, max(running - lease.grace_intervals - 1, 0)])
        served = min(world.now, time.interval_end(lease, interval)) - time.interval_start(lease, interval)
        entry = ProofEntry(interval, max(served, 1), dice.randint(0, 2**63), dice.randbytes(32))
        said = answer(
            world,
            calls.append_proof(ref, interval, entry.served_secs, root=entry.root, gpu_ms=entry.gpu_ms),
        )
        if interval >= time.intervals(lease):
            expected = {"LeaseOver"}
        elif not time.interval_start(lease, interval) <= world.now < time.proof_deadline(lease, interval):
            expected = {"IntervalNotOpen"}
        elif served == 0:
            expected = {"ServedTooLong"}
        else:
            expected = {"ok", "ProofOutOfOrder", "RingTooSmall"}
        assert said in expected, (lease, interval)
        told.add(said)
    assert {"ok", "LeaseOver", "IntervalNotOpen"} <= told


def test_a_proof_carries_the_chain_on(stage: tuple[World, LeaseRef]) -> None:
    world, ref = stage
    world.forge(Lease, ref.key, started_at=world.now - 5, ends_at=world.now + 5, interval_secs=10, ring_next=0)
    world.forge(Lease, ref.key, status=LeaseStatus.ACTIVE, ring=(0,) * RING, ring_base=0, proof_head=rules.START)
    dice, entries = random.Random(2), []
    for served in range(1, 5):
        entries.append(ProofEntry(0, served, dice.randint(0, 2**63), dice.randbytes(32)))
        last = entries[-1]
        world.do(calls.append_proof(ref, 0, served, root=last.root, gpu_ms=last.gpu_ms))
        assert world.of(ref).proof_head == rules.chain_head(entries)


def test_disputes_may_choose_among_closed_intervals_that_are_not_mature(stage: tuple[World, LeaseRef]) -> None:
    world, ref = stage
    told = set()
    for lease, _ in leases(stage, 3):
        found = rules.disputable(lease, world.now)
        for first, end in ((found.start, found.stop), (found.start - 1, found.stop), (found.start, found.stop + 1)):
            if first < 0:
                continue
            inside = found.start <= first < end <= found.stop
            held = inside and all(lease.ring[at] != TAKEN for at in range(first, end))
            counts = held and any(rules.is_open(lease, at) for at in range(first, end))
            said = answer(world, disputes.dispute_lease(ref, first, end))
            assert said == ("ok" if counts else "RangeNotDisputable"), (lease, first, end)
            told.add(said)
    assert told == {"ok", "RangeNotDisputable"}


def test_approval_may_name_what_is_closed(stage: tuple[World, LeaseRef]) -> None:
    """What is approved is mature at once: it cannot be disputed."""
    world, ref = stage
    for lease, _ in leases(stage, 4):
        closed = rules.closed_proofs(lease, world.now)
        if closed > rules.first_undecided(lease):
            assert answer(world, disputes.approve_lease(world, ref, closed)) == "ok"
        assert answer(world, disputes.approve_lease(world, ref, closed + 1)) != "ok"


def test_a_lease_is_final_to_the_second(stage: tuple[World, LeaseRef]) -> None:
    world, ref = stage
    for lease, _ in leases(stage, 5):
        for now in (time.final_at(lease) - 1, time.final_at(lease)):
            shift = now - world.now
            moved = {"started_at": lease.started_at - shift, "ends_at": lease.ends_at - shift}
            world.forge(Lease, ref.key, status=LeaseStatus.ENDED, **moved)
            shifted = world.of(ref)
            final = world.now >= time.final_at(shifted)
            final &= time.mature_intervals(shifted, world.now) == time.intervals(shifted)
            said = answer(world, calls.close_lease(ref))
            assert (said == "TooEarly") != final, (said, shifted)
            assert rules.may_be_disputed(shifted, world.now) != final


@pytest.mark.parametrize("status", [LeaseStatus.BOOKED, LeaseStatus.READY])
def test_a_late_node_is_late_to_the_second(stage: tuple[World, LeaseRef], status: LeaseStatus) -> None:
    world, ref = stage
    dice = random.Random(6)
    for _ in range(10):
        secs = dice.randint(1, 10_000)
        for past in (secs - 1, secs):
            begun = {"booked_at": world.now - past, "booked_slot": 0, "ready_at": 0, "started_at": 0}
            if status is LeaseStatus.READY:
                begun |= {"ready_at": world.now - past, "ready_slot": 0}
            deadlines = {"ready_deadline_secs": secs, "accept_deadline_secs": secs}
            world.forge(Lease, ref.key, status=status, **begun, **deadlines)
            late = not time.runs_at(world.of(ref), world.now)
            assert (answer(world, calls.cancel_lease(ref)) == "ok") == late == (past == secs)


def test_evidence_is_taken_for_disputed_intervals(world: World) -> None:
    record = disputes.disputed(world, 6, 1, 5)
    found = world.of(record.lease)
    for at, proof in enumerate(record.proofs):
        before = {key: world.raw(key) for key in (record.lease.key, record.lease.cluster.key)}
        try:
            world.do(record.defence(at))
            taken = True
        except ChainRefused:
            taken = False
        for key, account in before.items():
            world.svm.set_account(key, account)
        assert taken == rules.can_defend(found, proof.entry.interval), at


def test_a_view_of_a_lease_is_that_lease(stage: tuple[World, LeaseRef]) -> None:
    world, ref = stage
    lease = world.of(ref)
    view = LeaseView.of(ref.key, lease, None)
    assert {name: getattr(view, name) for name in Lease.__struct_fields__} == msgspec.structs.asdict(lease)
    assert rules.dispute_of(ref.key, view) == rules.dispute_of(ref.key, lease)
