"""Every reason for which /health fails or the process ends, and every metric, is in the list of runbooks."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import ionet_indexer
from ionet.errors import IonetError
from ionet_indexer import metrics
from ionet_indexer.core.refusals import ApiError
from ionet_indexer.pipeline import SeqHole
from ionet_indexer.source.base import SourceError
from prometheus_client.metrics import MetricWrapperBase

CODE = Path(ionet_indexer.__file__).parent
LIST = (Path(__file__).parents[2] / "docs" / "runbooks" / "README.md").read_text()
REASONS, ENDS, METRICS = (part.split("\n\n")[0] for part in LIST.split("|---|---|\n")[1:])
# Told by a command that ends, not by the writer: `backfill`, `check` and `verify` say so themselves.
ELSEWHERE = {"backfill.py", "reconcile.py", "verify.py"}


def known(table: str) -> list[re.Pattern[str]]:
    """What the rows of a table name, with … for what varies."""
    named = [phrase for row in table.splitlines() for phrase in re.findall("`(.+?)`", row.split(" | ")[0])]
    return [re.compile(".*".join(map(re.escape, phrase.split("…")))) for phrase in named]


def text_of(node: ast.expr | None) -> str | None:
    """A text of the code with … for what varies; None for what is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or "…" for part in parts)
        case ast.FormattedValue(value=ast.Name(id="method")):
            return "getSlot"
        case ast.BinOp(left=left, op=ast.Add()):
            return f"{text_of(left) or '…'}…"
        case _:
            return None


def called(name: str, file: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            if name == (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")):
                yield node


def problems() -> dict[str, str]:
    """Every text that /health may give as its `problem`, or the API as why it cannot, and the file it comes from."""
    found: dict[str, str] = {}
    for file in sorted(CODE.rglob("*.py")):
        calls = [*called("SourceError", file)] if file.name not in ELSEWHERE else []
        if file.name == "service.py":
            calls += [call for call in called("set", file) if ast.unparse(call.func) == "hold.set"]
        found |= dict.fromkeys((text for call in calls if (text := text_of(call.args[0]))), file.name)
    tree = ast.parse((CODE / "api" / "ops.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "problem":
            found |= {text: "ops.py" for text in [text_of(node.value)] if text}
    for call in called("Health", CODE / "api" / "ops.py"):
        found |= {text: "ops.py" for each in call.args if (text := text_of(each)) and " " in text}
    for call in called("Problem", CODE / "api" / "problems.py"):
        if ast.unparse(call.args[2]) == "503":
            found |= {text: "problems.py" for text in [text_of(call.args[3])] if text}
    for node in ast.walk(ast.parse((CODE / "pipeline.py").read_text())):
        if isinstance(node, ast.Assign) and (text := text_of(node.value)) and "again" in text:
            found[text] = "pipeline.py"
    hole = SeqHole("lease", 3, 4)
    return found | {str(hole): "pipeline.py"}


def test_every_problem_has_its_page() -> None:
    found = problems()
    assert len(found) > 25
    assert {"ingest.py", "listing.py", "rpc.py", "transport.py", "service.py", "ops.py"} <= set(found.values())
    phrases = known(REASONS)
    lost = {text: file for text, file in found.items() if not any(phrase.search(text) for phrase in phrases)}
    assert not lost


def test_only_a_call_to_a_node_passes_on_what_it_was_told() -> None:
    """Texts that this cannot read out of the code are of one kind, and have their page: the method, then the reason."""
    passed_on = [
        (file.name, ast.unparse(call.args[0]))
        for file in sorted(CODE.rglob("*.py"))
        for call in called("SourceError", file)
        if text_of(call.args[0]) is None
    ]
    assert passed_on == [("transport.py", "reason")]


def test_the_list_names_nothing_that_is_not_said() -> None:
    told = [*problems(), "getSlot: HTTP 429: ", "getSlot: HTTP 503", "getSlot: ConnectError", "getSlot: ReadTimeout"]
    for phrase in known(REASONS):
        assert any(phrase.search(text) for text in told), phrase.pattern


def test_every_end_has_its_page() -> None:
    found: set[type[IonetError]] = set()
    for module in pkgutil.walk_packages(ionet_indexer.__path__, "ionet_indexer."):
        here = vars(importlib.import_module(module.name)).values()
        found |= {each for each in here if inspect.isclass(each) and issubclass(each, IonetError)}
    ends = {
        each.message()
        for each in found
        if each.__module__.startswith("ionet_indexer.") and not issubclass(each, (ApiError, SourceError, SeqHole))
    }
    assert len(ends) >= 10
    phrases = known(ENDS)
    assert not {text for text in ends if not any(phrase.search(text) for phrase in phrases)}
    assert all(any(phrase.search(text) for text in [*ends, "is a node of chain"]) for phrase in phrases)


def test_every_metric_is_an_alarm_with_a_page_or_said_to_be_none() -> None:
    names = {
        described.name + ("_total" if described.type == "counter" else "")
        for value in vars(metrics).values()
        if isinstance(value, MetricWrapperBase)
        for described in value.describe()
    }
    alarms = set(re.findall(r"`(ionet_\w+)`", METRICS))
    others = set(re.findall(r"`(ionet_\w+)`", LIST.split("Nothing is wrong")[1]))
    assert alarms | others == names
    assert not alarms & others
    kinds = {text_of(call.args[0]) for call in called("_tell", CODE / "ingest.py") if text_of(call.args[0])}
    assert kinds | {"hole", "source"} == set(re.findall(r"`(\w+)`", METRICS.split("by `kind`")[1].split("|")[0]))
