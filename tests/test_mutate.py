"""Mutants of the program: what is found in a syntax tree, which of them a seed chooses, what is recorded of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from mutate_program import equivalents, report, trial
from mutate_program.__main__ import RECORD
from mutate_program.order import tests as order_of
from mutate_program.sites import SOURCES, Mutant, in_file, in_tree, sample
from mutate_program.syntax import RUST

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"bound", "check", "deadline", "difference", "extreme", "fee", "pause", "rounding", "write"}


@pytest.fixture(scope="module")
def mutants() -> list[Mutant]:
    return in_tree(ROOT)


def found_in(body: str) -> list[tuple[str, str, str]]:
    """Kind, old and new text of the mutants of a method's body."""
    source = f"impl Lease {{\n    fn hold(&mut self) -> Result<u64> {{\n{body}\n    }}\n}}\n"
    found = list(in_file("lease.rs", source.encode()))
    assert {mutant.scope for mutant in found} <= {"Lease::hold"}
    return [(mutant.kind, mutant.text, mutant.becomes) for mutant in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("require!(self.open, IonetError::Closed);", [("check", "require!(self.open, IonetError::Closed);", "")]),
        ("check_node(&node)?;", [("check", "check_node(&node)?;", "")]),
        ("network.check_not_paused(PAUSE_ALL)?;", [("pause", "network.check_not_paused(PAUSE_ALL)?;", "")]),
        ("if now >= self.ends_at {}", [("deadline", "now >= self.ends_at", "now > self.ends_at")]),
        ("let few = count < 3;", [("bound", "count < 3", "count <= 3")]),
        ("let same = count == 3;", []),
        ("math::bps_floor(x, part)", [("rounding", "math::bps_floor(x, part)", "math::bps_ceil(x, part)")]),
        ("math::mul_div_ceil(a, b, c)", [("rounding", "math::mul_div_ceil(a, b, c)", "math::mul_div(a, b, c)")]),
        ("let x = a.min(b);", [("extreme", "a.min(b)", "a.max(b)")]),
        ("let x = numbers.iter().max();", []),
        ("let x = math::sub(a, b)?;", [("difference", "math::sub(a, b)", "math::add(a, b)")]),
        ("let x = a.saturating_sub(b);", [("difference", "a.saturating_sub(b)", "a.saturating_add(b)")]),
        ("let x = math::add(cost, fee)?;", [("fee", "math::add(cost, fee)?", "(cost)")]),
        ("math::add(cost, fee)", [("fee", "math::add(cost, fee)", "Ok(cost)")]),
        ("let x = rate.saturating_add(extra_fee);", [("fee", "rate.saturating_add(extra_fee)", "rate")]),
        ("self.paid = paid;", [("write", "self.paid = paid;", "")]),
        ("self.ring[at] += 1;", [("write", "self.ring[at] += 1;", "")]),
        ("***lease = Lease::new();", [("write", "***lease = Lease::new();", "")]),
        ("cluster.unlock(amount)?;", [("write", "cluster.unlock(amount)?;", "")]),
        ("let mut x = 1; x = 2;", []),
    ],
)
def test_a_fault_of_each_kind(body: str, expected: list[tuple[str, str, str]]) -> None:
    assert found_in(body) == expected


def test_what_a_macro_is_given_has_a_tree_too() -> None:
    body = "require!(a.min(\n    b) > 0 && now < self.ends_at, IonetError::Closed);"
    changes = [(kind, new) for kind, _, new in found_in(body)]
    assert changes == [
        ("check", ""),
        ("bound", "a.min( b) >= 0"),
        ("extreme", "a.max( b)"),
        ("deadline", "now <= self.ends_at"),
    ]


def test_a_constraint_of_an_account_always_holds() -> None:
    source = b"""struct End {
    #[account(mut, constraint(a.key == *b.key() @ IonetError::NotRenter), address = n.mint @ IonetError::WrongMint)]
    pub cluster: Box<Account<Cluster>>,
}"""
    first, second = in_file("end.rs", source)
    assert (first.scope, first.kind, first.becomes) == ("End.cluster", "check", "true @ IonetError::NotRenter")
    assert b"constraint(true @ IonetError::NotRenter), address" in first.apply(source)
    assert b"IonetError::NotRenter))]" in second.apply(source)


def test_what_only_tests_compile_is_left_out(mutants: list[Mutant]) -> None:
    body = b"{ fn f() { require!(x, E::Y); } }"
    assert list(in_file("a.rs", b"#[cfg(test)]\nimpl Price " + body)) == []
    assert len(list(in_file("a.rs", b"#[allow(unused)]\nimpl Price " + body))) == 1
    assert [mutant.file for mutant in mutants if mutant.file.startswith("tests")] == []


def test_a_mutant_is_the_same_after_unrelated_edits() -> None:
    old = b"fn f() { self.a = 1; self.b = 2; self.a = 1; }"
    new = b"// a new line\nfn g() { self.a = 1; }\nfn f() { self.b = 2;\n  self.a\n = 1; self.c = 3; self.a = 1; }"
    before, after = list(in_file("a.rs", old)), list(in_file("a.rs", new))
    assert len({mutant.id for mutant in before}) == 3
    assert {mutant.id for mutant in before} < {mutant.id for mutant in after}


def test_every_mutant_of_the_program_is_rust_and_differs(mutants: list[Mutant]) -> None:
    sources = {name: (ROOT / SOURCES / name).read_bytes() for name in {mutant.file for mutant in mutants}}
    assert [name for name, source in sources.items() if RUST.parse(source).root_node.has_error] == []
    for mutant in mutants:
        changed = mutant.apply(sources[mutant.file])
        assert changed != sources[mutant.file]
        assert not RUST.parse(changed).root_node.has_error, mutant.says()
    assert len({mutant.id for mutant in mutants}) == len(mutants)


def test_a_sample_has_every_kind_and_many_files(mutants: list[Mutant]) -> None:
    first = sample(mutants, "1")[:45]
    assert set(Counter(mutant.kind for mutant in first).values()) == {5}
    assert {mutant.kind for mutant in first} == KINDS
    assert len({mutant.file for mutant in first}) > 20


def test_a_seed_chooses_always_the_same_and_what_comes_leaves_the_order_of_others(mutants: list[Mutant]) -> None:
    assert sample(mutants, "1") == sample(list(reversed(mutants)), "1") != sample(mutants, "2")
    kind = [mutant for mutant in mutants if mutant.kind == "rounding" and mutant.file == "oracle.rs"]
    assert sample(kind[1:], "1") == [mutant for mutant in sample(kind, "1") if mutant != kind[0]]


def test_the_tests_of_what_was_changed_come_first(mutants: list[Mutant]) -> None:
    files = sorted((ROOT / "tests/program").rglob("test_*.py"))
    (mutant,) = [item for item in mutants if item.kind == "pause" and item.file.endswith("add_lease.rs")]
    ordered = order_of(mutant, files, ROOT, {})
    assert "tests/program/test_add_lease.py" in ordered[:3]
    assert sorted(ordered) == sorted(path.relative_to(ROOT).as_posix() for path in files)


def test_every_equivalent_mutant_exists_and_has_an_argument(mutants: list[Mutant]) -> None:
    assert equivalents.stale(mutants, equivalents.entries()) == []


def test_an_entry_that_names_nothing_or_gives_no_reason_is_stale(mutants: list[Mutant]) -> None:
    mutant = mutants[0]
    argument = "Nobody can see the difference here."
    entry = equivalents.Entry(mutant.file, mutant.scope, mutant.kind, mutant.text, argument, mutant.becomes, mutant.nth)
    assert equivalents.stale(mutants, [entry]) == []
    assert equivalents.arguments(mutants, [entry]) == {mutant.id: argument}
    gone = equivalents.Entry(mutant.file, mutant.scope, mutant.kind, "gone();", argument)
    silent = equivalents.Entry(mutant.file, mutant.scope, mutant.kind, mutant.text, "", mutant.becomes, mutant.nth)
    assert [line.split(": names")[1][:3] for line in equivalents.stale(mutants, [gone, silent])] == [" 0 ", " 1 "]


def test_no_recorded_mutant_survives() -> None:
    recorded = list(trial.load(RECORD).values())
    assert len(recorded) >= 40
    assert {item.kind for item in recorded} == KINDS
    assert [report.line(item) for item in recorded if item.outcome not in trial.DECIDED] == []


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path, mutants: list[Mutant]) -> None:
    first, second = (trial.Outcome.of(mutant, trial.KILLED, "test_x.py::test_y[a|b]", 1.26) for mutant in mutants[:2])
    path = tmp_path / "deep" / "record.jsonl"
    trial.append(path, second)
    trial.append(path, first)
    both = trial.load(path)
    assert both == {first.id: first, second.id: second}
    trial.save(path, both)
    assert b"seconds" not in path.read_bytes()
    assert {id: item.by for id, item in trial.load(path).items()} == {id: item.by for id, item in both.items()}
    assert report.score([first, second]) == "2 of 2 killed"
    assert "| all | 2 | 2 | 0 | 0 | 0 | 0 |" in report.by_kind([first, second])
    assert "test_y[a\\|b]" in report.each([first])
