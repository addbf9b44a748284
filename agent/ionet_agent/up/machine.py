"""What this machine has, and which node it can be: a number of processors of one of the chain's device models."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ionet import resolve
from ionet.check import devices
from ionet.check.models import model_of
from ionet.errors import ConfigError

MOST_PROCESSORS = 8
"""Of one node."""
_GIB = 1024**3


@dataclass(frozen=True)
class Machine:
    """gpus: the cards or instances that answer. disk: free bytes where the node's files go."""

    gpus: devices.Found
    cpus: int
    memory: int
    disk: int

    @property
    def models(self) -> Counter[str]:
        """How many there are of each of the chain's device models."""
        return Counter(name for name in map(model_of, self.gpus.devices) if name is not None)

    @property
    def shown(self) -> dict[str, str]:
        """In words."""
        cards = Counter((card.name, card.memory_bytes) for card in self.gpus.devices)
        named = [
            f"{count} x {name}" + (f", {memory // _GIB} GiB" if memory else "")
            for (name, memory), count in cards.items()
        ]
        return {
            "gpus": self.gpus.fault or "; ".join(named) or "none",
            "driver": self.gpus.driver or "none",
            "cpus": str(self.cpus),
            "memory": f"{self.memory // _GIB} GiB",
            "free disk": f"{self.disk // _GIB} GiB",
        }


def look(folder: Path, root: Path = Path("/"), path: str | None = None) -> Machine:
    """This machine now. folder: where the node's files go, which is there. root, path: as for `devices.find`."""
    return Machine(
        gpus=devices.find(root, path),
        cpus=os.cpu_count() or 1,
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        disk=shutil.disk_usage(folder).free,
    )


@dataclass(frozen=True)
class Kind:
    """What a node is registered as: a model of the chain, and how many processors of it."""

    code: int
    name: str
    processors: int


def kind_of(
    machine: Machine, names: Mapping[int, str], wanted: str | None, processors: int | None, *, pretend: bool = False
) -> Kind:
    """The node that this machine can be. names: of the chain's models, by code. wanted: what its owner calls it.

    pretend: what the machine does not show is believed, for a network on which nothing is earned. Raises ConfigError.
    """
    if machine.gpus.fault is not None and not pretend:
        raise ConfigError(machine.gpus.fault)
    found = machine.models
    code = resolve.model(_only(machine) if wanted is None else wanted, names)
    name, there = names[code], found[names[code]]
    count = processors or min(there, MOST_PROCESSORS) or 1
    if count > MOST_PROCESSORS:
        raise ConfigError(f"a node has at most {MOST_PROCESSORS} processors, not {count}")
    if there < count and not pretend:
        raise ConfigError(
            f"this machine shows {there or 'no'} {name}, not {count} (it shows {machine.shown['gpus']}): "
            "renters' checks would refuse it, and it would be slashed"
        )
    return Kind(code, name, count)


def _only(machine: Machine) -> str:
    """The model of the machine's cards. Raises ConfigError where that is none or several."""
    found = machine.models
    if len(found) == 1:
        return next(iter(found))
    if found:
        raise ConfigError(f"this machine has {', '.join(found)}, and a node is of one model: say --model")
    split = [card.name for card in machine.gpus.devices if " MIG " in card.name]
    why = "the chain has no model for a part of a card that MIG splits" if split else "no model of the chain is here"
    raise ConfigError(f"{why}: this machine shows {machine.shown['gpus']} (to try it without: --model 4090 --pretend)")
