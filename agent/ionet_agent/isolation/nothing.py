"""Level `none`: a renter's code is trusted with all that the agent's user can do. Only for one's own machines."""

from __future__ import annotations

from collections.abc import Sequence

from ionet_agent.isolation import bounds, cgroups
from ionet_agent.isolation.base import Level, Room


class Nothing:
    """An `Isolation` that only holds limits, as far as there are cgroups."""

    level = Level.NONE

    def plan(self, room: Room) -> Room:
        return room

    def furnish(self, room: Room) -> None:
        pass

    def wrap(self, command: Sequence[str], room: Room) -> list[str]:
        return [*cgroups.enter(room.groups), *bounds.network(room), "/usr/bin/env", f"--chdir={room.home}", *command]

    def join(self, first: int, command: Sequence[str], room: Room) -> list[str]:  # noqa: ARG002
        return self.wrap(command, room)

    def sweep(self, room: Room) -> bool:  # noqa: ARG002
        return False

    def clear(self, room: Room) -> None:
        pass
