"""What the pages show of each action is what the process beside them builds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ionet.generated.types import OpenClusterArgs
from ionet.program import PROGRAM
from ionet_actions.kinds import KINDS, MOST_LEASES, MOST_NODES, Asked
from ionet_web.acts import SORTS, act, expected
from solders.pubkey import Pubkey

ROOT = Path(__file__).parents[2]


def test_pages_and_actions_know_the_same_kinds() -> None:
    assert set(SORTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_and_instructions_are_the_same(kind: str) -> None:
    made, sort = KINDS[kind], SORTS[kind]
    assert {name for name, _ in sort.fields} == set(made.__struct_fields__) - set(Asked.__struct_fields__)
    assert {part.name for part in sort.parts} == set(made.takes)
    assert all(set(made.__struct_fields__) >= {key.field for key in part.keys} for part in sort.parts)
    assert act(kind, {}).title == sort.title


def test_what_is_expected_is_where_the_program_reads_it() -> None:
    data = PROGRAM.codec.encode_args("mint_iosd", {"io_amount": 7, "min_iosd": 9})
    [part] = expected(SORTS["mint"])["parts"]
    assert part["tag"] == data[:8].hex()
    assert part["numbers"] == [{"at": 8, "size": 8, "field": "io", "decimals": 8, "times": 1}]
    assert data[8:16] == (7).to_bytes(8, "little")
    args = OpenClusterArgs(0, 7, Pubkey.default(), 0, bytes(32))
    data = PROGRAM.codec.encode_args("open_cluster", {"id": 5, "args": args})
    goes = expected(SORTS["fund"])["parts"][0]["numbers"][0]
    assert int.from_bytes(data[goes["at"] : goes["at"] + goes["size"]], "little") == 7


def test_as_many_nodes_and_leases_as_the_actions_put_in_one() -> None:
    most = {part.name: part.most for kind in ("rent", "extend", "end") for part in SORTS[kind].parts}
    assert most["add_lease"] == MOST_NODES
    assert most["end_lease"] == most["extend_lease"] == MOST_LEASES


def test_the_bundle_is_what_its_sources_make() -> None:
    command = [sys.executable, str(ROOT / "scripts/lib/build_web.py"), str(ROOT), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert (result.returncode, result.stdout) == (0, "unchanged\n"), result.stdout + result.stderr
