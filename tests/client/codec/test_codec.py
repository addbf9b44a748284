"""The codec against a hand-written IDL that uses every kind of type the specification has."""

from __future__ import annotations

import hashlib
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from client.codec.strategies import values
from hypothesis import given
from hypothesis import strategies as st
from ionet.codec import EVENT_TAG, DecodeError, EncodeError, ProgramCodec, UnknownEvent
from ionet.codec.types import TypeTable
from ionet.events import EventRecord, events_in
from ionet.idl import IdlError, load, load_file
from solders.pubkey import Pubkey

IDL = load_file(Path(__file__).parent / "kitchen_sink.json")
CODEC = ProgramCodec(IDL)
TABLE: TypeTable = CODEC._types
KEY = Pubkey(bytes(range(32)))


def of(name: str) -> st.SearchStrategy[Any]:
    return values(IDL, TABLE, {"defined": {"name": name}})


@given(of("Lease") | of("Journal"))
def test_account_round_trip(value: Any) -> None:
    data = CODEC.encode_account(value)
    assert CODEC.decode_account(data, type(value)) == value
    assert CODEC.decode_any_account(data) == value
    assert CODEC.encode_account(CODEC.decode_any_account(data)) == data


@given(of("Everything") | of("LeaseOpened"))
def test_event_round_trip(value: Any) -> None:
    data = CODEC.encode_event(value)
    assert CODEC.decode_event(data) == value
    assert CODEC.decode_cpi_event(EVENT_TAG + data) == value
    assert CODEC.encode_event(CODEC.decode_event(data)) == data


@given(st.integers(0, 2**64 - 1), of("Terms"), st.none() | st.text(max_size=20))
def test_instruction_round_trip(number: int, terms: Any, note: str | None) -> None:
    args = {"id": number, "terms": terms, "note": note}
    call = CODEC.decode_args(CODEC.encode_args("open", args))
    assert (call.name, call.args) == ("open", args)


@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    tags = [bytes(item.discriminator) for group in (IDL.accounts, IDL.events) for item in group]
    tags += [bytes(item.discriminator) for item in IDL.instructions]
    for tag in [*tags, b""]:
        for decode in (CODEC.decode_any_account, CODEC.decode_event, CODEC.decode_args):
            with suppress(DecodeError):
                decode(tag + data)


def test_zero_copy_offsets() -> None:
    """The bytes of a repr(C) account, written by hand."""
    slot = struct.pack("<q32sI4x", -5, b"\x07" * 32, 9)
    data = hashlib.sha256(b"account:Lease").digest()[:8]
    data += bytes(KEY) + struct.pack("<Q", 2**64 - 1) + (2**127 + 1).to_bytes(16, "little")
    data += (-3).to_bytes(16, "little", signed=True) + slot * 16 + struct.pack("<5H6x", 1, 2, 3, 4, 65535)
    data += bytes(KEY) * 2 + struct.pack("<H12s", 3, b"abc") + b"\x02" + bytes(7)
    lease = CODEC.decode_any_account(data)
    assert (lease.renter, lease.seq, lease.shares, lease.debt) == (KEY, 2**64 - 1, 2**127 + 1, -3)
    assert lease.ring[15].start == -5
    assert lease.ring[0].root == b"\x07" * 32
    assert (lease.codes, lease.keys, lease.names.len, lease.status) == ((1, 2, 3, 4, 65535), (KEY, KEY), 3, 2)
    assert CODEC.account_size(type(lease)) == len(data)
    assert not hasattr(lease, "_pad0")
    assert CODEC.encode_account(lease) == data


def test_borsh_written_by_hand_is_read() -> None:
    """Borsh written by hand: option, enum with data, vector, string."""
    data = bytes([1, 2, 3]) + b"\x01" + struct.pack("<H", 4) + struct.pack("<I", 2) + b"hi"
    data += b"\x09" + bytes(KEY) + struct.pack("<I", 1) + struct.pack("<QBBq", 10, 2, 1, -1)
    data += struct.pack("<I", 3) + b"xyz" + b"\x01\x01\x01" + struct.pack("<I", 0) + struct.pack("<I", 1) + b"q"
    journal = CODEC.decode_any_account(data)
    assert (journal.kind.workers, journal.kind.label) == (4, "hi")
    assert (journal.pair.item_0, journal.pair.item_1) == (9, KEY)
    assert journal.entries[0].currency.name == "Usdc"
    assert (journal.blob, journal.maybe, journal.fixed_strings) == (b"xyz", True, ("", "q"))
    shown = CODEC.show(journal)
    assert shown["kind"] == {"kind": "Ray", "workers": 4, "label": "hi"}
    assert shown["entries"] == [{"price": "10", "currency": "Usdc", "until": "-1"}]
    assert shown["blob"] == "78797a"


def test_fields_that_a_later_version_appended_to_an_event_are_left_out() -> None:
    event = TABLE.class_of("LeaseOpened")(KEY, 1, 2)
    assert CODEC.decode_event(CODEC.encode_event(event) + b"\x07\0\0\0") == event


def test_an_event_that_the_idl_does_not_have_is_told_apart_from_a_broken_one() -> None:
    with pytest.raises(UnknownEvent, match="no event of"):
        CODEC.decode_event(b"12345678 and more")
    with pytest.raises(DecodeError, match="LeaseOpened: unpack_from requires") as caught:
        CODEC.decode_event(CODEC.encode_event(TABLE.class_of("LeaseOpened")(KEY, 1, 2))[:-1])
    assert not isinstance(caught.value, UnknownEvent)


def test_a_client_skips_events_that_it_does_not_know() -> None:
    known, other = TABLE.class_of("LeaseOpened")(KEY, 1, 2), (CODEC.id, EVENT_TAG + b"12345678 and more")
    calls = [other, (CODEC.id, EVENT_TAG + CODEC.encode_event(known)), other]
    assert list(events_in(CODEC, [(3, calls)])) == [EventRecord(3, 1, known)]


def test_spare_account_bytes_are_left_out() -> None:
    lease = CODEC.decode_any_account(CODEC.account_discriminator(CODEC.account_class("Lease")) + bytes(5000))
    assert lease.seq == 0


def test_wrong_account_type_fails() -> None:
    with pytest.raises(DecodeError, match="not a Lease"):
        CODEC.decode_account(bytes(500), CODEC.account_class("Lease"))
    with pytest.raises(DecodeError, match="Lease: unpack_from requires"):
        CODEC.decode_any_account(CODEC.account_discriminator(CODEC.account_class("Lease")) + bytes(50))
    with pytest.raises(IdlError, match="no account type"):
        CODEC.account_class("Cluster")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"id": 2**64, "note": None}, "argument id"),
        ({"id": -1, "note": None}, "argument id"),
        ({"id": "1", "note": None}, "argument id"),
        ({"id": 1, "note": 5}, "argument note: data and layout do not fit|5 is not a string"),
        ({"id": 1}, "takes id, note, terms, got id, terms"),
        ({"id": 1, "note": None, "more": 1}, "got id, more, note, terms"),
    ],
)
def test_bad_arguments_fail(args: dict[str, Any], message: str) -> None:
    terms = TABLE.class_of("Terms")(1, 0, None)
    with pytest.raises(EncodeError, match=message):
        CODEC.encode_args("open", {**args, "terms": terms})


@pytest.mark.parametrize("terms", [None, 5, "x"])
def test_bad_struct_argument_fails(terms: Any) -> None:
    with pytest.raises(EncodeError, match="argument terms"):
        CODEC.encode_args("open", {"id": 1, "note": None, "terms": terms})


def test_bad_tags_fail() -> None:
    head = bytes([1, 2, 3])
    for data, message in [(b"\x07", "7 is not a variant of Kind"), (b"\x02" + bytes(8) + b"\xff" * 4, "announced")]:
        with pytest.raises(DecodeError, match=message):
            CODEC.decode_any_account(head + data)


def test_not_an_idl_fails() -> None:
    for text in ("", "[]", '{"address": 1}', '{"version": "0.1.0", "name": "old", "instructions": []}'):
        with pytest.raises(IdlError, match="not an Anchor IDL"):
            load(text)
    with pytest.raises(IdlError, match="cannot read"):
        load_file("/nowhere/idl.json")


def test_unknown_type_fails() -> None:
    with pytest.raises(IdlError, match="unknown type 'u7'"):
        TABLE.layout("u7")
    with pytest.raises(IdlError, match="defines no type 'Nope'"):
        TABLE.layout({"defined": {"name": "Nope"}})
