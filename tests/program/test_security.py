"""docs/security.md names tests that exist, for every class of the checklist, and leaves none of the checklist's out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`|`src/([\w/]+\.rs)`")
CLASSES = """missing signer, missing owner, type cosplay, data matching, PDA collision, PDA sharing, bump,
re-initialisation, close and revive, arithmetic, duplicate accounts, arbitrary CPI, stale after CPI, remaining accounts,
time, oracle, attestation replay, Token-2022, denial of service, admin, event spoof, event loss"""


@cache
def page() -> str:
    return (ROOT / "docs/security.md").read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    """By class, what proves it."""
    found = {name.strip(): proof for name, _, proof in ROW.findall(page())}
    del found["class"]
    return found


@cache
def names_in(file: str) -> frozenset[str]:
    paths = list((ROOT / "tests").rglob(file))
    assert len(paths) == 1, file
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", paths[0].read_text(encoding="utf-8"), re.MULTILINE))


def test_every_class_is_proven() -> None:
    assert list(rows()) == [name.strip() for name in CLASSES.replace("\n", " ").split(",")]
    assert [name for name, proof in rows().items() if not TEST.search(proof)] == []


@pytest.mark.parametrize("name", rows())
def test_the_tests_that_are_named_exist(name: str) -> None:
    proof = rows()[name]
    for file, test, host in TEST.findall(proof):
        if host:
            assert "#[test]" in (ROOT / "programs/ionet/src" / host).read_text(encoding="utf-8"), host
        else:
            assert test in names_in(file), f"{file}::{test}"
    named = re.findall(r"`([^`]+)`", proof)
    assert len(named) == len(TEST.findall(proof)), "something in code style is not a test"


@pytest.mark.parametrize("file", ["test_checklist.py", "test_checklist_lives.py"])
def test_no_test_of_the_checklist_is_left_out(file: str) -> None:
    of_the_tests_themselves = {"test_every_class_has_cells"}
    assert {test for test in names_in(file) if f"`{file}::{test}`" not in page()} <= of_the_tests_themselves
