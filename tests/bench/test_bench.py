"""The comparison with the committed table, and the table itself."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from bench import __main__ as command
from bench import compute, figures, machine, peers, seeds, show, sizes, topics
from bench.figures import Figure, Figures, count, percentile, timed, worsened
from bench.machine import COMPUTING, NOTHING, STARTING, Part, Speed
from ionet import budget
from rich.console import Console


def counted(**values: int) -> Figures:
    return {name: count("compute", value, "CU") for name, value in values.items()}


def seconds(*runs: float, bound_by: tuple[Part, ...] = COMPUTING) -> Figure:
    return timed("demo", runs, "s", bound_by=bound_by, target=90, note="n")


def rate(*runs: float, target: float | None = None) -> Figure:
    return timed("replay", runs, "events/s", bound_by=COMPUTING, target=target, higher=True)


def at_speed(figure: Figure, speed: float) -> Figure:
    """As measured on a machine `speed` times as fast as the reference at everything."""
    reference = msgspec.structs.astuple(machine.REFERENCE)
    return msgspec.structs.replace(figure, machine=machine.Speed(*(part * speed for part in reference)))


@pytest.mark.parametrize(
    ("before", "now", "fails"),
    [(1_000, 1_100, False), (1_000, 1_101, True), (1_000, 10, False), (0, 0, False), (0, 1, True), (3, 4, True)],
)
def test_a_count_may_grow_by_a_tenth(before: int, now: int, fails: bool) -> None:
    assert bool(worsened(counted(a=before), counted(a=now))) is fails


@pytest.mark.parametrize(("now", "fails"), [(10, False), (9, False), (8, True), (100, False)])
def test_where_more_is_better_it_may_shrink_by_a_tenth(now: int, fails: bool) -> None:
    before, after = ({"a": count("sizes", value, "nodes", higher=True)} for value in (10, now))
    assert bool(worsened(before, after)) is fails


def test_new_and_missing_counts_fail_and_times_never_do() -> None:
    assert len(worsened(counted(a=1), counted(b=1))) == 2
    slow, fast = ({"t": seconds(value)} for value in (100.0, 1.0))
    assert worsened(fast, slow) == worsened({}, slow) == worsened(fast, {}) == []


def test_a_target_is_met_from_its_side() -> None:
    assert count("sizes", 300, "bytes", target=300).met is True
    assert count("sizes", 301, "bytes", target=300).met is False
    assert rate(9.0, 10.0, 99.0, target=10).met is True
    assert rate(9.0, 9.0, 99.0, target=10).met is False
    assert count("sizes", 1, "bytes").met is None


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 21)]
    assert [percentile(values, percent) for percent in (50, 95, 100)] == [10.0, 19.0, 20.0]
    assert percentile([7.0], 95) == 7.0


def test_json_has_fixed_keys_and_comes_back_the_same() -> None:
    made: Figures = {**counted(a=1), "t": at_speed(seconds(1.5, 2.5, 9.0), 2.0)}
    text = figures.encode(made)
    assert msgspec.json.decode(text, type=Figures) == made
    plain: dict[str, dict[str, Any]] = msgspec.json.decode(text)
    assert {tuple(item) for item in plain.values()} == {tuple(Figure.__struct_fields__)}
    assert isinstance(plain["a"]["value"], int)


def test_the_committed_table_names_every_topic_and_command() -> None:
    table = figures.load()
    assert {figure.command for figure in table.values()} == {f"scripts/bench --only {name}" for name in topics.TOPICS}
    assert [name for peer in peers.PEERS for name in peer.ours if name not in table] == []
    assert [name for name, figure in table.items() if figure.kind == "count" and figure.met is False] == []


def test_the_documents_show_the_committed_table() -> None:
    assert show.document(figures.load()) in show.DOCUMENT.read_text()
    assert show.beside(figures.load()) in show.BESIDE.read_text()


def test_the_committed_counts_are_those_of_this_program() -> None:
    """The quick ones; scripts/bench --check measures all."""
    table = figures.load()
    measured = {**compute.measure(), **sizes.measure()}
    committed = {
        name: figure for name, figure in table.items() if name in measured or name.startswith(("cu.", "size."))
    }
    assert worsened(committed, measured) == []


def test_the_clients_budget_covers_what_was_measured() -> None:
    units = {name.removeprefix("cu."): figure.value for name, figure in figures.load().items() if figure.unit == "CU"}
    del units["end_and_close"]
    assert set(units) == set(budget.measured())
    short = [
        n for n, u in units.items() if u > budget.measured()[n] * budget.MARGIN_PERCENT / 100 + budget.MARGIN_UNITS
    ]
    assert short == []


def test_the_check_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        topics, "measure", lambda names, _: counted(**{"cu.stake": 10**6} if "compute" in names else {})
    )
    assert command.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "cu.stake: 1,000,000 CU, was" in said
    assert "cu.burn is in the table and was not measured" in said
    monkeypatch.setattr(topics, "measure", lambda *_: figures.load())
    assert command.main(["--check"]) == 0


def test_seeds_are_those_that_passed_of_those_that_were_run() -> None:
    suite = seeds.LIES
    said = "lies: late 10, 429 3, 5xx 2\n=== 1 failed, 49 passed in 854.02s (0:14:14) ===\n"
    found = seeds.read(suite, said)
    assert (found.value, found.target, found.met) == (49, 50, False)
    assert found.note == "of 50 seeds: tables equal to those of the chain; after 15 lies"
    assert seeds.read(suite, "== 50 passed in 9s ==").met is True
    with pytest.raises(ValueError, match="no tests ran"):
        seeds.read(suite, "== no tests ran in 0.1s ==")


def test_wrong_options_are_refused() -> None:
    for wrong in (["--check", "--update"], ["--check", "--only", "sizes"], ["--only", "nothing"]):
        with pytest.raises(SystemExit) as ended:
            command.main(wrong)
        assert ended.value.code == 2


def test_a_time_is_stated_against_the_machine() -> None:
    """On a machine twice as fast as the reference a second counts for two, and a rate for half."""
    quick, slow = (at_speed(seconds(10.0), speed) for speed in (2.0, 0.5))
    assert (quick.at_reference, slow.at_reference) == (20.0, 5.0)
    assert at_speed(rate(15_326.0), 2.0).at_reference == 7_663.0
    assert count("sizes", 1, "bytes").at_reference is None
    assert "| quick | 10 s | 2.00 | 20 s |" in show.document({"quick": quick})
    assert "| unknown | 10 s | — | — |" in show.document({"unknown": seconds(10.0)})


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_speed_is_shown_however_narrow_the_terminal_is(width: int) -> None:
    """Whatever the widest cells of the table are: with long ones rich takes from all columns that may not wrap."""
    written = io.StringIO()
    long = {"indexer.replay_with_a_long_name": at_speed(rate(1_234_567.0, target=10_000_000), 2.0), **figures.load()}
    Console(file=written, width=width).print(show.terminal(long))
    text = written.getvalue()
    assert " speed " in text.splitlines()[0]
    assert " 2.00 " in text
    assert "…" not in text


def test_a_ratio_of_two_times_does_not_scale() -> None:
    ratio = at_speed(seconds(10.0, bound_by=NOTHING), 2.0)
    assert (ratio.speed, ratio.at_reference) == (None, None)
    assert "| ratio | 10 s | — | — |" in show.document({"ratio": ratio})


def test_only_what_bounds_a_time_counts() -> None:
    """A slow disk says nothing about computing, nor about starting processes."""
    one = machine.REFERENCE
    slow_disk = msgspec.structs.replace(one, fsync=one.fsync / 10, json=one.json * 4)
    assert slow_disk.against_reference(COMPUTING) == pytest.approx(2.0)
    assert slow_disk.against_reference(STARTING) == pytest.approx(1.0)


def test_the_machine_is_measured_on_both_sides_of_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = Speed(100.0, 100.0, 100.0, 100.0), Speed(400.0, 100.0, 100.0, 900.0)
    happened: list[str] = []
    speeds = iter((before, after))

    def measured() -> Speed:
        happened.append("machine")
        return next(speeds)

    def demo() -> Figures:
        happened.append("demo")
        return {"demo": seconds(10.0)}

    monkeypatch.setattr(machine, "measure", measured)
    monkeypatch.setitem(topics.TOPICS, "demo", demo)
    [figure] = topics.measure(["demo"], lambda _: None).values()
    assert happened == ["machine", "demo", "machine"]
    assert figure.machine == Speed(200.0, 100.0, 100.0, 300.0)


def test_counts_are_measured_without_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(topics.TOPICS, "sizes", lambda: counted(a=1))
    monkeypatch.setattr(machine, "measure", lambda: pytest.fail("the machine's speed does not change a count"))
    assert topics.measure(["sizes"], lambda _: None) == counted(a=1)


def test_every_piece_of_work_is_measured() -> None:
    assert min(msgspec.structs.astuple(machine.measure())) > 0
