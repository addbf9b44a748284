"""Ties the built programs to the sources they came from. Standard library only, no git needed.

digest.py check                                   every program's sources and files match the committed manifest
digest.py compare DIR                             the files in DIR are the committed ones, byte for byte
digest.py tools                                   the tool versions of the committed build, one TOOL=VERSION a line
digest.py where PROGRAM                           the folder that PROGRAM's files are committed in
digest.py next                                    the folder for the test build that follows the program ionet
digest.py record PROGRAM DIR MANIFEST TOOL=…      note PROGRAM's files (in DIR) and sources in the file MANIFEST
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
ARTIFACTS = REPO / "client/ionet/artifacts"
MANIFEST = ARTIFACTS / "manifest.json"
# Programs that only tests load are not shipped with the client.
TEST_ONLY = dict.fromkeys(("arith", "proxy"), REPO / "tests/program/fixtures")
# What shapes the files of every program beside its own folder.
SHARED = (
    "Cargo.lock",
    "Cargo.toml",
    "scripts/toolchain/builtins.py",
    "scripts/toolchain/idl.py",
    "scripts/toolchain/legacy_idl.py",
    "scripts/toolchain/sbpf-linker",
    "scripts/toolchain/sbpf-solana.json",
    "scripts/toolchain/toolchain.sh",
)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sources(program: str) -> str:
    """Hex digest over path and content of every file that shapes one program."""
    folder = REPO / "programs" / program
    own = [p for p in folder.rglob("*") if p.is_file() and (p.suffix == ".rs" or p.name == "Cargo.toml")]
    digest = hashlib.sha256()
    for path in sorted([p.relative_to(REPO).as_posix() for p in own] + list(SHARED)):
        digest.update(f"{path}\0{sha256(REPO / path)}\n".encode())
    return digest.hexdigest()


def where(program: str) -> Path:
    """The folder that a program's files are committed in."""
    return TEST_ONLY.get(program, ARTIFACTS)


def following() -> Path:
    """The folder that the test build of these sources is kept in."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256((sources("ionet") + sha256(REPO / "scripts/toolchain/next.py")).encode()).hexdigest()
    return cache / "ionet/next" / digest[:16]


def load() -> dict[str, Any]:
    """Program → sources, files and tools; empty where nothing was built yet."""
    return json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}


def record(program: str, tools: dict[str, str]) -> None:
    """Writes one program's entry and leaves those of the others that still exist."""
    files = sorted(p for p in where(program).glob(f"{program}.*") if p.suffix in (".so", ".json"))
    entry = {"sources": sources(program), "files": {p.name: sha256(p) for p in files}, "tools": tools}
    entries = {name: old for name, old in load().items() if (REPO / "programs" / name).is_dir()} | {program: entry}
    MANIFEST.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")


def check() -> list[str]:
    """One line for each thing that is not as recorded."""
    entries = load()
    programs = sorted(p.parent.name for p in REPO.glob("programs/*/Cargo.toml"))
    wrong = [] if programs == sorted(entries) else [f"programs are {programs}, the manifest has {sorted(entries)}"]
    for program, entry in entries.items():
        if program in programs and sources(program) != entry["sources"]:
            wrong.append(f"{program}: sources changed since it was built")
        for name, recorded in entry["files"].items():
            path = where(program) / name
            found = sha256(path) if path.exists() else "missing"
            if found != recorded:
                wrong.append(f"{name}: {found[:16]}, recorded {recorded[:16]}")
    return wrong


def main(argv: list[str]) -> int:
    lines, wrong = [], []
    match argv:
        case ["check"]:
            wrong = check()
        case ["tools"]:
            lines = sorted({f"{k}={v}" for entry in load().values() for k, v in entry["tools"].items()})
        case ["where", program]:
            lines = [str(where(program))]
        case ["next"]:
            lines = [str(following())]
        case ["record", program, *tools]:
            record(program, dict(tool.split("=", 1) for tool in tools))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    for line in lines + wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
