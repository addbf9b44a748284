"""The repository as a whole: what must be there, and what must not be in any file."""

from __future__ import annotations

import fnmatch
import importlib
import os
import re
import tomllib
import urllib.parse
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCK_FILES = {"uv.lock", "Cargo.lock"}
LONGEST = 400  # lines


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that .gitignore does not name, relative to the root. Needs neither git nor a .git folder."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()] + [".git"]

    def kept(name: str) -> bool:
        return not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)

    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = filter(kept, folders)
        found += [Path(folder, name).relative_to(ROOT) for name in names if kept(name)]
    return tuple(sorted(found))


@cache
def texts() -> dict[Path, str]:
    """The project's text files but for lock files: binary ones do not decode."""
    found = {}
    for path in project_files():
        if path.name not in LOCK_FILES:
            try:
                found[path] = (ROOT / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return found


def lines_with(pattern: str) -> list[str]:
    """`file:line: text` of every line in which the pattern is found."""
    wanted = re.compile(pattern)
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if wanted.search(line)
    ]


# The faults of docs/development.md ("English") that a pattern can tell.
FAULTS = [
    r"\bso many\b",
    r"\banew\b",
    r"\b(he|his|him|himself)\b",
    r"(?<!here )\bis no (valid|address|number|file|terminal|transaction|account|event|boolean|string|parameter|key)\b",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_texts_are_free_of_the_listed_faults(fault: str) -> None:
    naming = ("docs/development.md:", "tests/test_project.py:")
    assert [line for line in lines_with(fault) if not line.startswith(naming)] == []


def test_every_module_and_name_in_the_docs_exists() -> None:
    """`ionet.rules.pricing` or `ionet_indexer.core.decode.decode` in code style leads to something."""
    named = set()
    for path, text in texts().items():
        if path.suffix == ".md" and path.parts[0] in ("docs", "README.md") and "decisions" not in path.parts:
            named |= set(re.findall(r"`(ionet(?:_\w+)?(?:\.(?!so\b|json\b|legacy\b)\w+)+)", text))
    assert len(named) > 15
    assert [name for name in sorted(named) if not _exists(name)] == []


def _exists(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "Anchor.toml", ".ci/run"])
def test_the_project_has(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_every_test_that_the_docs_name_exists() -> None:
    tests = {(path.name, name) for path, text in texts().items() for name in re.findall(r"def (test_\w+)", text)}
    named = {
        (path, *found)
        for path, text in texts().items()
        if path.suffix == ".md"
        for found in re.findall(r"(test_\w+\.py)::(test_\w+)", text)
    }
    assert len(named) > 100
    assert sorted(str(each) for each in named if each[1:] not in tests) == []


def test_every_row_of_a_table_of_tests_names_one() -> None:
    """Where the table says who is hostile, or what threatens, the very test; elsewhere at least a file of tests.
    These are all there."""
    files = "\n".join(f"/{path}" for path in project_files()) + "\n"
    rows, bare = 0, []
    for path, text in texts().items():
        if path.suffix == ".md" and path.parts[0] == "docs":
            for header, row in _rows_with_tests(text):
                rows += 1
                is_threat = header[0].startswith(("who", "an agent", "threat"))
                named = re.findall(r"(\w+\.py)::test_\w+" if is_threat else r"([\w/]*tests?[\w/]*\.(?:py|rs))", row[-1])
                if not named or not all(f"/{name}\n" in files for name in named):
                    bare.append(f"{path}: {row}")
    assert rows > 100
    assert bare == []


def _rows_with_tests(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """(header, row) of each row of the tables whose last column is of tests."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        header, _, *rows = [re.split(r"(?<!\\)\s*\|\s*", line.strip())[1:-1] for line in table.splitlines()]
        if re.match(r"test\b", header[-1]):
            yield from ((header, row) for row in rows)


def test_the_readmes_commands_and_links_exist() -> None:
    readme = texts()[Path("README.md")]
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    commands = {line.split()[0] for block in blocks for line in block.splitlines() if line.startswith("scripts/")}
    assert {"scripts/demo", "scripts/test"} <= commands
    assert [command for command in sorted(commands) if not os.access(ROOT / command, os.X_OK)] == []
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", readme) if not (ROOT / link).exists()]
    assert links == []


def test_every_folder_in_the_readmes_map_exists() -> None:
    table = re.findall(r"^\| `([^`]+)` \|", texts()[Path("README.md")], re.MULTILINE)
    assert {"client/ionet/", "indexer/ionet_indexer/", "launcher/ionet_launcher/"} <= set(table)
    assert [folder for folder in table if not (ROOT / folder).exists()] == []


def test_every_script_says_what_it_does() -> None:
    silent = []
    for path in project_files():
        if path.parent == Path("scripts") or path == Path(".ci/run"):
            first, second, *_ = texts()[path].splitlines()
            described = first.startswith("#!") and second.startswith(("# ", '"""'))
            if not described or not os.access(ROOT / path, os.X_OK):
                silent.append(str(path))
    assert silent == []


def test_no_file_is_over_400_lines() -> None:
    written = {path: text for path, text in texts().items() if "generated by" not in text[:400].lower()}
    source = {str(path): text for path, text in written.items() if path.suffix in {".py", ".rs", ".ts", ".js"}}
    assert {path: text.count("\n") for path, text in source.items() if text.count("\n") > LONGEST} == {}


def test_nothing_is_left_unfinished() -> None:
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error", "unimplemented" + "!", "todo" + "!"]
    assert lines_with("|".join(rf"\b{re.escape(word)}(?!\w)" for word in words)) == []


def test_no_file_names_a_machine() -> None:
    """No path into somebody's home, nor into this checkout."""
    assert lines_with(rf"/(?:home|Users)/\w|{re.escape(str(ROOT))}\b") == []


def test_only_lock_files_name_a_package_registry() -> None:
    """Everyone's index is their own setting; the lock files record the public one and nothing else does."""
    urls = re.findall(r'https://[^"\s]+', (ROOT / "uv.lock").read_text())
    hosts = {urllib.parse.urlsplit(url).netloc for url in urls}
    assert len(hosts) == 2  # the index and its files
    assert lines_with("|".join(map(re.escape, sorted(hosts))) + r"|registry\.npm|static\.crates|index\.crates") == []


def test_every_test_is_collected() -> None:
    """pytest takes tests/**/test_*.py: a test in a file of another name would never run."""
    strays = [
        str(path)
        for path, text in texts().items()
        if path.suffix == ".py" and re.search(r"^(?:async )?def test_", text, re.MULTILINE)
        if path.parts[0] != "tests" or not path.name.startswith("test_")
    ]
    assert strays == []


def test_anchor_toml_names_the_programs() -> None:
    anchor = tomllib.loads(texts()[Path("Anchor.toml")])
    members = {Path(member).name: ROOT / member for member in anchor["workspace"]["members"]}
    assert set(anchor["programs"]["localnet"]) == set(members) == {"ionet", "price_poster"}
    for name, folder in members.items():
        declared = re.search(r'declare_id!\("(\w+)"\)', (folder / "src/lib.rs").read_text())
        assert declared is not None
        assert anchor["programs"]["localnet"][name] == declared[1]
        assert tomllib.loads((folder / "Cargo.toml").read_text())["package"]["name"] == name
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert cargo["workspace"]["dependencies"]["anchor-lang"] == f"={anchor['toolchain']['anchor_version']}"
    assert os.access(ROOT / anchor["scripts"]["test"], os.X_OK)


def test_one_version_for_everything() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"] == version
