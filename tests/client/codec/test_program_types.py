"""Round trips of every account, event and argument of the shipped programs, with random values."""

from __future__ import annotations

import pytest
from client.codec.strategies import values
from hypothesis import given
from hypothesis import strategies as st
from ionet.codec import EVENT_TAG, ProgramCodec
from ionet.idl import bundled
from ionet.types import CLASSES

CODECS = {name: ProgramCodec(bundled(name), CLASSES) for name in ("ionet", "price_poster")}
ACCOUNTS = [(name, item.name) for name, codec in CODECS.items() for item in codec.idl.accounts]
EVENTS = [(name, item.name) for name, codec in CODECS.items() for item in codec.idl.events]
CALLS = [(name, item.name) for name, codec in CODECS.items() for item in codec.idl.instructions]


@pytest.mark.parametrize(("program", "name"), ACCOUNTS)
@given(data=st.data())
def test_account_ok(program: str, name: str, data: st.DataObject) -> None:
    codec = CODECS[program]
    value = data.draw(values(codec.idl, codec._types, {"defined": {"name": name}}))
    encoded = codec.encode_account(value)
    assert codec.decode_account(encoded, type(value)) == codec.decode_any_account(encoded) == value
    assert codec.account_size(type(value)) in (None, len(encoded))
    assert codec.show(value).keys() == set(value.__struct_fields__)


@pytest.mark.parametrize(("program", "name"), EVENTS)
@given(data=st.data())
def test_event_ok(program: str, name: str, data: st.DataObject) -> None:
    codec = CODECS[program]
    value = data.draw(values(codec.idl, codec._types, {"defined": {"name": name}}))
    assert codec.decode_cpi_event(EVENT_TAG + codec.encode_event(value)) == value


@pytest.mark.parametrize(("program", "name"), CALLS)
@given(data=st.data())
def test_arguments_ok(program: str, name: str, data: st.DataObject) -> None:
    codec = CODECS[program]
    fields = codec.instruction(name).args
    args = {field.name: data.draw(values(codec.idl, codec._types, field.type)) for field in fields}
    call = codec.decode_args(codec.encode_args(name, args))
    assert (call.name, call.args) == (name, args)
