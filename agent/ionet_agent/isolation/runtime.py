"""The environment with Ray in which a lease's processes run: an interpreter, and the folders it reads."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ionet.errors import ConfigError

_ASK = """
import json, os, sys
paths = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)), *sys.path]
print(json.dumps([path for path in paths if os.path.isabs(path) and os.path.exists(path)]))
"""
_SECS = 60.0
_SHOWN_ANYWAY = Path("/usr")


@dataclass(frozen=True)
class Runtime:
    """python: the interpreter of a virtual environment with Ray and ionet."""

    python: Path

    @classmethod
    def own(cls) -> Runtime:
        """The agent's own environment."""
        return cls(Path(sys.executable))

    @classmethod
    def at(cls, folder: Path) -> Runtime:
        """That of a virtual environment. Raises ConfigError."""
        python = folder.absolute() / "bin" / "python"
        if not python.exists():
            raise ConfigError(f"{folder} is not a virtual environment")
        return cls(python)

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """What must be readable for it, none inside another. Raises ConfigError."""
        try:
            done = subprocess.run(
                [str(self.python), "-I", "-c", _ASK], capture_output=True, timeout=_SECS, check=True, env={}
            )
            asked = [Path(path) for path in json.loads(done.stdout)]
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise ConfigError(f"the runtime {self.python} does not work: {error}") from None
        found: list[Path] = []
        for path in sorted(set(asked)):
            if not any(path.is_relative_to(there) for there in (_SHOWN_ANYWAY, *found)):
                found.append(path)
        return tuple(found)
