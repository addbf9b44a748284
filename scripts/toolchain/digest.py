"""Ties the committed programs to the sources they were built from. Standard library only, no git needed.

  digest.py record DIR PROGRAM [TOOL=VERSION ...]   note PROGRAM's built files (in DIR) in DIR/manifest.json
  digest.py check                                   sources and files of every program must match the committed manifest
  digest.py tools PROGRAM                           the tool versions PROGRAM was built with, one TOOL=VERSION a line
  digest.py compare DIR                             built files in DIR against the committed ones
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
ARTIFACTS = REPO / "client/ionet/artifacts"
# What shapes the bytes of every program beside its own folder.
SHARED = (
    "Cargo.lock",
    "Cargo.toml",
    "scripts/toolchain/builtins.py",
    "scripts/toolchain/idl.py",
    "scripts/toolchain/legacy_idl.py",
    "scripts/toolchain/sbpf-solana.json",
    "scripts/toolchain/toolchain.sh",
)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sources(program: str) -> str:
    """Hex digest over path and content of every file that shapes one program."""
    folder = REPO / "programs" / program
    own = (p for p in folder.rglob("*") if p.is_file() and (p.suffix == ".rs" or p.name == "Cargo.toml"))
    paths = sorted([p.relative_to(REPO).as_posix() for p in own if "target" not in p.parts] + list(SHARED))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path}\0{sha256(REPO / path)}\n".encode())
    return digest.hexdigest()


def load(folder: Path) -> dict[str, Any]:
    """The manifest in a folder; empty where there is none yet."""
    path = folder / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def record(folder: Path, program: str, tools: dict[str, str]) -> None:
    """Writes one program's entry; those of the others stay."""
    manifest = load(folder)
    files = sorted([*folder.glob(f"{program}.so"), *folder.glob(f"{program}*.json")])
    manifest[program] = {"sources": sources(program), "files": {p.name: sha256(p) for p in files}, "tools": tools}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def check() -> list[str]:
    """One line for each thing that is not as recorded."""
    manifest, wrong = load(ARTIFACTS), []
    programs = sorted(p.parent.name for p in REPO.glob("programs/*/Cargo.toml"))
    if programs != sorted(manifest):
        wrong.append(f"programs {programs} but the manifest has {sorted(manifest)}")
    for program, entry in manifest.items():
        if program in programs and sources(program) != entry["sources"]:
            wrong.append(f"{program}: its sources changed since it was built")
    return wrong + compare(ARTIFACTS)


def compare(folder: Path) -> list[str]:
    """One line for each file of the committed manifest that is missing or different in a folder."""
    wrong = []
    for entry in load(ARTIFACTS).values():
        for name, digest in entry["files"].items():
            path = folder / name
            if not path.exists():
                wrong.append(f"{name} is missing")
            elif sha256(path) != digest:
                wrong.append(f"{name} is {sha256(path)[:16]}…, recorded {digest[:16]}…")
    return wrong


def main(argv: list[str]) -> int:
    match argv:
        case ["record", folder, program, *tools]:
            record(Path(folder), program, dict(tool.split("=", 1) for tool in tools))
            return 0
        case ["tools", program]:
            print(*(f"{k}={v}" for k, v in load(ARTIFACTS)[program]["tools"].items()), sep="\n")
            return 0
        case ["check"]:
            wrong = check()
        case ["compare", folder]:
            wrong = compare(Path(folder))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
