"""What a run comes to, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mutate_program.trial import EQUIVALENT, KILLED, OUTCOMES, SURVIVED, UNDECIDED, Outcome


def score(outcomes: Sequence[Outcome]) -> str:
    """Killed of those that can be killed."""
    count = Counter(item.outcome for item in outcomes)
    can = count[KILLED] + count[SURVIVED] + count[UNDECIDED]
    return f"{count[KILLED]} of {can} killed" + (f", {count[EQUIVALENT]} equivalent" if count[EQUIVALENT] else "")


def by_kind(outcomes: Sequence[Outcome]) -> str:
    """A table in Markdown: kinds down, outcomes across."""
    count = Counter((item.kind, item.outcome) for item in outcomes)
    lines = [f"| kind | mutants | {' | '.join(OUTCOMES)} |", "|---|" + "---:|" * (len(OUTCOMES) + 1)]
    kinds = sorted({item.kind for item in outcomes})
    for name, chosen in [*((kind, [kind]) for kind in kinds), ("all", kinds)]:
        numbers = [sum(count[kind, outcome] for kind in chosen) for outcome in OUTCOMES]
        lines.append(f"| {name} | {sum(numbers)} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def each(outcomes: Sequence[Outcome]) -> str:
    """A table in Markdown: one mutant a line."""

    def code(text: str) -> str:
        return f"`{text}`".replace("|", "\\|") if text else "nothing"

    lines = ["| outcome | kind | where | what | becomes | by |", "|---|---|---|---|---|---|"]
    for item in outcomes:
        where = f"{item.file} `{item.scope}`"
        by = item.by.replace("|", "\\|")
        lines.append(f"| {item.outcome} | {item.kind} | {where} | {code(item.text)} | {code(item.becomes)} | {by} |")
    return "\n".join(lines)


def line(outcome: Outcome) -> str:
    """One mutant, for a terminal."""
    what = f"{outcome.file} {outcome.scope}: {outcome.text} → {outcome.becomes or 'nothing'}"
    return f"{outcome.outcome:16} {outcome.seconds:5.0f} s  {outcome.kind}: {what}\n{'':26}{outcome.by}"
