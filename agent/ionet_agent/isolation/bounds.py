"""What every level puts before a command: its cgroups, its limits by process, its network."""

from __future__ import annotations

import resource

from ionet_agent.isolation import cgroups
from ionet_agent.isolation.base import Disk, Level, Room, is_root


def enter(room: Room) -> list[str]:
    """Words to write before a command."""
    limits = [_limit("nproc", resource.RLIMIT_NPROC, room.limits.processes), "--core=0"]
    if room.disk is not Disk.NONE:
        # Ray's objects are files too.
        most = max(room.limits.disk_bytes, room.limits.shm_bytes)
        limits.append(_limit("fsize", resource.RLIMIT_FSIZE, most))
    return [*cgroups.enter(room.groups), "/usr/bin/prlimit", *limits, "--", *network(room)]


def network(room: Room) -> list[str]:
    """Words to write before a command so that it runs in the room's network."""
    if room.network is None:
        return []
    words = ["/usr/bin/nsenter", f"--net={room.network}"]
    if not is_root():
        # One that an ordinary user has made belongs to a user namespace, which stands beside it.
        words += [f"--user={room.network.with_name('user')}", "--preserve-credentials"]
    return [*words, "--"]


def _limit(name: str, number: int, wanted: int) -> str:
    """Never more than this process may have itself."""
    hard = resource.getrlimit(number)[1]
    return f"--{name}={wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)}"


def held(room: Room) -> dict[str, str]:
    """How each limit of a room is kept, by its name; for people."""
    # Of a container all were tried.
    contained = room.level is Level.CONTAINER
    held_by = {"memory", "pids", "cpu"} if contained else cgroups.controllers(room.groups)
    # The kernel does not count the processes of root.
    counted = room.level is not Level.NONE and not (is_root() and room.user is None)
    by_process = "limit of its user" if counted else "not bounded"
    return {
        "memory": "cgroup" if "memory" in held_by else "not bounded",
        "processes": "cgroup" if "pids" in held_by else by_process,
        "cpus": "cgroup" if "cpu" in held_by else "not bounded",
        "disk": str(room.disk),
        "network": "the machine's" if room.network is None else "its own",
    }
