"""What this machine is, as far as the operating system tells without any driver library."""

from __future__ import annotations

import os
import platform
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import msgspec

_DRIVER = Path("/proc/driver/nvidia")


class Report(msgspec.Struct, frozen=True):
    """The agent's hardware report; its hash goes on the chain with readiness."""

    cpus: int
    memory_bytes: int
    kernel: str
    architecture: str
    driver: str | None
    """Version line of the NVIDIA kernel module, None without one."""
    gpus: list[str]
    """Model names in the order of their PCI addresses."""
    python: str
    ray: str

    def hash(self) -> bytes:
        """sha256 of the canonical JSON."""
        return sha256(msgspec.json.encode(self, order="sorted")).digest()


def measure() -> Report:
    """The report of this machine now."""
    return Report(
        cpus=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=platform.release(),
        architecture=platform.machine(),
        driver=_first_line(_DRIVER / "version"),
        gpus=[_model(folder) for folder in sorted(_DRIVER.glob("gpus/*"))],
        python=platform.python_version(),
        ray=version("ray"),
    )


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return None


def _model(folder: Path) -> str:
    try:
        lines = (folder / "information").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("Model:")), "unknown")
