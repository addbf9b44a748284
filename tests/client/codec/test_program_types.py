"""Round trips of every account, event and argument of the shipped programs, with random values."""

from __future__ import annotations

import pytest
from client.codec.strategies import values
from hypothesis import given
from hypothesis import strategies as st
from ionet.codec import EVENT_TAG, DecodeError, ProgramCodec
from ionet.codec.types import fixed_size
from ionet.generated.classes import CLASSES
from ionet.idl import bundled

pytestmark = pytest.mark.matrix

CODECS = {name: ProgramCodec(bundled(name), CLASSES) for name in ("ionet", "price_poster")}
ACCOUNTS = [(name, item.name) for name, codec in CODECS.items() for item in codec.idl.accounts]
EVENTS = [(name, item.name) for name, codec in CODECS.items() for item in codec.idl.events]
CALLS = [(name, item.name) for name, codec in CODECS.items() for item in codec.idl.instructions]


@pytest.mark.parametrize(("program", "name"), ACCOUNTS)
@given(data=st.data())
def test_an_account_is_read_as_it_was_written(program: str, name: str, data: st.DataObject) -> None:
    codec = CODECS[program]
    value = data.draw(values(codec.idl, codec._types, {"defined": {"name": name}}))
    encoded = codec.encode_account(value)
    assert codec.decode_account(encoded, type(value)) == codec.decode_any_account(encoded) == value
    assert codec.account_size(type(value)) in (None, len(encoded))
    assert codec.show(value).keys() == set(value.__struct_fields__)


@pytest.mark.parametrize(("program", "name"), EVENTS)
@given(data=st.data())
def test_an_event_is_read_as_it_was_written(program: str, name: str, data: st.DataObject) -> None:
    codec = CODECS[program]
    value = data.draw(values(codec.idl, codec._types, {"defined": {"name": name}}))
    assert codec.decode_cpi_event(EVENT_TAG + codec.encode_event(value)) == value


@pytest.mark.parametrize(("program", "name"), CALLS)
@given(data=st.data())
def test_arguments_are_read_as_they_were_written(program: str, name: str, data: st.DataObject) -> None:
    codec = CODECS[program]
    fields = codec.instruction(name).args
    args = {field.name: data.draw(values(codec.idl, codec._types, field.type)) for field in fields}
    call = codec.decode_args(codec.encode_args(name, args))
    assert (call.name, call.args) == (name, args)


@pytest.mark.parametrize("name", [name for program, name in EVENTS if program == "ionet"])
def test_an_event_of_an_earlier_version_lacks_its_last_fields(name: str) -> None:
    """Versions only append fields, so bytes that end between two fields are an older event; any other end is none."""
    codec = CODECS["ionet"]
    (entry,) = (entry for entry in codec._events if entry.name == name)
    zero = codec.decode_event(entry.discriminator.ljust(entry.size, b"\0"))
    data, ends = codec.encode_event(zero), [8]
    for member in codec._types.members(name):
        ends.append(ends[-1] + fixed_size(member.layout))
    assert ends[-1] == len(data) == entry.size
    for size in range(8, len(data)):
        if size in ends:
            assert codec.decode_event(data[:size]) == zero
        else:
            with pytest.raises(DecodeError):
                codec.decode_event(data[:size])


def test_parameters_in_an_event_are_shown_by_their_type() -> None:
    codec = CODECS["ionet"]
    shown = codec.show_type("Params", (7).to_bytes(8, "little").ljust(256, b"\0"))
    assert (shown["stake_per_processor"], shown["interval_secs"]) == ("7", 0)
    for size in (0, 255, 257):
        with pytest.raises(DecodeError, match="Params"):
            codec.show_type("Params", bytes(size))
