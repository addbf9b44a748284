from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ProofAppended
from program import calls
from program.chain import refused
from program.refs import LeaseRef
from program.world import HOUR, World

INTERVAL = 600
ROOT = b"\x01" * 32


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running()


@dataclass(frozen=True)
class Proof:
    interval: int
    served: int
    gpu_ms: int
    root: bytes

    def chained(self, head: bytes) -> bytes:
        parts = [
            self.interval.to_bytes(4, "little"),
            self.served.to_bytes(4, "little"),
            self.gpu_ms.to_bytes(8, "little"),
        ]
        return hashlib.sha256(head + b"".join(parts) + self.root).digest()


def test_all_fields_and_the_hash_chain(world: World, lease: LeaseRef) -> None:
    head, before = bytes(32), 0
    proofs = [Proof(0, 100, 0, ROOT), Proof(0, 600, 2**64 - 1, b"\x02" * 32), Proof(1, 1, 7, b"\x03" * 32)]
    for count, (proof, at) in enumerate(zip(proofs, (100, 600, 601), strict=True), start=1):
        world.warp_to(world.of(lease).started_at + at)
        landed = world.do(calls.append_proof(lease, proof.interval, proof.served, root=proof.root, gpu_ms=proof.gpu_ms))
        head = proof.chained(head)
        assert landed.events == (
            ProofAppended(
                lease=lease.key,
                seq=3 + count,
                at=world.now,
                node=lease.node.key,
                interval=proof.interval,
                served_before=before if proof.interval == 0 else 0,
                served_secs=proof.served,
                gpu_ms=proof.gpu_ms,
                root=proof.root,
                proof_head=head,
                proof_count=count,
                kept=proof.served >= 300,
                moved_secs=0,
                pending_bps=0,
            ),
        )
        before = proof.served
    found = world.of(lease)
    assert (found.proof_head, found.proof_count, found.ring[:2], found.ring_next) == (head, 3, (600, 1), 2)
    assert (found.synced_at, found.synced_slot) == (world.now, world.slot)
    # The second proof was the last of a kept interval.
    assert (found.last_kept_at, found.kept_next) == (found.started_at + 600, 1)


@pytest.mark.parametrize(("served", "kept"), [(299, False), (300, True)])
def test_a_kept_interval_is_served_for_half_of_it(world: World, lease: LeaseRef, served: int, kept: bool) -> None:
    world.warp(INTERVAL)
    assert world.do(calls.append_proof(lease, 0, served)).event(ProofAppended).kept == kept
    found = world.of(lease)
    assert (found.kept_next, found.last_kept_at) == ((1, world.now) if kept else (0, found.started_at))


@pytest.mark.parametrize(("served", "kept"), [(3, False), (4, True)])
def test_the_last_interval_is_kept_by_half_of_its_own_length(world: World, served: int, kept: bool) -> None:
    lease = world.running("b", duration=INTERVAL + 7)
    world.warp(INTERVAL + 7)
    assert world.do(calls.append_proof(lease, 1, served)).event(ProofAppended).kept == kept


def test_an_interval_counts_by_its_final_length(world: World, lease: LeaseRef) -> None:
    """All of what has passed of it is not enough: a second after a second would be a whole interval."""
    world.warp(299)
    assert not world.do(calls.append_proof(lease, 0, 299)).event(ProofAppended).kept
    world.warp(1)
    assert world.do(calls.append_proof(lease, 0, 300)).event(ProofAppended).kept


def test_one_second_in_each_interval_is_an_outage_all_the_same(world: World) -> None:
    lease = world.running("b", duration=20 * 24 * HOUR)
    for interval in range(7):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, 1))
    world.warp(INTERVAL)
    # Eighty minutes without a kept interval: the second tier, which the next kept one leaves to charge.
    assert world.do(calls.append_proof(lease, 7, INTERVAL)).event(ProofAppended).pending_bps == 400


def test_it_writes_nothing_but_the_lease(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL)
    call = calls.append_proof(lease, 0, INTERVAL)
    assert [meta.pubkey for meta in call.instruction.accounts if meta.is_writable] == [lease.key]
    keys = (lease.node.key, lease.cluster.key, calls.NETWORK)
    before = [world.raw(key).data for key in keys]
    world.do(call)
    assert [world.raw(key).data for key in keys] == before


@pytest.mark.parametrize("at", [INTERVAL, 2 * INTERVAL - 1])
def test_inside_the_interval_and_its_grace(world: World, lease: LeaseRef, at: int) -> None:
    world.warp(at)
    world.do(calls.append_proof(lease, 0, INTERVAL))


@pytest.mark.parametrize("at", [2 * INTERVAL, 2 * INTERVAL + 1])
def test_after_the_grace_fails(world: World, lease: LeaseRef, at: int) -> None:
    world.warp(at)
    with refused("IntervalNotOpen"):
        world.do(calls.append_proof(lease, 0, INTERVAL))


@pytest.mark.parametrize(("at", "error"), [(INTERVAL - 1, "IntervalNotOpen"), (INTERVAL, "ServedTooLong")])
def test_before_the_interval_fails(world: World, lease: LeaseRef, at: int, error: str) -> None:
    world.warp(at)
    with refused(error):
        world.do(calls.append_proof(lease, 1, 1))
    world.warp_to(world.of(lease).started_at + INTERVAL + 1)
    world.do(calls.append_proof(lease, 1, 1))


@pytest.mark.parametrize("at", [100, 599])
def test_more_than_has_passed_fails(world: World, lease: LeaseRef, at: int) -> None:
    world.warp(at)
    with refused("ServedTooLong"):
        world.do(calls.append_proof(lease, 0, at + 1))
    world.do(calls.append_proof(lease, 0, at))


def test_more_than_the_interval_fails(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL + 100)
    with refused("ServedTooLong"):
        world.do(calls.append_proof(lease, 0, INTERVAL + 1))


def test_raised_but_never_lowered(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL)
    world.do(calls.append_proof(lease, 0, 300))
    world.do(calls.append_proof(lease, 0, 300))
    with refused("ProofLowered"):
        world.do(calls.append_proof(lease, 0, 299))
    world.do(calls.append_proof(lease, 0, 301))
    assert world.of(lease).ring[0] == 301


def test_raised_after_the_next_one_was_proven(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL + 100)
    world.do(calls.append_proof(lease, 0, 300), calls.append_proof(lease, 1, 100))
    world.do(calls.append_proof(lease, 0, 600))
    assert (world.of(lease).ring[:2], world.of(lease).ring_next) == ((600, 100), 2)


def test_an_interval_that_was_skipped_fails(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL + 100)
    world.do(calls.append_proof(lease, 1, 100))
    with refused("ProofOutOfOrder"):
        world.do(calls.append_proof(lease, 0, 600))


def test_nothing_served_fails(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL)
    with refused("ZeroAmount"):
        world.do(calls.append_proof(lease, 0, 0))


def test_an_empty_root_fails(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL)
    with refused("ZeroHash"):
        world.do(calls.append_proof(lease, 0, 1, root=bytes(32)))


@pytest.mark.parametrize("interval", [12, 13, 2**32 - 1])
def test_an_interval_beyond_the_end_fails(world: World, lease: LeaseRef, interval: int) -> None:
    world.warp(2 * HOUR)
    with refused("LeaseOver"):
        world.do(calls.append_proof(lease, interval, 1))


def test_the_last_interval_may_be_shorter(world: World) -> None:
    lease = world.running("b", duration=INTERVAL + 7)
    world.warp(INTERVAL + 7)
    with refused("ServedTooLong"):
        world.do(calls.append_proof(lease, 1, 8))
    world.do(calls.append_proof(lease, 0, INTERVAL), calls.append_proof(lease, 1, 7))


@pytest.mark.parametrize(("late", "open_"), [(-1, True), (0, False), (1, False)])
def test_the_last_proof_after_the_end(world: World, lease: LeaseRef, late: int, open_: bool) -> None:
    world.serve(lease, 11)
    world.warp_to(world.of(lease).ends_at + INTERVAL + late)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).status == LeaseStatus.ENDED
    if open_:
        world.do(calls.append_proof(lease, 11, INTERVAL))
    else:
        with refused("IntervalNotOpen"):
            world.do(calls.append_proof(lease, 11, INTERVAL))


def test_before_the_meter_runs_fails(world: World) -> None:
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    with refused("WrongLeaseState"):
        world.do(calls.append_proof(lease, 0, 1))


def test_after_a_cancellation_fails(world: World) -> None:
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))
    with refused("WrongLeaseState"):
        world.do(calls.append_proof(lease, 0, 1))


def test_by_another_than_the_device_key_fails(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL)
    for other in (lease.node.owner, lease.cluster.renter, lease.cluster.session, world.stranger):
        with refused("NotDeviceKey"):
            world.do(calls.append_proof(lease, 0, 1, device=other))


@pytest.mark.parametrize(
    ("gap", "tier"),
    [(1, 0), (2, 200), (4, 200), (5, 400), (48 * 6, 3_000), (120 * 6, 5_000)],
    ids=lambda value: str(value),
)
def test_after_a_gap_the_tier_that_it_reached_is_pending(world: World, gap: int, tier: int) -> None:
    # A gap of n intervals is seen when its successor is proven: n + 1 intervals after the last proof.
    lease = world.running("b", duration=20 * 24 * HOUR)
    world.serve(lease, 1)
    world.warp((gap + 1) * INTERVAL)
    landed = world.do(calls.append_proof(lease, gap + 1, INTERVAL))
    assert landed.event(ProofAppended).pending_bps == tier
    assert (world.of(lease).pending_bps, world.of(lease).charged_bps) == (tier, 0)


def test_gaps_add_up(world: World) -> None:
    lease = world.running("b", duration=24 * HOUR)
    world.serve(lease, 1)
    for first in (3, 7, 13):
        world.warp_to(world.of(lease).started_at + (first + 1) * INTERVAL)
        world.do(calls.append_proof(lease, first, INTERVAL))
    # Two, three and five intervals were missing: 2 %, 2 % and 4 %.
    assert world.of(lease).pending_bps == 800
