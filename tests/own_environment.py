"""Python packages that cannot live beside ours: an environment for each lock file, made once with uv, then reused."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ionet"


def python(name: str, requirements: Path) -> Path:
    """The environment's interpreter. Raises when uv is missing or the packages cannot be had."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    interpreter = folder / "bin" / "python"
    if (folder / "complete").exists():
        return interpreter
    uv = shutil.which("uv")
    if uv is None:
        raise RuntimeError(f"uv is needed to make {name}'s environment; scripts/test brings it")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
    # Our own settings must not leak in: its packages are pinned and installed to it alone.
    command = [uv, "pip", "install", "--quiet", "--python", str(interpreter), "--requirements", str(requirements)]
    subprocess.run(command, check=True, cwd=CACHE)
    (folder / "complete").touch()
    return interpreter
