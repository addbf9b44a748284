"""Everything raised on purpose has a sentence, a type and an exit code, and the command line says exactly these."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ionet import cli
from ionet.booking import Booking
from ionet.errors import InvalidInput, IonetError, reason_of
from ionet.executor import Delivery
from ionet.leaves import UploadError
from ionet_indexer.core.refusals import ApiError, BadValue, NotFound, Refused, TooMuch, Unauthorized
from ionet_launcher.phases import Reason
from ionet_localnet.errors import LocalnetError
from solders.pubkey import Pubkey

ROOT = Path(__file__).parents[1]
NAMES = ("localnet", "indexer", "launcher", "agent", "keeper", "mcp", "relay", "web", "actions", "stack")
PACKAGES = ["ionet", *(f"ionet_{name}" for name in NAMES)]
FOLDERS = [
    ROOT / ("web" if folder == "actions" else folder) / package
    for folder, package in zip(["client", *NAMES], PACKAGES, strict=True)
]
# The local chain knows nothing of ionet, so its errors have a root of their own, with the same way to exit.
ROOTS = (IonetError, LocalnetError)
# What a framework or the language wants raised, and what only a mistake of ours can raise.
ALSO_RAISED = {"Exit", "BadParameter", "UsageError", "ToolError", "AssertionError", "SystemExit", "KeyboardInterrupt"}
# The last as system calls raise it: the agent takes both the same way.
ALSO_RAISED |= {"ValidationException", "TooManyRequestsException", "OSError", "AttributeError"}


def modules() -> Iterator[str]:
    for package in PACKAGES:
        yield package
        found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        yield from (item.name for item in found if not item.name.endswith("__main__"))


def families() -> list[type[Any]]:
    for name in modules():
        importlib.import_module(name)
    found: list[type[Any]] = list(ROOTS)
    for kind in found:
        found += [child for child in kind.__subclasses__() if child not in found]
    return found


FAMILIES = families()


def made(kind: type[Any]) -> Exception:
    """An instance, with something for every argument that it must have."""
    required = [
        parameter.name
        for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]
        if parameter.default is parameter.empty and parameter.kind in (0, 1)
    ]
    values = {
        "cause": InvalidInput("the cause"),
        "first": InvalidInput("the first"),
        "delivery": Delivery(),
        "booking": Booking(Pubkey.default(), {}, {}, []),
        "wanted": 3,
        "wait": 3,
        "reason": Reason.EXPIRED,
        "code": -32000,
    }
    error: Exception = kind(*[values.get(name, "the detail") for name in required] or ["the detail"])
    return error


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_the_command_line_says_the_sentence_and_exits_with_the_code(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = made(kind)

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as left:
        cli.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: " + " ".join(str(error).split())
    assert "internal error" not in line
    assert left.value.code == kind.exit_code != 0


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_class_has_a_sentence_of_its_own(kind: type[Any]) -> None:
    assert kind.__doc__ is not None
    assert kind.message() == kind.__doc__.strip().splitlines()[0]
    assert not any(kind.__doc__ == base.__doc__ for base in kind.__mro__[1:])


def raised(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and class of each `raise Class(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            called = node.exc.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name[:1].isupper():
                yield node.lineno, name
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and hasattr(builtins, node.exc.id):
            yield node.lineno, node.exc.id


def test_nothing_else_is_raised_on_purpose() -> None:
    ours = {kind.__name__ for kind in FAMILIES}
    strangers = [
        f"{path.relative_to(ROOT)}:{line} raises {name}"
        for folder in FOLDERS
        for path in sorted(folder.rglob("*.py"))
        for line, name in raised(ast.parse(path.read_text(encoding="utf-8")))
        if name not in ours | ALSO_RAISED
    ]
    assert strangers == []


def test_every_refusal_of_an_upload_keeps_its_type() -> None:
    """What the indexer answers an upload with, and what the agent's side raises for it."""
    raised_by_uploads: set[type[ApiError]] = {NotFound, Refused, BadValue, Unauthorized, TooMuch}
    assert {kind.kind for kind in raised_by_uploads} == {
        kind.kind for kind in UploadError.__subclasses__() if kind.kind
    }


def test_an_error_that_says_nothing_is_named() -> None:
    """An exception is true whatever it says: `error or ...` never names it."""
    assert (reason_of(TimeoutError()), reason_of(OSError(5, "no"))) == ("TimeoutError", "[Errno 5] no")
    fault = re.compile(r"\berror or (?:type|url|f?\")")
    sources = [path for folder in FOLDERS for path in folder.rglob("*.py")]
    assert [path for path in sources if fault.search(path.read_text(encoding="utf-8"))] == []
