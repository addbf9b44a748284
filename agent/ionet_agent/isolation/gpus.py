"""Which device files belong to a lease, and by what names its processes see the GPUs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ionet.check.devices import Device

_COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "dxg")
_CARD = re.compile(r"nvidia\d+")


@dataclass(frozen=True)
class Gpus:
    """files: of /dev. visible: for CUDA_VISIBLE_DEVICES, None where there are no GPUs."""

    files: tuple[Path, ...] = ()
    visible: str | None = None


def of_lease(devices: Sequence[Device], processors: int, root: Path = Path("/")) -> Gpus:
    """The first `processors` of the machine's devices; all of them where nobody can tell which file is whose."""
    if not devices:
        return Gpus()
    chosen = devices[:processors]
    cards = sorted(path for path in (root / "dev").glob("nvidia*") if _CARD.fullmatch(path.name))
    minors = _minors(root)
    numbers = [minors.get(device.uuid or "") for device in chosen]
    if None not in numbers and len(set(numbers)) == len(chosen):
        cards = [path for path in cards if int(path.name.removeprefix("nvidia")) in numbers]
    common = [root / "dev" / name for name in _COMMON]
    # Of instances of a split card the driver itself keeps each to its own.
    parts = sorted((root / "dev/nvidia-caps").glob("nvidia-cap*"))
    names = [device.uuid or str(number) for number, device in enumerate(chosen)]
    return Gpus(tuple(path for path in (*cards, *common, *parts) if path.exists()), ",".join(names))


def _minors(root: Path) -> dict[str, int]:
    """UUID → number of its device file."""
    found = {}
    for path in (root / "proc/driver/nvidia/gpus").glob("*/information"):
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        if told.get("Device Minor", "").isdecimal():
            found[told.get("GPU UUID", "")] = int(told["Device Minor"])
    return found
