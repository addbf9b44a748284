"""How members run on this machine: in rooms of one level, with one runtime, within one set of limits."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ionet.isolation as told
from ionet.check.devices import Device
from ionet.isolation import Limits

from ionet_agent.isolation import bounds, cgroups, disks, gpus, ladder
from ionet_agent.isolation.base import Disk, Isolation, Level, Room, remove_tree
from ionet_agent.isolation.runtime import Runtime


@dataclass(frozen=True)
class Place:
    """state: the agent's folder, where the files of leases go that have a file system of their own. disk: what bounds
    files where the agent is root, None to find out. own_network: whether rooms have a network of their own.

    What has to be tried out is tried when it is first needed.
    """

    level: Level
    runtime: Runtime
    limits: Limits
    state: Path
    devices: Sequence[Device] = ()
    disk: Disk | None = None
    own_network: bool = False

    @cached_property
    def _groups(self) -> cgroups.Cgroups:
        return cgroups.find()

    @cached_property
    def _isolation(self) -> Isolation:
        disk = disks.best(self.state / "rooms") if self.disk is None else self.disk
        return ladder.of(self.level, self.state, disk)

    def room(self, tag: str, folder: Path, processors: int, network: Path | None = None) -> Room:
        """A room that nobody has made yet. network: path of its network namespace, None for the machine's own."""
        found = gpus.of_lease(self.devices, processors)
        room = Room(
            self.level,
            tag,
            folder,
            self.limits,
            read=self.runtime.folders,
            groups=self._groups.groups(tag),
            devices=found.files,
            visible=found.visible,
            network=network,
        )
        return self._isolation.plan(room)

    def isolation(self, room: Room) -> Isolation:
        """What keeps this room apart, which may be the level of an earlier agent."""
        return ladder.of(room.level, self.state)

    def furnish(self, room: Room) -> None:
        """Make a room whose folder is there. May block. Raises OSError."""
        if room.groups:  # a container has its own
            self._groups.make(room.tag, room.limits)
        ladder.furnish(self.isolation(room), room)

    def clear(self, room: Room) -> None:
        """Take it down with all its files, once none of its processes is left. May block. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self.isolation(room).clear(room)
        for folder in (room.inner, room.folder):
            remove_tree(folder)
        cgroups.remove(room.groups)

    def about(self) -> told.Isolation:
        """What is said of it to others; the same while the machine is."""
        groups = self._groups.groups("about")
        network = Path("/proc/self/ns/net") if self.own_network else None
        room = Room(self.level, "about", Path(), self.limits, groups=groups, network=network)
        return told.Isolation(self.level, self.limits, bounds.held(self._isolation.plan(room)))
