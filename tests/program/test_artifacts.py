"""The committed programs: built from these sources, by one set of tools, and loadable everywhere."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from solders.litesvm import FeatureSet, LiteSVM
from solders.pubkey import Pubkey

REPO = Path(__file__).parents[2]
ARTIFACTS = REPO / "client/ionet/artifacts"
TOOLCHAIN = REPO / "scripts/toolchain"
MANIFEST: dict[str, Any] = json.loads((ARTIFACTS / "manifest.json").read_text())
PROGRAMS = sorted(MANIFEST)
WITH_IDL = [name for name in PROGRAMS if f"{name}.json" in MANIFEST[name]["files"]]
MAX_SIZE = 450_000
# What the loader gives a program's heap and stack is not in the file; these are: machine eBPF, sBPF version 3.
E_MACHINE_BPF, SBPF_V3 = 247, 3


def program_bytes(name: str) -> bytes:
    folder = Path(__file__).parent / "fixtures" if name in ("arith", "proxy") else ARTIFACTS
    return (folder / f"{name}.so").read_bytes()


def idl(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_text())
    return document


def run(script: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLCHAIN / script), *args]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_files_and_sources_are_the_recorded_ones() -> None:
    result = run("digest.py", "check")
    assert result.returncode == 0, f"run scripts/build-program build\n{result.stdout}{result.stderr}"


def test_a_changed_source_is_noticed(tmp_path: Path) -> None:
    for part in ("programs", "scripts/toolchain", "client/ionet/artifacts", "tests/program/fixtures"):
        for path in (p for p in (REPO / part).rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            copy = tmp_path / path.relative_to(REPO)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    for name in ("Cargo.toml", "Cargo.lock"):
        (tmp_path / name).write_bytes((REPO / name).read_bytes())
    check = [sys.executable, str(tmp_path / "scripts/toolchain/digest.py"), "check"]
    assert subprocess.run(check, capture_output=True, check=False).stdout == b""
    source = tmp_path / "programs/arith/src/lib.rs"
    source.write_text(source.read_text() + "\n")
    (tmp_path / "client/ionet/artifacts/price_poster.so").write_bytes(b"another program")
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["arith", "price_poster.so"]


def test_one_set_of_tools_built_every_program() -> None:
    """So that what arith.so proves about 128-bit arithmetic holds for the others."""
    assert {json.dumps(entry["tools"], sort_keys=True) for entry in MANIFEST.values()} == {
        json.dumps(MANIFEST["arith"]["tools"], sort_keys=True)
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_a_small_sbpf_v3_file(name: str) -> None:
    data = program_bytes(name)
    magic, machine, flags = data[:4], *struct.unpack_from("<H", data, 18), *struct.unpack_from("<I", data, 48)
    assert (magic, machine, flags) == (b"\x7fELF", E_MACHINE_BPF, SBPF_V3)
    assert len(data) <= MAX_SIZE
    assert b"/root/" not in data
    assert b"/src/programs" not in data


@pytest.mark.parametrize("coming", [False, True], ids=["mainnet features", "all features"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_loads_with_todays_and_coming_features(name: str, coming: bool) -> None:
    svm = LiteSVM.default()
    svm = (svm.with_feature_set(FeatureSet.all_enabled()) if coming else svm.with_mainnet_features()).with_builtins()
    address = Pubkey.new_unique()
    svm.add_program(address, program_bytes(name))
    account = svm.get_account(address)
    assert account is not None
    assert account.executable


@pytest.mark.parametrize("name", WITH_IDL)
def test_idl_names_the_program_and_defines_its_types(name: str) -> None:
    document = idl(name)
    declared = re.search(r'declare_id!\("(\w+)"\)', (REPO / f"programs/{name}/src/lib.rs").read_text())
    assert declared is not None
    assert document["address"] == declared[1]
    assert {"name": name, "version": "0.1.0", "spec": "0.1.0"}.items() <= document["metadata"].items()
    assert document["instructions"]
    defined = {item["name"] for item in document["types"]}
    used = set(re.findall(r'"defined": \{\s*"name": "(\w+)"', (ARTIFACTS / f"{name}.json").read_text()))
    assert used | {item["name"] for item in document["accounts"] + document["events"]} <= defined
    codes = [error["code"] for error in document["errors"]]
    assert len(set(codes)) == len(codes)
    assert all(error.get("msg") for error in document["errors"])


def test_other_names_of_types_are_written_out() -> None:
    """Codama's reader knows no aliases."""
    types = [
        {"name": "pod::Wide", "type": {"kind": "type", "alias": "u128"}},
        {"name": "pod::Pair", "type": {"kind": "type", "alias": {"array": [{"defined": {"name": "pod::Wide"}}, 2]}}},
        {
            "name": "pod::Pool",
            "type": {
                "kind": "struct",
                "fields": [{"name": "shares", "type": {"option": {"defined": {"name": "pod::Pair"}}}}],
            },
        },
    ]
    parts = {"address": "11111111111111111111111111111111", "program": {"instructions": [], "types": types}}
    printed = "".join(f"--- IDL begin {k} ---\n{json.dumps(v)}\n--- IDL end {k} ---\n" for k, v in parts.items())
    result = run("idl.py", stdin=printed)
    assert result.returncode == 0, result.stderr
    fields = [{"name": "shares", "type": {"option": {"array": ["u128", 2]}}}]
    assert json.loads(result.stdout)["types"] == [{"name": "Pool", "type": {"kind": "struct", "fields": fields}}]


@pytest.mark.parametrize("name", WITH_IDL)
def test_idl_names_no_aliases(name: str) -> None:
    assert [item["name"] for item in idl(name)["types"] if item["type"]["kind"] == "type"] == []


@pytest.mark.parametrize("name", WITH_IDL)
def test_legacy_idl_is_the_converted_one(name: str) -> None:
    result = run("legacy_idl.py", stdin=(ARTIFACTS / f"{name}.json").read_text())
    assert result.returncode == 0, result.stderr
    assert result.stdout == (ARTIFACTS / f"{name}.legacy.json").read_text()


def test_legacy_form_refuses_what_it_cannot_say() -> None:
    document = idl("price_poster")
    document["accounts"][0]["discriminator"] = [1]
    result = run("legacy_idl.py", stdin=json.dumps(document))
    assert result.returncode == 1
    assert "custom discriminator" in result.stderr
