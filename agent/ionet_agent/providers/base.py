"""What a provider of Ray nodes does: start, watch and stop one member of one cluster at a time."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ionet.agent_api import Spec, Status
from ionet.agent_ports import Port


class Driver(Protocol):
    """A renter's Python program that runs beside a member."""

    async def read(self) -> bytes:
        """The next piece of what it prints; empty when there is no more."""

    async def ended(self) -> int:
        """Its exit code, once it has one."""

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """What it prints and what it is told, of one that was begun for both ways."""

    def kill(self) -> None:
        """End it with everything it started; nothing happens when it has ended."""


class Provider(Protocol):
    """Runs at most one Ray node. Every call may be repeated, also after a crash of the caller or of the provider."""

    @property
    def spec(self) -> Spec | None:
        """What was last asked to run, until it is stopped."""

    async def adopt(self) -> Status:
        """After a crash of the caller: take over what runs, end what it left behind (drivers, half-started nodes)."""

    async def start(self, spec: Spec, move_secs: float = 0) -> Status:
        """Start the member, or do nothing when it runs already. A worker that is to join another head is started again,
        not twice within `move_secs`. Raises NodeBusy, MovedAlready."""

    async def restart(self) -> Status:
        """Start the last member again, with the same parameters, when its process has ended."""

    async def status(self, lease: str | None = None) -> Status:
        """What runs now. lease: whose member would run where none does."""

    async def tend(self) -> Status:
        """What runs now, after starting again what has ended beside the member."""

    async def stop(self, lease: str) -> Status:
        """Stop the member of `lease` and remove its files; nothing happens when it does not run. Raises NodeBusy."""

    async def run_driver(self, script: bytes, *, both_ways: bool = False) -> Driver:
        """Start a Python driver beside the running member, with an input if `both_ways`. Raises NodeIdle."""

    async def show(self, port: Port) -> None:
        """Start what serves there beside the running head, unless it is there. Raises NodeIdle."""

    async def listener(self, port: int) -> str | None:
        """The address at which a process of the running member listens on the machine's network. Raises NodeIdle."""

    async def has_jobs(self) -> bool:
        """Whether a job runs beside the member that goes on without whoever began it."""
