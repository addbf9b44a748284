"""Sees that the GPUs which a machine had when it was booked are still there, and says of one that is not.

A card that falls off its bus, or a driver that does not answer, leaves processes that go on and serve nothing. Nobody
must sign for that time: the member counts as failed from the first look that misses a GPU, and as another process from
the look that finds all again, so that nothing in between is proven. What is expected is on disk, since an agent that
starts again would else take what is left for what there was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from ionet.agent_api import Phase, Status
from ionet.check import devices
from ionet.check.devices import Device, Found
from ionet.generated.accounts import Lease

from ionet_agent.alarms import Alarms
from ionet_agent.files import write_private

LOOK_SECS = 20.0


class Seen(msgspec.Struct, frozen=True):
    """expected: what is to be there. wrong: for each of them None, or why it is not there. back: unix seconds at which
    all were there again after one was gone."""

    expected: list[Device]
    wrong: list[str | None] = []
    back: float = 0

    def of(self, status: Status, lease: Lease | None) -> Status:
        """What runs, as it is without the GPUs that are gone. lease: whose it is, None where that is not known."""
        if status.since is None:
            return status
        if (text := self.about(lease)) is not None:
            return msgspec.structs.replace(status, phase=Phase.FAILED, since=None, check=None, reason=text)
        return msgspec.structs.replace(status, since=max(status.since, self.back))

    def about(self, lease: Lease | None) -> str | None:
        """What is wrong with the devices of a lease, the first ones; None where all are there."""
        most = None if lease is None else lease.processors
        return next((text for text in self.wrong[:most] if text is not None), None)


def read(file: Path) -> Seen:
    """What the process that watches saw last; nothing where none does."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Seen)
    except (FileNotFoundError, msgspec.DecodeError):
        return Seen([])


class GpuWatch:
    """Keeps `file` for one machine. find: what is there now."""

    def __init__(
        self,
        file: Path,
        alarms: Alarms,
        find: Callable[[], Found] = devices.find,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file, self._alarms, self._find, self._clock = file, alarms, find, clock

    def begin(self, *, serving: bool) -> None:
        """Expect what is there now; while a member runs, or nothing answers, what was expected before.

        May block. Raises OSError.
        """
        found = self._find()
        if not self._file.exists() or not (serving or found.fault):
            self._write(Seen(found.devices))
        self.look()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECS)
            with self._alarms.guard("look at the GPUs", Exception):
                await asyncio.to_thread(self.look)

    def look(self) -> None:
        """May block for as long as `nvidia-smi` takes. Raises OSError."""
        before = read(self._file)
        if not before.expected:
            return
        found = self._find()
        if found.late:
            # A renter's code can keep a machine so busy; what was seen last is believed.
            self._alarms.put("GPUs", found.fault)
            return
        wrong = missing(before.expected, found)
        gone = dict.fromkeys(text for text in wrong if text is not None)
        self._alarms.put("GPUs", "; ".join(gone) or None)
        if wrong != (before.wrong or [None] * len(wrong)):
            self._write(Seen(before.expected, wrong, before.back if gone else self._clock()))

    def _write(self, seen: Seen) -> None:
        write_private(self._file, msgspec.json.encode(seen))


def missing(expected: Sequence[Device], found: Found) -> list[str | None]:
    """For each device that is expected None, or why it is not there. By UUID, by name where one of both has none."""
    left = list(found.devices)
    told: list[str | None] = []
    for device in expected:
        by_uuid = [one for one in left if device.uuid is not None and one.uuid == device.uuid]
        by_name = [one for one in left if None in (one.uuid, device.uuid) and one.name == device.name]
        if match := [*by_uuid, *by_name][:1]:
            left.remove(match[0])
            told.append(None)
        else:
            told.append(found.fault or f"{device.name} ({device.uuid or 'without UUID'}) is gone")
    return told
