"""A measured figure, and when one has become worse than the committed table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from bench.machine import NOTHING, Part, Speed

TABLE = Path(__file__).parent / "table.json"
# A count may grow by so much before the check fails.
TOLERANCE_PERCENT = 10


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    kind: a count is the same on every machine and is compared; a time is reported. command: what measures it.
    target: None where none was set. runs: the single values that `value` is the median of. note: under what conditions.
    bound_by: of a time, the parts of the machine's speed that it scales with. machine: how fast it was around it.
    """

    value: float
    unit: str
    kind: Literal["count", "time"]
    command: str
    target: float | None = None
    better: Literal["lower", "higher"] = "lower"
    runs: tuple[float, ...] = ()
    note: str = ""
    bound_by: tuple[Part, ...] = NOTHING
    machine: Speed | None = None

    @property
    def speed(self) -> float | None:
        """How fast the machine was at what bounds the figure; 1 is the reference. None where nobody measured it, and
        where the figure does not depend on it.
        """
        if self.machine is None or not self.bound_by:
            return None
        return self.machine.against_reference(self.bound_by)

    @property
    def at_reference(self) -> float | None:
        """What the value would be on the reference machine if all of it scaled; None without a speed."""
        if self.speed is None:
            return None
        value = self.value * self.speed if self.better == "lower" else self.value / self.speed
        return round(value, 0 if value >= 1_000 else 3)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


Figures = dict[str, Figure]


def count(topic: str, value: int, unit: str, *, target: int | None = None, higher: bool = False) -> Figure:
    """A count measured by `topic`; lower is better unless `higher`."""
    return Figure(
        value=value,
        unit=unit,
        kind="count",
        command=f"scripts/bench --only {topic}",
        target=target,
        better="higher" if higher else "lower",
    )


def timed(
    topic: str,
    runs: Sequence[float],
    unit: str,
    *,
    bound_by: tuple[Part, ...],
    target: float | None = None,
    higher: bool = False,
    note: str = "",
) -> Figure:
    """The median of repeated measurements; lower is better unless `higher`. bound_by: see `bench.machine`."""
    middle = statistics.median(runs)
    digits = 0 if middle >= 1_000 else 3
    return Figure(
        value=round(middle, digits),
        unit=unit,
        kind="time",
        command=f"scripts/bench --only {topic}",
        target=target,
        better="higher" if higher else "lower",
        runs=tuple(round(run, digits) for run in runs),
        note=note,
        bound_by=bound_by,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def load() -> Figures:
    """The committed table."""
    return msgspec.json.decode(TABLE.read_bytes(), type=Figures)


def save(figures: Figures) -> None:
    """Write the table, by name."""
    ordered = {name: figures[name] for name in sorted(figures)}
    TABLE.write_bytes(msgspec.json.format(encode(ordered), indent=2) + b"\n")


def encode(figures: Figures) -> bytes:
    """One JSON object: name → figure. Whole numbers are written as integers."""
    fields = {name: msgspec.to_builtins(figure) for name, figure in figures.items()}
    return msgspec.json.encode({name: _plain(item) for name, item in fields.items()})


def _plain(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def worsened(committed: Mapping[str, Figure], measured: Mapping[str, Figure]) -> list[str]:
    """What is wrong with the measured counts, a sentence each: worse by more than the tolerance, new, or gone."""
    before = {name: figure for name, figure in committed.items() if figure.kind == "count"}
    now = {name: figure for name, figure in measured.items() if figure.kind == "count"}
    wrong = [f"{name} is not in the table" for name in sorted(now.keys() - before.keys())]
    wrong += [f"{name} is in the table and was not measured" for name in sorted(before.keys() - now.keys())]
    for name in sorted(before.keys() & now.keys()):
        old, new = before[name].value, now[name].value
        more, limit = (new - old, old) if now[name].better == "lower" else (old - new, old)
        if more * 100 > limit * TOLERANCE_PERCENT:
            wrong.append(f"{name}: {new:,.0f} {now[name].unit}, was {old:,.0f}")
    return wrong
