"""What is sampled is tried whole by all parts together, no part leaves a matrix out, and a run says what it tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sampling import Part

ROOT = Path(__file__).resolve().parents[1]
MATRIX = "tests/program/test_checklist.py"


@pytest.mark.parametrize("count", [1, 3, 8, 61, 400])
def test_every_case_is_in_one_part_and_no_part_is_empty(count: int) -> None:
    cases = range(count)
    parts = [Part(number, 8).choose("a matrix", cases) for number in range(8)]
    tried = Counter(case for part in parts for case in part)
    assert set(tried) == set(cases)
    if count >= 8:
        assert set(tried.values()) == {1}
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(part and part == sorted(part) for part in parts)


def test_a_part_is_the_same_in_every_process() -> None:
    assert Part(2, 8).choose("tests/a.py::test_b", range(24)) == Part(2, 8).choose("tests/a.py::test_b", range(24))
    assert Part(2, 8).choose("tests/a.py::test_b", range(24)) != Part(2, 8).choose("tests/a.py::test_c", range(24))


def test_the_commit_chooses_unless_a_part_is_named() -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert Part.read("8") == Part(int(commit or "0", 16) % 8, 8)
    assert Part.read("3/8") == Part(2, 8)
    assert Part.read("1") == Part(0, 1)


@pytest.mark.parametrize("text", ["0", "9/8", "0/8", "x", "1/", "-1", "3/8/2", "1.5", "8 "])
def test_what_names_no_part_is_refused(text: str) -> None:
    with pytest.raises(pytest.UsageError, match="IONET_SAMPLE"):
        Part.read(text)


def collected(part: str) -> tuple[set[str], str]:
    """What a run of this part would try, and what it says of it."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", MATRIX]
    environment = {name: value for name, value in os.environ.items() if name != "IONET_SAMPLE"}
    environment |= {"IONET_SAMPLE": part} if part else {}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if line.startswith(MATRIX)}, done.stdout


def test_a_run_tries_its_part_and_says_so() -> None:
    (whole, silent), (part, told) = collected(""), collected("3/8")
    assert "sampled" not in silent
    found = re.search(
        r"sampled: part 3 of 8: ([\d,]+) of ([\d,]+) cases of (\d+) matrices, 0 of 0 drills; all run", told
    )
    assert found is not None, told
    run, all_of_it = (int(found[number].replace(",", "")) for number in (1, 2))
    assert part < whole
    assert len(whole) - len(part) == all_of_it - run > 0
    functions = {case.partition("[")[0] for case in whole}
    assert {case.partition("[")[0] for case in part} == functions
