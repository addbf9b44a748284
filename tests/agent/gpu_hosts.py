"""Machines with GPUs as a program sees them: the files of /proc and /sys, and a `nvidia-smi` on PATH."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

# As driver 550 writes it.
INFORMATION = """Model: \t\t {model}
IRQ:   \t\t 213
GPU UUID: \t {uuid}
Video BIOS: \t 96.00.89.00.01
Bus Type: \t PCIe
DMA Size: \t 52 bits
DMA Mask: \t 0xfffffffffffff
Bus Location: \t 0000:{bus}:00.0
Device Minor: \t 0
GPU Firmware: \t 550.90.07
GPU Excluded:\t No
"""
VERSION = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.90.07  Fri May 31 09:35:42 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""


class Host:
    """A machine below `root`. `path`: what PATH is on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, str(root / "bin")
        (root / "bin").mkdir(parents=True)

    def proc(self, cards: Sequence[tuple[str, str]]) -> Host:
        """/proc/driver/nvidia with these cards: (model, UUID)."""
        folder = self.root / "proc/driver/nvidia"
        for number, (model, uuid) in enumerate(cards):
            bus = f"{0x17 + number:02x}"
            card = folder / "gpus" / f"0000:{bus}:00.0"
            card.mkdir(parents=True)
            (card / "information").write_text(INFORMATION.format(model=model, uuid=uuid, bus=bus))
        (folder / "version").write_text(VERSION)
        return self

    def smi(self, query: str = "", listed: str = "", code: int = 0) -> Host:
        """A `nvidia-smi` that prints `query` or, with -L, `listed`."""
        script = self.root / "bin/nvidia-smi"
        said = f'if [ "$1" = -L ]; then printf %s {shlex.quote(listed)}; else printf %s {shlex.quote(query)}; fi'
        script.write_text(f"#!/bin/sh\n{said}\nexit {code}\n")
        script.chmod(0o755)
        return self

    def interface(self, name: str, speed: str, *, hardware: bool = True) -> Host:
        folder = self.root / "sys/class/net" / name
        folder.mkdir(parents=True)
        (folder / "speed").write_text(speed + "\n")
        if hardware:
            (folder / "device").mkdir()
        return self
