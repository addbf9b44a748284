"""The hardware report of a node: what its agent says the machine is. Its hash goes on the chain with readiness."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from ionet.check.devices import Device
from ionet.isolation import Isolation


class Report(msgspec.Struct, frozen=True):
    """Everything in it stays the same while the machine does: an agent that starts again reports the same."""

    cpus: int
    memory_bytes: int
    kernel: str
    architecture: str
    driver: str | None
    """Version of the NVIDIA kernel module, None without one."""
    devices: list[Device]
    """In the order in which the system numbers them."""
    fault: str | None
    """Why devices that should be there do not answer."""
    network_mbits: int | None
    """What its fastest interface is linked at."""
    python: str
    ray: str
    isolation: Isolation | None = None
    """How renters' code is kept apart, and within which limits."""

    def canonical(self) -> bytes:
        """The JSON that is hashed and served."""
        return msgspec.json.encode(self, order="sorted")

    def hash(self) -> bytes:
        """sha256 of the canonical JSON."""
        return sha256(self.canonical()).digest()
