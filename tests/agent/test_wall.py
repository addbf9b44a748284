"""Device key and session key stay apart: neither program has code that could use the other's."""

from __future__ import annotations

import re
from pathlib import Path

import ionet_agent
import ionet_launcher
import pytest

RENTERS = ["sign_challenge", "challenge_answer", "ClusterSecrets", "accept_ready", "approve_lease", "dispute_lease"]
SUPPLIERS = ["serving_context", "mark_ready", "append_proof", "defend_lease", "sign_upload", "step_instructions"]


def source(package: str) -> str:
    return "\n".join(path.read_text() for path in Path(package).parent.rglob("*.py"))


@pytest.mark.parametrize(
    ("package", "words"),
    [(ionet_agent.__file__, RENTERS), (ionet_launcher.__file__, SUPPLIERS)],
    ids=["agent", "launcher"],
)
def test_neither_side_can_act_for_the_other(package: str, words: list[str]) -> None:
    assert [word for word in words if re.search(rf"\b{word}\b", source(package))] == []


def test_the_words_are_those_of_the_other_side() -> None:
    """So that a renamed function does not make the test above say nothing."""
    assert [word for word in RENTERS if word not in source(ionet_launcher.__file__) + _client()] == []
    assert [word for word in SUPPLIERS if word not in source(ionet_agent.__file__) + _client()] == []


def _client() -> str:
    import ionet

    return source(str(ionet.__file__))
