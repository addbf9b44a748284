"""anchorpy's own environment: made once with uv in a cache folder named after the pins, then reused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ionet"


def python() -> Path:
    """The environment's interpreter. Raises when uv is missing or the packages cannot be had."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / f"anchorpy-{digest}"
    interpreter = folder / "bin" / "python"
    if (folder / "complete").exists():
        return interpreter
    uv = shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv is needed to make anchorpy's environment; scripts/test brings it")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
    # Our own settings must not leak in: its packages are pinned and installed to it alone.
    command = [uv, "pip", "install", "--quiet", "--python", str(interpreter), "--requirements", str(REQUIREMENTS)]
    subprocess.run(command, check=True, cwd=CACHE)
    (folder / "complete").touch()
    return interpreter


def ask(task: dict[str, Any]) -> Any:
    """Run the probe with a task and return its answer. Blocks up to two minutes."""
    command = [str(python()), "-I", str(HERE / "probe.py")]
    result = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)
