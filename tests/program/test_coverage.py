"""Nothing is forgotten: every instruction, refusal and event of the program is in these tests."""

from __future__ import annotations

import re
from pathlib import Path

from ionet.program import PROGRAM

TESTS = Path(__file__).parent


def sources() -> str:
    return "\n".join(path.read_text() for path in sorted(TESTS.glob("*.py")) if path.name != Path(__file__).name)


def test_every_instruction_has_a_file_of_its_name() -> None:
    missing = [item.name for item in PROGRAM.codec.idl.instructions if not (TESTS / f"test_{item.name}.py").exists()]
    assert missing == []


def test_every_refusal_is_met() -> None:
    text = sources()
    met = set(re.findall(r'"([A-Z]\w+)"', text))
    missing = [item.name for item in PROGRAM.codec.idl.errors if item.name not in met]
    assert missing == []


def test_every_event_is_compared_in_full() -> None:
    """An event counts when a test builds it with all its fields: `Event(field=…)` compared with what was recorded."""
    text = sources()
    missing = [item.name for item in PROGRAM.codec.idl.events if not re.search(rf"\b{item.name}\(\s*\w+=", text)]
    assert missing == []
