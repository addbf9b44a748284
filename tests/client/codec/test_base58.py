"""Against the base58 package, which is slower and takes it digit by digit."""

from __future__ import annotations

import base58 as reference
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ionet import base58


@given(st.binary(max_size=400))
@example(b"")
@example(bytes(40))
@example(b"\xff" * 8)
@example(b"\xff" * 400)
def test_both_ways_as_the_reference(data: bytes) -> None:
    text = reference.b58encode(data).decode()
    assert base58.encode(data) == text
    assert base58.decode(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "11111111110", "abcdefghij l", "é" * 12])
def test_other_letters_fail(text: str) -> None:
    with pytest.raises(base58.Base58Error):
        base58.decode(text)
