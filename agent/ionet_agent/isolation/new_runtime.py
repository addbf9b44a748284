"""Makes a runtime: a virtual environment with the agent's versions of Ray and `ionet`, which any user may read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution, version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from ionet.errors import ConfigError

from ionet_agent.isolation.base import is_root

_SECS = 900.0
_MODULES = "import aiohttp, grpc, numpy, ray, ionet.ray, ionet.ray_start, ionet.check.member, ionet.dashboard"


def default_folder() -> Path:
    """One for each version of Ray and Python: those of a cluster must have the same."""
    name = f"ray-{version('ray')}-python-{sys.version_info.major}.{sys.version_info.minor}"
    if is_root():
        return Path("/opt/ionet/runtime", name)
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "ionet/runtime" / name


def make(folder: Path) -> None:
    """Make it, or do nothing where it is. Raises ConfigError."""
    python = folder / "bin/python"
    if python.exists() and works(python):
        return
    uv = shutil.which("uv")
    if uv is None:
        raise ConfigError("uv, which makes the runtime, is not on PATH")
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Relocatable: it is made beside its place, so that a half of one is never taken for a whole.
    _run(uv, "venv", "--quiet", "--relocatable", "--python", str(_interpreter()), str(new))
    packages = [f"ray[client,default]=={version('ray')}", f"numpy=={version('numpy')}", _ionet()]
    # Compiled: a room can only read it, and would do so at each start.
    _run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(new / "bin/python"), *packages)
    if not works(new / "bin/python"):
        raise ConfigError(f"the runtime in {new} does not work")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _interpreter() -> Path:
    """One of the system's, which other users may run; else the agent's own."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(shutil.which(name, path="/usr/local/bin:/usr/bin") or sys.executable).resolve()


def _ionet() -> str:
    """What installs the very `ionet` that runs: its source where it was installed from that."""
    origin = distribution("ionet").read_text("direct_url.json")
    if origin is None:
        return f"ionet=={version('ionet')}"
    return unquote(urlsplit(msgspec.json.decode(origin)["url"]).path)


def works(python: Path) -> bool:
    done = subprocess.run([str(python), "-I", "-c", _MODULES], capture_output=True, timeout=_SECS, check=False)
    return done.returncode == 0


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"the runtime cannot be made: {error}") from None
    if done.returncode:
        raise ConfigError(f"the runtime cannot be made: {' '.join(done.stderr.split())[-300:]}")
