from __future__ import annotations

from dataclasses import replace

import pytest
from ionet.generated.events import DisputeDefended, DisputeResolved, LeaseSettled
from ionet.generated.types import ProofEntry
from ionet.rules import merkle
from program import calls, disputes
from program.calls import USD, ata
from program.chain import refused, who
from program.disputes import DEFENCE, GRACE, INTERVAL, Record, defend_lease, dispute_lease
from program.refs import LeaseRef
from program.world import World

BOND = 80_000  # one percent of three intervals
PARTS = (26_666, 26_667, 26_667)  # in the order of their defence: each a share of what is left, rounded down


@pytest.fixture
def record(world: World) -> Record:
    """Six intervals proven; the second to the fourth are in dispute."""
    return disputes.disputed(world, 6, 1, 4)


def settled(world: World, lease: LeaseRef) -> LeaseSettled:
    return world.do(calls.settle_lease(lease)).event(LeaseSettled)


def test_all_fields_ok(world: World, record: Record) -> None:
    lease = record.lease
    landed = record.defend(3)[0]
    assert landed.events == (
        DisputeDefended(
            lease=lease.key,
            seq=11,
            at=world.now,
            interval=3,
            defended=True,
            served_secs=INTERVAL,
            bond_part=PARTS[0],
            dispute_to=3,
            dispute_head=record.head(3),
            by=lease.node.device.pubkey(),
        ),
    )
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.dispute_from, found.dispute_to, found.held_secs) == (1, 3, 2 * INTERVAL)
    assert (found.dispute_bond, found.bond_due) == (BOND - PARTS[0], PARTS[0])
    assert (found.matured_secs, cluster.disputes_open) == (INTERVAL, 1)
    # Defended seconds are payable at once, long before the others mature.
    assert settled(world, lease).payable_secs == INTERVAL


def test_the_last_one_decides_all_fields(world: World, record: Record) -> None:
    lease = record.lease
    reserved = world.of_cluster(lease.cluster).locked
    record.defend(3, 2)
    defended, resolved = record.defend(1)[0].events
    assert (defended.interval, defended.dispute_to, defended.bond_part) == (1, 1, PARTS[2])
    assert resolved == DisputeResolved(
        lease=lease.key,
        seq=14,
        at=world.now,
        node=lease.node.key,
        cluster=lease.cluster.key,
        cluster_seq=5,
        undefended_secs=0,
        bond_returned=0,
        bond_due=BOND,
        cluster_locked_after=reserved,
    )
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.dispute_from, found.dispute_to, found.held_secs, found.dispute_bond) == (0, 0, 0, 0)
    assert (found.undefended_secs, found.bond_due, cluster.disputes_open) == (0, BOND, 0)
    with refused("NoDispute"):
        world.do(record.defence(0, by=lease.node.owner))


def test_the_bond_is_paid_on_top_and_bears_no_fee(world: World, record: Record) -> None:
    lease = record.lease
    before = world.tokens(ata(lease.node.owner, USD))
    record.defend(3, 2, 1)
    paid = settled(world, lease)
    gross = 8_000_000
    fee = gross * 25 // 10_000
    assert (paid.paid, paid.supplier_amount, paid.supplier_fee, paid.bond_paid) == (gross, gross - fee, fee, BOND)
    assert paid.cluster_paid_after == gross - fee + BOND
    assert world.tokens(ata(lease.node.owner, USD)) - before == gross - fee + BOND
    assert world.of(lease).bond_due == 0
    assert world.do(calls.settle_lease(lease)).events == ()


def test_by_the_owner(world: World, record: Record) -> None:
    landed = world.do(record.defence(3, by=record.lease.node.owner))
    assert landed.event(DisputeDefended).by == record.lease.node.owner.pubkey()


@pytest.mark.parametrize("opened", [False, True])
def test_by_another_than_the_suppliers_side_fails(world: World, record: Record, opened: bool) -> None:
    """Who walks the chain past an interval has given it up: the renter must not be able to."""
    cluster = record.lease.cluster
    for other in (cluster.renter, cluster.session, world.stranger):
        with refused("NotSupplier"):
            world.do(record.defence(1, opened=opened, by=other))


def test_by_a_rotated_device_key(world: World, record: Record) -> None:
    new = who("new device")
    world.do(calls.rotate_device_key(record.lease.node, new))
    with refused("NotSupplier"):
        world.do(record.defence(3))
    world.do(record.defence(3, by=new))


@pytest.mark.parametrize("late", [-1, 0])
def test_the_time_to_defend_to_the_second(world: World, record: Record, late: int) -> None:
    world.warp(DEFENCE + late)
    if late:
        record.defend(3)
        return
    for opened in (False, True):
        with refused("DefendTooLate"):
            world.do(record.defence(3, opened=opened))


def test_a_halt_of_the_chain_does_not_shorten_the_time_to_defend(world: World, record: Record) -> None:
    world.warp(2 * DEFENCE, slots=10)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).held_secs == 3 * INTERVAL
    record.defend(3, 2, 1)
    assert world.of(record.lease).held_secs == 0


def test_a_chain_is_walked_back_over_several_transactions(world: World) -> None:
    record = disputes.served(world, 3)
    for secs in range(1, 40):  # the fourth interval is raised again and again
        world.warp(10)
        record.prove(3, secs)
    world.do(dispute_lease(record.lease, 0, 1))
    for at in range(32, 0, -8):
        landed = world.do(record.defence(at, opened=False))
        walked = landed.event(DisputeDefended)
        assert (walked.defended, walked.bond_part, walked.dispute_to) == (False, 0, 1)
        assert (walked.dispute_head, walked.interval) == (record.head(at), record.proofs[at].entry.interval)
        assert world.of(record.lease).dispute_head == record.head(at)
    assert isinstance(record.defend(0)[0].events[-1], DisputeResolved)


def test_what_was_passed_over_is_lost_and_refunded(world: World, record: Record) -> None:
    lease = record.lease
    record.defend(3, 1)
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.matured_secs, found.undefended_secs, found.bond_due) == (2 * INTERVAL, INTERVAL, PARTS[0] + PARTS[1])
    assert (found.held_secs, cluster.disputes_open) == (0, 0)
    with refused("NoDispute"):
        world.do(defend_lease(lease, record.head(2), [record.proofs[2].entry]))


def test_one_that_was_walked_past_cannot_be_opened_any_more(world: World, record: Record) -> None:
    skipped = record.defence(3)
    world.do(record.defence(2, opened=False))
    with refused("WrongProofChain"):
        world.do(skipped)
    record.defend(1)
    assert world.of(record.lease).undefended_secs == 2 * INTERVAL


def test_a_raised_interval_counts_what_it_was_raised_to(world: World) -> None:
    record = Record(world, world.running())
    for secs in (100, 250):
        world.warp(secs)
        record.prove(0, secs)
    world.warp(GRACE + INTERVAL)
    world.do(dispute_lease(record.lease, 0, 1))
    assert world.of(record.lease).held_secs == 250
    record.defend(1)
    found = world.of(record.lease)
    assert (found.matured_secs, found.undefended_secs, found.missed_secs) == (250, 0, 350)


def test_a_raised_interval_opened_at_its_first_proof_counts_only_that(world: World) -> None:
    record = Record(world, world.running())
    for secs in (100, 250):
        world.warp(secs)
        record.prove(0, secs)
    world.warp(GRACE + INTERVAL)
    world.do(dispute_lease(record.lease, 0, 1))
    bond = world.of(record.lease).dispute_bond
    record.defend(0)
    found = world.of(record.lease)
    assert (found.matured_secs, found.undefended_secs, found.missed_secs) == (100, 150, 350)
    assert found.bond_due == bond * 100 // 250


def test_an_interval_is_not_counted_twice_by_its_two_proofs(world: World) -> None:
    record = disputes.served(world, 1)
    world.warp(100)
    record.prove(1, 100)
    world.warp(100)
    record.prove(1, 200)
    world.warp(GRACE + INTERVAL)
    world.do(dispute_lease(record.lease, 0, 2))
    record.defend(2)
    with refused("WrongEvidence"):
        world.do(record.defence(1))
    record.defend(0)
    found = world.of(record.lease)
    assert (found.matured_secs, found.undefended_secs) == (INTERVAL + 200, 0)


@pytest.mark.parametrize(("opened", "matured"), [((1, 0), 200), ((2,), 600)])
def test_who_raises_an_interval_after_the_next_can_defend_only_one_in_full(
    world: World, opened: tuple[int, ...], matured: int
) -> None:
    """The chain then has the first interval's last proof after the second's: suppliers prove in order."""
    record = Record(world, world.running())
    world.warp(INTERVAL)
    record.prove(0, 100)
    world.warp(100)
    record.prove(1, 100)
    record.prove(0, INTERVAL)
    world.warp(GRACE + INTERVAL)
    world.do(dispute_lease(record.lease, 0, 2))
    assert world.of(record.lease).held_secs == INTERVAL + 100
    record.defend(*opened)
    found = world.of(record.lease)
    assert (found.matured_secs, found.undefended_secs) == (matured, INTERVAL + 100 - matured)


@pytest.mark.parametrize("at", [0, 4, 5])
def test_an_interval_outside_the_dispute_fails(world: World, record: Record, at: int) -> None:
    with refused("WrongEvidence"):
        world.do(record.defence(at))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_wrong_entries_fail(world: World, record: Record, count: int) -> None:
    lease, entries = record.lease, [proof.entry for proof in record.proofs]
    wrong = [
        (record.head(4), []),
        (record.head(3), entries[3:4]),  # the later ones are missing
        (record.head(3), [*entries[3:5], entries[4]]),
        (record.head(3), [entries[3], entries[5], entries[4]]),
        (record.head(2), entries[3:]),
        (record.head(3), [replace_entry(entries[3], served_secs=599), *entries[4:]]),
        (record.head(3), [replace_entry(entries[3], gpu_ms=0), *entries[4:]]),
        (record.head(3), [replace_entry(entries[3], interval=2), *entries[4:]]),
        (record.head(3), [replace_entry(entries[3], root=bytes(32)), *entries[4:]]),
    ]
    for head, given in wrong[count::3]:
        with refused("WrongProofChain"):
            world.do(defend_lease(lease, head, given))


def replace_entry(entry: ProofEntry, **changes: int | bytes) -> ProofEntry:
    values = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return ProofEntry(**{**values, **changes})


def test_a_path_of_another_place_fails(world: World, record: Record) -> None:
    leaves = record.proofs[3].leaves
    entries = [kept.entry for kept in record.proofs[3:]]
    good = merkle.path(leaves, 0)
    wrong = [merkle.path(leaves, 1), merkle.path(leaves, 2), [], good[:1], [*good, good[0]], good[::-1]]
    for path in wrong:
        call = defend_lease(record.lease, record.head(3), entries, opened=True, path=path)
        with refused("WrongEvidence"):
            world.do(replace(call, before=(record.evidence(3),)))


@pytest.mark.parametrize("results", [0, 1, 2, 3, 7, 8, 30])
def test_trees_of_every_size(world: World, results: int) -> None:
    record = Record(world, world.running())
    world.warp(INTERVAL)
    record.prove(0, INTERVAL, results=results)
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, 0, 1))
    record.defend(0)
    assert world.of(record.lease).matured_secs == INTERVAL
