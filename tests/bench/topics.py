"""What is measured, by topic. COUNTS are the topics whose figures the check compares; they take half a minute."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import msgspec
from bench import (
    api,
    big,
    codec,
    compute,
    demo,
    distrust,
    isolation,
    journal,
    keeping,
    lag,
    launch,
    machine,
    overlay,
    rent,
    replay,
    seeds,
    sizes,
    tables,
    web,
)
from bench.figures import Figure, Figures
from bench.machine import Speed

COUNTS: dict[str, Callable[[], Figures]] = {
    "compute": compute.measure,
    "sizes": sizes.measure,
    "tables": tables.measure,
    "journal": journal.measure,
    "keeping": keeping.measure,
}
TIMES: dict[str, Callable[[], Figures]] = {
    "codec": codec.measure,
    "replay": replay.measure,
    "lag": lag.measure,
    "launch": launch.measure,
    "distrust": distrust.measure,
    "rent": rent.measure,
    "isolation": isolation.measure,
    "overlay": overlay.measure,
    "big": big.measure,
    "api": api.measure,
    "web": web.measure,
    "demo": demo.measure,
}
# Up to an hour, and nothing to compare: measured where it is named.
LONG: dict[str, Callable[[], Figures]] = {"lies": seeds.lies, "chaos": seeds.chaos}
TOPICS = {**COUNTS, **TIMES, **LONG}


def measure(topics: Sequence[str], say: Callable[[str], None]) -> Figures:
    """The figures of these topics; `say` hears which one is under way."""
    found: Figures = {}
    for topic in topics:
        say(topic)
        load = f"load before {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
        if topic not in TIMES:
            found |= TOPICS[topic]()
            continue
        # Other work comes and goes while a topic runs, so the machine is measured on both sides of it.
        before, figures, after = machine.measure(), TOPICS[topic](), machine.measure()
        speed = before.halfway(after)
        found |= {name: _with_machine(figure, load, speed) for name, figure in figures.items()}
    return found


def _with_machine(figure: Figure, load: str, speed: Speed) -> Figure:
    """A time says how busy the machine was with other work, and how fast it was."""
    if figure.kind == "count":
        return figure
    note = f"{figure.note}; {load}" if figure.note else load
    return msgspec.structs.replace(figure, note=note, machine=speed)
