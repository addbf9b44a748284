"""What this machine is, as far as the operating system and NVIDIA's own tool tell."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from ionet.check import devices
from ionet.check.report import Report
from ionet.isolation import Isolation


def measure(
    root: Path = Path("/"),
    path: str | None = None,
    *,
    found: devices.Found | None = None,
    isolation: Isolation | None = None,
) -> Report:
    """The report of this machine now; `root` and `path` as for `devices.find`. found: what that said already."""
    found = found or devices.find(root, path)
    return Report(
        cpus=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=platform.release(),
        architecture=platform.machine(),
        driver=found.driver,
        devices=found.devices,
        fault=found.fault,
        network_mbits=devices.network_mbits(root),
        python=platform.python_version(),
        ray=version("ray"),
        isolation=isolation,
    )
