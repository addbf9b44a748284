"""The comparison with the committed table, and the table itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from bench import __main__ as command
from bench import compute, figures, machine, peers, show, sizes, topics
from bench.figures import Figure, Figures, count, percentile, timed, worsened
from ionet import budget


def counted(**values: int) -> Figures:
    return {name: count("compute", value, "CU") for name, value in values.items()}


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
    slow, fast = ({"t": timed("demo", [value], "s")} for value in (100.0, 1.0))
    assert worsened(fast, slow) == worsened({}, slow) == worsened(fast, {}) == []


def test_a_target_is_met_from_its_side() -> None:
    assert count("sizes", 300, "bytes", target=300).met is True
    assert count("sizes", 301, "bytes", target=300).met is False
    assert timed("replay", [9.0, 10.0, 99.0], "events/s", target=10, higher=True).met is True
    assert timed("replay", [9.0, 9.0, 99.0], "events/s", target=10, higher=True).met is False
    assert count("sizes", 1, "bytes").met is None


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 21)]
    assert [percentile(values, percent) for percent in (50, 95, 100)] == [10.0, 19.0, 20.0]
    assert percentile([7.0], 95) == 7.0


def test_json_has_fixed_keys_and_comes_back_the_same() -> None:
    made: Figures = {**counted(a=1), "t": timed("demo", [1.5, 2.5, 9.0], "s", target=90, note="n")}
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


def test_rent_is_what_others_paid_for_their_bytes() -> None:
    """Nosana's Market: 10,211 bytes, 0.07196 SOL."""
    market = count("sizes", 10_211, "bytes")
    assert show._with_rent("size.account.Market", market) == "10,211 bytes (0.07196 SOL)"


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


def test_wrong_options_are_refused() -> None:
    for wrong in (["--check", "--update"], ["--check", "--only", "sizes"], ["--only", "nothing"]):
        with pytest.raises(SystemExit) as ended:
            command.main(wrong)
        assert ended.value.code == 2


def test_a_time_is_stated_against_the_machine() -> None:
    """On a machine twice as fast as the reference a second counts for two, and a rate for half."""
    quick, slow = (msgspec.structs.replace(timed("demo", [10.0], "s"), speed=speed) for speed in (2.0, 0.5))
    assert (quick.at_reference, slow.at_reference) == (20.0, 5.0)
    rate = msgspec.structs.replace(timed("replay", [15_326.0], "events/s", higher=True), speed=2.0)
    assert rate.at_reference == 7_663.0
    assert count("sizes", 1, "bytes").at_reference is None
    assert "| quick | 10 s | 2.00 | 20 s |" in show.document({"quick": quick})
    assert "| rate | 10 s | – | – |" in show.document({"rate": timed("demo", [10.0], "s")})


def test_the_machine_is_measured_and_the_reference_is_one() -> None:
    assert machine.REFERENCE.relative == 1.0
    half = machine.Speed(*(part / 2 for part in msgspec.structs.astuple(machine.REFERENCE)))
    assert half.relative == pytest.approx(0.5)
    assert min(msgspec.structs.astuple(machine.measure())) > 0
