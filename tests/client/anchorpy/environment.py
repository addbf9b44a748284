"""anchorpy in its own environment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import own_environment

HERE = Path(__file__).parent


def python() -> Path:
    """The environment's interpreter. Raises when uv is missing or the packages cannot be had."""
    return own_environment.python("anchorpy", HERE / "requirements.txt")


def ask(task: dict[str, Any]) -> Any:
    """Run the probe with a task and return its answer. Blocks up to two minutes."""
    command = [str(python()), "-I", str(HERE / "probe.py")]
    result = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)
