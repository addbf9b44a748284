"""Which GPUs a machine shows: asked of `nvidia-smi` where it is on PATH, else read under /proc/driver/nvidia.

WSL2 has no /proc/driver/nvidia, containers often no `nvidia-smi`: either is enough. A card that is split by MIG counts
as its instances, since each of them is a device of its own to whatever runs on it. A `nvidia-smi` that fails is a fault
of the devices and not their absence.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from ionet.errors import InvalidInput

_SECS = 20.0
_LATE = f"nvidia-smi does not answer within {_SECS:g} s"
_MIB = 1024 * 1024
_FIELDS = ("index", "name", "uuid", "memory.total", "pcie.link.gen.max", "pcie.link.width.max", "driver_version")
_CUDA = re.compile(r"CUDA Version\s*: ([0-9]{1,3}\.[0-9]{1,3})\b")
_CARD = re.compile(r"GPU (\d+): .*\(UUID: (GPU-[^)\s]+)\)")
_INSTANCE = re.compile(r"\s+(MIG \S+)\s+Device\s+\d+: \(UUID: (MIG-[^)\s]+)\)")
# bytes a second and lane, by generation of PCIe, encoding counted.
_LANE = {1: 250_000_000, 2: 500_000_000, 3: 985_000_000, 4: 1_969_000_000, 5: 3_938_000_000, 6: 7_563_000_000}


# What every reader of JSON takes exactly.
_MAX_SIZE = 2**53
Size = Annotated[int, msgspec.Meta(ge=0, lt=_MAX_SIZE)]
Name = Annotated[str, msgspec.Meta(max_length=256)]


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device that work can be given to. What the machine does not tell is None."""

    name: Name
    uuid: Name | None = None
    memory_bytes: Size | None = None
    link_bytes_per_sec: Size | None = None
    """The most that its slot carries in one direction."""


class Found(msgspec.Struct, frozen=True):
    """driver: the kernel module's version. fault: why the devices do not answer, None where they do or are none; late:
    it is only that nobody answered in time, as on a machine that is busy."""

    devices: list[Device]
    driver: str | None = None
    fault: str | None = None
    late: bool = False


def find(root: Path = Path("/"), path: str | None = None) -> Found:
    """The devices now. root: in whose proc/ to look; path: PATH for `nvidia-smi`, the process's own by default."""
    driver = _driver(root)
    smi = shutil.which("nvidia-smi", path=os.environ.get("PATH", "") if path is None else path)
    if smi is None:
        return Found(_from_proc(root), driver)
    cards, fault = _ask(smi, "--query-gpu=" + ",".join(_FIELDS), "--format=csv,noheader,nounits")
    if fault is None:
        listed, fault = _ask(smi, "-L")
    if fault is not None:
        return Found([], driver, fault, late=fault == _LATE)
    try:
        devices, version = _from_smi(cards.splitlines(), _instances(listed.splitlines()))
    except InvalidInput as error:
        return Found([], driver, f"nvidia-smi cannot be understood: {error.detail}")
    return Found(devices, driver or version)


def cuda(path: str | None = None) -> str | None:
    """The version of CUDA that the driver supports; None where `nvidia-smi` does not tell. path: as for `find`."""
    smi = shutil.which("nvidia-smi", path=os.environ.get("PATH", "") if path is None else path)
    match = None if smi is None else _CUDA.search(_ask(smi)[0])
    return None if match is None else match[1]


def _ask(smi: str, *arguments: str) -> tuple[str, str | None]:
    """What it prints, and why it failed."""
    try:
        done = subprocess.run(
            [smi, *arguments], capture_output=True, text=True, errors="replace", timeout=_SECS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return "", _LATE
    except OSError as error:
        return "", f"nvidia-smi cannot be run: {error.strerror}"
    if done.returncode or "Unable to determine the device handle" in done.stdout:
        said = next((line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()), "")
        if said == "No devices were found":
            return "", None
        return "", f"the devices do not answer: nvidia-smi ended with {done.returncode}: {said[:200]}"
    return ("" if done.stdout.strip() == "No devices were found" else done.stdout), None


def _instances(lines: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """UUID of a card → (profile, UUID) of its MIG instances."""
    found: dict[str, list[tuple[str, str]]] = {}
    card = ""
    for line in lines:
        if match := _CARD.match(line):
            card = match[2]
        elif match := _INSTANCE.match(line):
            found.setdefault(card, []).append((match[1], match[2]))
    return found


def _from_smi(lines: Sequence[str], instances: dict[str, list[tuple[str, str]]]) -> tuple[list[Device], str | None]:
    devices: list[Device] = []
    version = None
    for line in filter(str.strip, lines):
        values = [value.strip() for value in line.split(",")]
        if len(values) != len(_FIELDS):
            raise InvalidInput(f"{line!r} does not have {len(_FIELDS)} fields")
        _, name, uuid, memory, generation, width, version = values
        card = Device(
            name=name,
            uuid=uuid,
            memory_bytes=_times(memory, _MIB),
            link_bytes_per_sec=_link(generation, width),
        )
        parts = instances.get(uuid, [])
        devices += [Device(name=f"{name} {profile}", uuid=part) for profile, part in parts] or [card]
    return devices, version


def _times(text: str, unit: int) -> int | None:
    """A number of units; None for what is none, or not believable."""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        return None
    found = int(text) * unit
    return found if found < _MAX_SIZE else None


def _link(generation: str, width: str) -> int | None:
    lane = _LANE.get(_times(generation, 1) or 0)
    return None if lane is None else _times(width, lane)


def _driver(root: Path) -> str | None:
    try:
        return (root / "proc/driver/nvidia/version").read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return None


def _from_proc(root: Path) -> list[Device]:
    return [_card(folder) for folder in sorted((root / "proc/driver/nvidia/gpus").glob("*"))]


def _card(folder: Path) -> Device:
    try:
        lines = (folder / "information").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    uuid = told.get("GPU UUID", "")
    # The driver shows question marks for a card that nobody has used since it was loaded.
    return Device(name=told.get("Model", "unknown"), uuid=uuid if uuid and "?" not in uuid else None)


def network_mbits(root: Path = Path("/")) -> int | None:
    """What the fastest interface with hardware behind it is linked at, Mbit/s; None where none says."""
    speeds = []
    for folder in (root / "sys/class/net").glob("*"):
        try:
            speed = int((folder / "speed").read_text())
        except (OSError, ValueError):
            continue
        if speed > 0 and (folder / "device").exists():
            speeds.append(speed)
    return max(speeds, default=None)
