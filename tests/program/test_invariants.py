"""docs/invariants.md names code and tests that exist, liveness.md and authorities.md real instructions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ionet.idl import bundled

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "programs/ionet/src"
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([^`]+)`")


def document(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows() -> list[tuple[str, str, str]]:
    """Number, where it is enforced, which test fails."""
    return [(number, enforced, test) for number, _, enforced, test in ROW.findall(document("invariants.md"))]


def program() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.rs")))


def exists(named: str) -> bool:
    """A file of the program or its tests, or a function or type of the program."""
    if named.endswith((".rs", ".py")):
        tail = Path(named.removeprefix("src/")).parts
        folder = ROOT / "tests" if named.endswith(".py") else SOURCES
        return any(path.parts[-len(tail) :] == tail for path in folder.rglob(tail[-1]))
    return re.search(rf"\b(?:fn|struct|const) {re.escape(named.split('::')[-1])}\b", program()) is not None


def test_the_rows_are_numbered_and_whole() -> None:
    assert [int(number) for number, *_ in rows()] == list(range(1, len(rows()) + 1))
    assert document("invariants.md").count("\n| ") == len(rows()) + document("invariants.md").count("\n| # |")


def test_what_the_invariants_name_exists() -> None:
    missing = [
        f"{number}: {named}"
        for number, *cells in rows()
        for cell in cells
        for named in NAMED.findall(cell)
        if not exists(named)
    ]
    assert missing == []


def test_every_invariant_names_a_test() -> None:
    assert [number for number, _, test in rows() if not re.search(r"`[\w/]*tests?[\w/]*\.(?:py|rs)`", test)] == []


@pytest.mark.parametrize("named", ["nothing.rs", "test_nothing.py", "Lease::nothing"])
def test_what_does_not_exist_is_noticed(named: str) -> None:
    assert not exists(named)


@pytest.mark.parametrize("name", ["liveness.md", "authorities.md"])
def test_instructions_that_documents_name_are_the_programs(name: str) -> None:
    instructions = {instruction.name for instruction in bundled().instructions}
    cells = re.findall(r"^\| [^|]* \| [^|]* \| [^|]* \| [^|]* \| `(\w+)`", document(name), re.MULTILINE)
    said = set(cells) if name == "liveness.md" else set(re.findall(r"`([a-z]+_[a-z_]+)`", document(name)))
    fields = set(re.findall(r"^    pub (\w+):", program(), re.MULTILINE))
    assert said
    assert said - instructions - fields == set()


def test_every_exit_stands_in_the_liveness_table() -> None:
    """Whatever is pushed on by somebody must have its line; entries and settings need none."""
    entries = {
        "init_network",
        "init_vaults",
        "register_model",
        "set_model",
        "set_pause",
        "register_node",
        "update_node",
    }
    entries |= {"rotate_device_key", "pause_node", "set_co_stake_terms", "mint_iosd", "mint_iosd_exact", "open_cluster"}
    entries |= {"set_session_key", "add_lease", "fund_rewards", "propose_params", "propose_role", "open_case"}
    instructions = {instruction.name for instruction in bundled().instructions}
    missing = {name for name in instructions - entries if f"`{name}`" not in document("liveness.md")}
    assert missing == set()
