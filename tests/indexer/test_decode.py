from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from indexer.recording import PROGRAM_ID, ConflictRecording, EndingRecording, Recording
from ionet import base58
from ionet.codec import EVENT_TAG
from ionet.program import PROGRAM
from ionet_indexer.core.decode import (
    BadTransaction,
    InnerInstruction,
    Loaded,
    Meta,
    Transaction,
    Unread,
    decode,
    position,
    slot_of,
)
from ionet_indexer.topics.fold import links

(BOOKED,) = (bytes(item.discriminator) for item in PROGRAM.codec.idl.events if item.name == "LeaseBooked")


def meta_of(transaction: Transaction) -> Meta:
    assert transaction.meta is not None
    return transaction.meta


def booked(recording: Recording) -> Transaction:
    """The transaction that booked two nodes."""
    names = [[type(event.value).__name__ for event in decode(item, PROGRAM.codec)] for item in recording.transactions]
    return recording.transactions[names.index(["LeaseBooked", "LeaseBooked"])]


def test_every_event_of_the_program_happens_in_a_recording(
    recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> None:
    transactions = [*recording.transactions, *conflicts.transactions, *endings.transactions]
    seen = {type(event.value).__name__ for item in transactions for event in decode(item, PROGRAM.codec)}
    assert seen == {item.name for item in PROGRAM.codec.idl.events}


@pytest.mark.parametrize("story", ["recording", "conflicts", "endings"])
def test_every_entity_is_numbered_without_holes(story: str, request: pytest.FixtureRequest) -> None:
    last: dict[str, int] = {}
    for item in request.getfixturevalue(story).transactions:
        for event in decode(item, PROGRAM.codec):
            for entity, seq in links(event.value):
                assert seq == last.get(entity, 0) + 1
                last[entity] = seq


def test_events_are_in_order_and_carry_their_place(recording: Recording) -> None:
    transaction = booked(recording)
    first, second = decode(transaction, PROGRAM.codec)
    assert first.signature == second.signature == transaction.signature
    assert first.position < second.position
    assert slot_of(first.position) == transaction.slot
    assert (first.outer_ix, first.inner_ix) < (second.outer_ix, second.inner_ix)


def test_a_failed_transaction_has_no_events(recording: Recording) -> None:
    transaction = booked(recording)
    meta_of(transaction).err = {"InstructionError": [0, {"Custom": 6000}]}
    assert decode(transaction, PROGRAM.codec) == []


def test_the_same_bytes_sent_by_another_program_are_no_event(recording: Recording) -> None:
    transaction = booked(recording)
    keys = transaction.transaction.message.account_keys
    keys[keys.index(PROGRAM_ID)] = "11111111111111111111111111111112"
    assert decode(transaction, PROGRAM.codec) == []


def test_the_program_may_come_from_a_lookup_table(recording: Recording) -> None:
    transaction = booked(recording)
    keys = transaction.transaction.message.account_keys
    index = keys.index(PROGRAM_ID)
    keys[index] = "11111111111111111111111111111112"
    meta_of(transaction).loaded_addresses = Loaded([], [PROGRAM_ID])
    for inner in meta_of(transaction).inner_instructions or []:
        for instruction in inner.instructions:
            if instruction.program_id_index == index:
                instruction.program_id_index = len(keys)
    assert len(decode(transaction, PROGRAM.codec)) == 2


def test_other_inner_instructions_of_the_program_are_skipped(recording: Recording) -> None:
    transaction = booked(recording)
    inner = (meta_of(transaction).inner_instructions or [])[0]
    index = transaction.transaction.message.account_keys.index(PROGRAM_ID)
    inner.instructions.insert(0, InnerInstruction(index, base58.encode(b"12345678 not an event")))
    assert len(decode(transaction, PROGRAM.codec)) == 2


@pytest.mark.parametrize("payload", [b"", b"\0" * 7, BOOKED + b"\0", BOOKED + b"\0" * 65])
def test_an_event_that_cannot_be_read_is_refused(recording: Recording, payload: bytes) -> None:
    transaction = booked(recording)
    inner = (meta_of(transaction).inner_instructions or [])[0]
    index = transaction.transaction.message.account_keys.index(PROGRAM_ID)
    inner.instructions.append(InnerInstruction(index, base58.encode(EVENT_TAG + payload)))
    with pytest.raises(BadTransaction, match=transaction.signature):
        decode(transaction, PROGRAM.codec)


def test_an_event_that_is_not_known_is_kept_with_its_bytes(recording: Recording) -> None:
    transaction = booked(recording)
    inner = (meta_of(transaction).inner_instructions or [])[0]
    index = transaction.transaction.message.account_keys.index(PROGRAM_ID)
    inner.instructions.append(InnerInstruction(index, base58.encode(EVENT_TAG + b"of later and more")))
    first, unread, second = decode(transaction, PROGRAM.codec)
    assert [type(event.value).__name__ for event in (first, second)] == ["LeaseBooked", "LeaseBooked"]
    assert (unread.value, unread.data) == (Unread(), b"of later and more")


def test_a_transaction_without_its_place_is_refused(recording: Recording) -> None:
    transaction = booked(recording)
    transaction.transaction_index = None
    with pytest.raises(BadTransaction, match="not known"):
        decode(transaction, PROGRAM.codec)


@given(*[st.tuples(*[st.integers(0, (1 << bits) - 1) for bits in (33, 16, 7, 7)])] * 2)
def test_positions_sort_like_their_parts(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert (position(*one) < position(*other)) == (one < other)
    assert 0 <= position(*one) < 1 << 63


@pytest.mark.parametrize("place", [(1 << 33, 0, 0, 0), (0, 1 << 16, 0, 0), (0, 0, 128, 0), (0, 0, 0, 128)])
def test_positions_beyond_the_chains_limits_are_refused(place: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadTransaction):
        position(*place)


@pytest.mark.parametrize("text", [b"{}", b'{"slot": 1}', b'{"slot": "1", "transaction": {}, "meta": {}}', b"null"])
def test_malformed_transactions_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=Transaction)
