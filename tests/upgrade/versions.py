"""Two versions of the Python packages beside each other: each a folder with the IDL and the types of its program."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ionet.addresses import RULES
from ionet.idl import load_file
from lib.pygen import generate

ROOT = Path(__file__).parents[2]
PACKAGES = ("client/ionet", "indexer/ionet_indexer", "launcher/ionet_launcher")
SBPF = Path(os.environ.get("SBPF_HOME") or Path.home() / ".cache/ionet/sbpf")
# The fold of the test build's new event, as its indexer would have it: the lease's count goes on.
FOLD = """

def _counted(view: View, event: Event, e: Any) -> None:
    lease_at(view, event, str(e.lease), e.seq)


HANDLERS["ProofCounted"] = _counted
"""


def next_build() -> Path:
    """The folder with the program and IDL that follow the committed sources; built where the compiler is."""
    digest = [sys.executable, str(ROOT / "scripts/toolchain/digest.py"), "next"]
    folder = Path(subprocess.run(digest, capture_output=True, text=True, check=True).stdout.strip())
    if not (folder / "ionet.json").exists():
        if os.geteuid() != 0 or not (SBPF / "root/.ready").exists():
            pytest.skip("needs the compiler root (scripts/build-program install) for the test build")
        subprocess.run([str(ROOT / "scripts/build-program"), "next"], check=True)
    return folder


def make_tree(folder: Path, idl: Path, fold: str = "") -> Path:
    """The packages as they are for the program of this IDL; `fold` is what its indexer knows besides."""
    for package in PACKAGES:
        copy = folder / Path(package).name
        shutil.copytree(ROOT / package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(idl, folder / "ionet/artifacts/ionet.json")
    for name, text in generate(load_file(idl), RULES).items():
        (folder / "ionet/generated" / name).write_text(text)
    topic = folder / "ionet_indexer/topics/leases.py"
    topic.write_text(topic.read_text() + fold)
    return folder


class Version:
    """A process that has only one version's packages; see side.py for what it can do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Let it do one thing. Raises RuntimeError when it fails, which ends it: what went wrong is on stderr."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        into.write(msgspec.json.encode({"do": name, **arguments}) + b"\n")
        await into.drain()
        line = await asyncio.wait_for(out.readline(), 120)
        if not line:
            raise RuntimeError(f"{name} failed")
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer


@asynccontextmanager
async def running(tree: Path, url: str) -> AsyncIterator[Version]:
    """A version at work on the chain at `url`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "side.py"),
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )
    try:
        yield Version(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
