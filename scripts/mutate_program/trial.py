"""One mutant: built, tested, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mutate_program import order
from mutate_program.sites import SOURCES, Mutant
from mutate_program.workplace import CannotBuild, Deadline, NoSuchTest, OutOfTime, Verdict, Workplace

KILLED, SURVIVED, EQUIVALENT = "killed", "survived", "equivalent"
UNCOMPILABLE, UNDECIDED = "does not compile", "undecided"
# What another run of the same tests would not change.
DECIDED = (KILLED, EQUIVALENT, UNCOMPILABLE)
OUTCOMES = (KILLED, SURVIVED, EQUIVALENT, UNCOMPILABLE, UNDECIDED)


class Baseline(msgspec.Struct, frozen=True):
    """The program without a fault: its bytes, how long each file of tests takes, and what fails all the same."""

    elf: bytes
    seconds: dict[str, float]
    failing: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a mutant; a line of a record."""

    id: str
    kind: str
    file: str
    scope: str
    text: str
    becomes: str
    outcome: str
    by: str
    """The test that killed it, the compiler's error, or why it is equivalent."""
    seconds: float = 0.0

    @classmethod
    def of(cls, mutant: Mutant, outcome: str, by: str, seconds: float = 0.0) -> Outcome:
        return cls(
            id=mutant.id,
            kind=mutant.kind,
            file=mutant.file,
            scope=mutant.scope,
            text=mutant.text,
            becomes=mutant.becomes,
            outcome=outcome,
            by=by,
            seconds=round(seconds, 1),
        )


def baseline(place: Workplace, limit: float) -> Baseline:
    """Builds the program as it is and runs everything. A test that fails already notices no mutant: it is left out."""
    deadline = Deadline(limit)
    try:
        elf = place.build(deadline)
        verdict = place.test(elf, [str(path) for path in place.files()], deadline, all=True)
        failed = place.host_tests(deadline)
    except (CannotBuild, OutOfTime) as error:
        raise SystemExit(f"error: without a mutant: {error}") from None
    if failed:
        raise SystemExit(f"error: without a mutant {failed} fails")
    return Baseline(elf, dict(verdict.seconds), verdict.failed)


def attempt(place: Workplace, mutant: Mutant, base: Baseline, limit: float) -> Outcome:
    """Builds a mutant and runs the suite until a test notices it, the ones that are likely to first."""
    began, deadline = time.monotonic(), Deadline(limit)
    tests = order.tests(mutant, place.files(), place.tree, base.seconds)
    on_host = order.has_host_test(mutant, place.tree / SOURCES)
    try:
        with place.changed(mutant):
            elf = place.build(deadline)
            killer = place.host_tests(deadline) if on_host else None
        if killer is None and elf == base.elf:
            outcome, by = EQUIVALENT, "the compiler makes the same bytes of it"
        else:
            killer = killer or _first(place.test(elf, tests, deadline, without=base.failing))
            if killer is None and not on_host:
                with place.changed(mutant):
                    killer = place.host_tests(deadline)
            outcome, by = (KILLED, killer) if killer else (SURVIVED, "")
    except CannotBuild as error:
        outcome, by = UNCOMPILABLE, str(error)
    except OutOfTime:
        outcome, by = UNDECIDED, f"no test had noticed it after {limit:.0f} s"
    return Outcome.of(mutant, outcome, by, time.monotonic() - began)


def again(place: Workplace, mutant: Mutant, killer: str, limit: float) -> Outcome:
    """Builds a mutant that was killed before and runs the test that did it; if it has another name now, all."""
    began, deadline = time.monotonic(), Deadline(limit)
    try:
        with place.changed(mutant):
            if killer.startswith("cargo test "):
                failed = place.host_tests(deadline)
            else:
                elf = place.build(deadline)
                try:
                    failed = _first(place.test(elf, [killer], deadline))
                except NoSuchTest:
                    ordered = order.tests(mutant, place.files(), place.tree, {})
                    failed = _first(place.test(elf, ordered, deadline))
        outcome, by = (KILLED, failed) if failed else (SURVIVED, f"{killer} passes")
    except (CannotBuild, OutOfTime) as error:
        outcome, by = UNDECIDED, str(error)
    return Outcome.of(mutant, outcome, by, time.monotonic() - began)


def _first(verdict: Verdict) -> str | None:
    return next(iter(verdict.failed), None)


# -- records


def load(path: Path) -> dict[str, Outcome]:
    """Outcomes by mutant; empty where there is no file."""
    if not path.exists():
        return {}
    lines = path.read_bytes().splitlines()
    return {item.id: item for item in (msgspec.json.decode(line, type=Outcome) for line in lines if line)}


def append(path: Path, outcome: Outcome) -> None:
    """Adds one line, so that what is done survives whatever ends the run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(outcome) + b"\n")


def save(path: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Writes a record in the order of its mutants' places and without times, so that two of them can be compared."""
    timeless = [msgspec.structs.replace(item, seconds=0.0) for item in outcomes.values()]
    items = sorted(timeless, key=lambda item: (item.file, item.scope, item.kind, item.text, item.id))
    path.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
