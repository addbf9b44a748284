"""Every member of every enum has one word, which leads back to it."""

from __future__ import annotations

from enum import Enum

import pytest
from ionet.errors import InvalidInput
from ionet.generated import enums
from ionet.generated.enums import CaseReason, Currency, NodeFlag, Pause
from ionet.words import parse, word, words

KINDS = [kind for kind in vars(enums).values() if isinstance(kind, type) and issubclass(kind, Enum) and list(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_words_lead_back(kind: type[Enum]) -> None:
    assert {text: parse(kind, text, "it") for text in words(kind)} == words(kind)
    assert {word(kind, member.value): member for member in kind} == words(kind)


def test_how_they_are_written() -> None:
    assert list(words(Currency)) == ["IOSD", "USDC", "IO"]
    assert list(words(CaseReason)) == ["false-hardware", "false-proofs", "data-theft", "other"]
    assert list(words(Pause)) == ["register_node", "open_cluster", "add_lease", "extend_lease", "mint_iosd"]
    assert list(words(NodeFlag)) == ["paused", "retired", "blocked", "frozen", "absent"]


def test_a_number_of_a_later_program_stays_readable() -> None:
    assert word(CaseReason, 9) == "unknown-9"


@pytest.mark.parametrize("text", ["", "FALSE-HARDWARE", "false_hardware", "1"])
def test_another_word_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"reason '.*'; known are false-hardware, false-proofs, data-theft, other"):
        parse(CaseReason, text, "reason")
