"""A node's name in TLS: one spelling, a valid DNS label, and back again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ionet.errors import InvalidInput
from ionet.relay_name import node_of, sni_of
from solders.pubkey import Pubkey

KEYS = st.binary(min_size=32, max_size=32).map(Pubkey)


@given(KEYS)
def test_every_address_has_a_name_and_is_found_by_it_in_either_case(node: Pubkey) -> None:
    name = sni_of(node)
    assert re.fullmatch(r"[a-z2-7]{52}\.ionet", name)
    assert node_of(name) == node == node_of(name.upper())


@given(st.text(max_size=70) | st.from_regex(r"[a-z2-7]{50,54}(\.ionet)?", fullmatch=True))
def test_no_other_text_is_a_name(text: str) -> None:
    try:
        node = node_of(text)
    except InvalidInput:
        return
    assert sni_of(node) == text.lower()


@pytest.mark.parametrize("spare", "bcdefghijklmnop")
def test_bits_to_spare_do_not_make_a_second_name(spare: str) -> None:
    assert node_of("a" * 52 + ".ionet") == Pubkey(bytes(32))
    with pytest.raises(InvalidInput):
        node_of("a" * 51 + spare + ".ionet")
