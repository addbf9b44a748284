"""What is not evidence: the signature of another thing, key or place, or one that nothing just before has verified."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from ionet import ed25519
from ionet.generated.events import DisputeResolved
from ionet.rules import challenges, merkle
from program import calls, disputes
from program.calls import NOBODY
from program.chain import Call, refused, who
from program.disputes import DEFENCE, GRACE, INTERVAL, Record, challenge, dispute_lease
from program.refs import LeaseRef
from program.world import World
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair

YEAR = 365 * 86_400
SAME = 0xFFFF


@pytest.fixture
def record(world: World) -> Record:
    """Two intervals proven, both in dispute."""
    return disputes.disputed(world, 2, 0, 2)


def verified(key: Keypair, message: bytes) -> Instruction:
    return ed25519.verify_instruction(key.pubkey(), message, bytes(key.sign_message(message)))


def message_of(lease: LeaseRef, interval: int) -> bytes:
    return challenges.challenge_message(lease.key, interval)


def proven_with(record: Record, signature: bytes) -> Record:
    """A first interval whose leaf 0 is some signature, in dispute."""
    record.world.warp(INTERVAL)
    record.prove(0, INTERVAL, signature=signature)
    record.world.warp(GRACE)
    record.world.do(dispute_lease(record.lease, 0, 1))
    return record


# -- of another lease, interval, cluster or key


def test_the_challenge_of_another_interval_fails(world: World, record: Record) -> None:
    call = record.defence(1)
    with refused("NoChallengeSignature"):
        world.do(replace(call, before=(record.evidence(0),)))
    session = record.lease.cluster.session
    record = Record(world, world.active(world.staked_node("b"), record.lease.cluster))
    proven_with(record, challenge(record.lease, 1, session))
    with refused("NoChallengeSignature"):
        world.do(replace(record.defence(0), before=(verified(session, message_of(record.lease, 1)),)))
    with refused("WrongEvidence"):
        world.do(replace(record.defence(0), before=(verified(session, message_of(record.lease, 0)),)))


def test_the_challenge_of_another_lease_of_the_cluster_fails(world: World, record: Record) -> None:
    """One key challenges both; what it signed for one lease is nothing in the other."""
    session = record.lease.cluster.session
    other = Record(world, world.active(world.staked_node("b"), record.lease.cluster))
    proven_with(other, challenge(record.lease, 0, session))
    with refused("NoChallengeSignature"):
        world.do(replace(other.defence(0), before=(verified(session, message_of(record.lease, 0)),)))
    with refused("WrongEvidence"):
        world.do(replace(other.defence(0), before=(verified(session, message_of(other.lease, 0)),)))
    world.warp(DEFENCE)
    assert world.do(calls.settle_lease(other.lease)).event(DisputeResolved).undefended_secs == INTERVAL


def test_the_proofs_of_another_lease_fail(world: World, record: Record) -> None:
    other = disputes.disputed(world, 2, 0, 2, "b")
    call = other.defence(1).swapped(
        defender=record.lease.node.device.pubkey(),
        cluster=record.lease.cluster.key,
        node=record.lease.node.key,
        lease=record.lease.key,
    )
    with refused("WrongProofChain"):
        world.do(replace(call, signers=(record.lease.node.device,)))


def test_the_key_of_another_cluster_fails(world: World, record: Record) -> None:
    other = world.cluster("b")
    with refused("NoChallengeSignature"):
        world.do(replace(record.defence(1), before=(verified(other.session, message_of(record.lease, 1)),)))


@pytest.mark.parametrize("signer", ["owner", "device", "renter"])
def test_a_challenge_that_another_signed_fails(world: World, signer: str) -> None:
    """The supplier cannot challenge themselves, and the renter's wallet is not the session key."""
    lease = world.running()
    key = {"owner": lease.node.owner, "device": lease.node.device, "renter": lease.cluster.renter}[signer]
    record = proven_with(Record(world, lease), challenge(lease, 0, key))
    with refused("NoChallengeSignature"):
        world.do(replace(record.defence(0), before=(verified(key, message_of(lease, 0)),)))


# -- when the key changes


def rotate(world: World, lease: LeaseRef, name: str) -> Keypair:
    key = who(name)
    world.do(calls.set_session_key(lease.cluster, key.pubkey(), world.now + YEAR))
    return key


def test_the_renter_changes_the_key_during_the_dispute_and_the_supplier_still_wins(
    world: World, record: Record
) -> None:
    new = rotate(world, record.lease, "second session")
    with refused("NoChallengeSignature"):
        world.do(replace(record.defence(1), before=(verified(new, message_of(record.lease, 1)),)))
    record.defend(1)
    with refused("DisputeOpen"):
        rotate(world, record.lease, "third session")
    record.defend(0)
    assert world.of(record.lease).matured_secs == 2 * INTERVAL
    rotate(world, record.lease, "third session")


def test_the_key_of_a_dispute_opened_after_the_change_is_the_new_one(world: World) -> None:
    record = disputes.served(world, 1)
    record.key = rotate(world, record.lease, "second session")
    record.serve(1, first=1)
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, 1, 2, record.lease.cluster.renter))
    old = record.lease.cluster.session
    with refused("NoChallengeSignature"):
        world.do(replace(record.defence(1), before=(verified(old, message_of(record.lease, 1)),)))
    record.defend(1)


def test_an_old_key_after_two_changes_fails(world: World) -> None:
    record = disputes.served(world, 1)
    first = record.key
    second = rotate(world, record.lease, "second session")
    record.key = rotate(world, record.lease, "third session")
    world.warp_to(world.of(record.lease).started_at + 2 * INTERVAL)
    record.prove(1, INTERVAL, signature=challenge(record.lease, 1, second))
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, 1, 2, record.lease.cluster.renter))
    for old in (first, second):
        with refused("NoChallengeSignature"):
            world.do(replace(record.defence(1), before=(verified(old, message_of(record.lease, 1)),)))


def test_two_disputes_around_one_change_keep_their_own_keys(world: World) -> None:
    """The first was opened before the change, the second after it: each is defended with the key of its time."""
    first = disputes.disputed(world, 1, 0, 1)
    new = rotate(world, first.lease, "second session")
    second = Record(world, world.ready(world.staked_node("b"), first.lease.cluster))
    world.do(calls.accept_ready(second.lease, new))
    second.key = new
    world.warp(INTERVAL)
    second.prove(0, INTERVAL)
    world.warp(GRACE)
    world.do(dispute_lease(second.lease, 0, 1, second.lease.cluster.renter))
    second.defend(0)
    with refused("DisputeOpen"):
        rotate(world, first.lease, "third session")
    first.defend(0)
    for record in (first, second):
        assert world.of(record.lease).matured_secs == INTERVAL


def test_a_key_changed_in_the_second_of_the_dispute_is_the_later_one(world: World) -> None:
    """Both in one second, in one transaction even: the dispute came first, so the old key counts."""
    record = disputes.served(world, 2)
    world.warp(GRACE)
    new = who("second session")
    changed = calls.set_session_key(record.lease.cluster, new.pubkey(), world.now + YEAR)
    world.do(dispute_lease(record.lease, 0, 2), changed)
    with refused("NoChallengeSignature"):
        world.do(replace(record.defence(1), before=(verified(new, message_of(record.lease, 1)),)))
    record.defend(1, 0)


def test_a_key_that_is_revoked_during_the_dispute_still_counts(world: World, record: Record) -> None:
    world.do(calls.set_session_key(record.lease.cluster, NOBODY, 0))
    record.defend(1, 0)
    assert world.of(record.lease).matured_secs == 2 * INTERVAL


# -- where the signature is


def place(record: Record, *before: Instruction) -> Call:
    return replace(record.defence(1), before=before)


def test_no_signature_instruction_fails(world: World, record: Record) -> None:
    budget = set_compute_unit_limit(200_000)
    good = record.evidence(1)
    for before in [(), (budget,), (good, budget), (record.evidence(1), record.evidence(0))]:
        with refused("NoChallengeSignature"):
            world.do(place(record, *before))
    world.do(place(record, budget, good))


def test_the_signature_after_it_fails(world: World, record: Record) -> None:
    call = place(record)
    with refused("NoChallengeSignature"):
        world.send([call.instruction, record.evidence(1)], [world.payer, *call.signers])


def _first(record: Record) -> Call:
    """Opens the first interval once the second was opened."""
    proof = record.proofs[0]
    return disputes.defend_lease(record.lease, bytes(32), [proof.entry], opened=True, path=merkle.path(proof.leaves, 0))


def test_one_signature_for_two_defences_in_a_transaction_fails(world: World, record: Record) -> None:
    with refused("NoChallengeSignature"):
        world.do(record.defence(1), _first(record))


def test_two_defences_with_a_signature_each_in_a_transaction(world: World, record: Record) -> None:
    world.do(record.defence(1), replace(_first(record), before=(record.evidence(0),)))
    assert world.of(record.lease).matured_secs == 2 * INTERVAL


def block(key: Keypair, message: bytes) -> bytes:
    return bytes(key.pubkey()) + bytes(key.sign_message(message)) + message


def header(start: int, instruction: int = SAME, message_len: int = 32) -> bytes:
    """Offsets of a block of key, signature and message that starts at `start`."""
    return struct.pack("<7H", start + 32, instruction, start, instruction, start + 96, message_len, instruction)


def raw(data: bytes) -> Instruction:
    return Instruction(ed25519.PROGRAM, data, [])


def test_offsets_into_another_instruction_fail(world: World, record: Record) -> None:
    """Instruction 0 holds a good signature of the supplier's over the message; instruction 1 verifies that one, and has
    the challenge's bytes in its own data, where nobody verified them."""
    key, message = record.lease.node.device, message_of(record.lease, 1)
    forged = bytes(record.key.pubkey()) + record.proofs[1].signature + message
    first = verified(key, message)
    for index in (0, 1):
        pointing = raw(bytes([1, 0]) + header(16, instruction=index) + forged)
        with refused("NoChallengeSignature"):
            world.do(place(record, first, pointing))


@pytest.mark.parametrize("part", [2, 6, 12])
def test_one_part_in_another_instruction_fails(world: World, record: Record, part: int) -> None:
    """Key, signature or message from instruction 0, the rest from its own data: each is verified, none accepted."""
    good = bytes(record.evidence(1).data)
    data = bytearray(good)
    at = {2: 4, 6: 8, 12: 14}[part]
    data[at : at + 2] = (0).to_bytes(2, "little")
    with refused("NoChallengeSignature"):
        world.do(place(record, raw(good), raw(bytes(data))))


def test_two_signatures_in_one_instruction_fail(world: World, record: Record) -> None:
    message = message_of(record.lease, 1)
    start = 2 + 2 * 14
    mine, own = block(record.key, message), block(record.lease.node.device, message)
    both = raw(bytes([2, 0]) + header(start) + header(start + 128) + mine + own)
    with refused("NoChallengeSignature"):
        world.do(place(record, both))


def test_no_signature_in_the_instruction_fails(world: World, record: Record) -> None:
    with refused("NoChallengeSignature"):
        world.do(place(record, raw(bytes([0, 0]))))


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_longer_or_shorter_message_fails(world: World, record: Record, extra: int) -> None:
    message = message_of(record.lease, 1)
    other = message[:extra] if extra < 0 else message + b"\0"
    with refused("NoChallengeSignature"):
        world.do(place(record, verified(record.key, other)))


def test_a_block_elsewhere_in_its_own_data(world: World, record: Record) -> None:
    data = bytes([1, 0]) + header(16 + 5) + bytes(5) + block(record.key, message_of(record.lease, 1))
    world.do(place(record, raw(data)))
    assert world.of(record.lease).matured_secs == INTERVAL


def test_a_signature_that_is_none_never_gets_there(world: World, record: Record) -> None:
    """Solana's own program refuses the transaction."""
    with refused("Custom 2"):
        world.do(place(record, ed25519.verify_instruction(record.key.pubkey(), message_of(record.lease, 1), bytes(64))))
