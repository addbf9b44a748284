"""What becomes of a cluster while a job of it is followed: told when it happens, since Ray may notice late or never."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from solders.pubkey import Pubkey

from ionet.errors import IonetError
from ionet.launcher_api import ENDED, ClusterStatus, LauncherClient, LauncherError, Member, UnknownCluster

_LOOK_SECS, _SILENT_SECS = 2.0, 60.0
# What comes from a node whose lease is over may still be on its way.
_GRACE_SECS = 5.0
_LIVE = ("ready", "active")
_HEAD, _DRAINING = "head", "draining"
T = TypeVar("T")
Tell = Callable[[str], None]


class NodeLost(IonetError):
    """the node that the job ran on is gone, and the job with it"""

    exit_code = 6


class Watch:
    """What has been said of a cluster's nodes."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._head: str | None = None

    def changes(self, status: ClusterStatus) -> Iterator[str]:
        """A line for each node that is not as it was; at first, as it should be."""
        there = {member.lease: member for member in status.members}
        for lease in {**self._said, **there}:
            said = _about(there.get(lease))
            before = self._said.get(lease, "")
            if said != before:
                name = _name(there[lease]) if lease in there else f"lease {lease[:6]}"
                yield f"{name}: {said or 'well again'}"
            self._said[lease] = said

    def over(self, status: ClusterStatus) -> str | None:
        """Why a job beside the head cannot go on, None while it can."""
        if status.phase in (*ENDED, _DRAINING):
            return " ".join(part for part in (f"the cluster is {status.phase}", status.reason, status.detail) if part)
        if self._head is None:
            self._head = next((member.lease for member in status.members if member.role == _HEAD), None)
        head = next((member for member in status.members if member.lease == self._head), None)
        if self._head is None or (head is not None and head.status in _LIVE):
            return None
        return f"{'its node' if head is None else _name(head)}: {_about(head)}"


def _about(member: Member | None) -> str:
    """Empty where all is well."""
    if member is None:
        return "its lease is over"
    parts = []
    if member.status not in ("booked", *_LIVE):
        parts.append(f"its lease is {member.status}")
    elif member.trouble is not None:
        parts.append(f"{member.trouble.reason} {member.trouble.detail}".strip())
    if member.replaced_by is not None:
        parts.append(f"{member.replaced_by.node[:6]} takes its place")
    return ", ".join(parts)


def _name(member: Member) -> str:
    return f"node {member.node[:6]}{' (head)' if member.role == _HEAD else ''}"


def troubles(status: ClusterStatus) -> list[str]:
    """A line for each node that is not as it should be."""
    return list(Watch().changes(status))


async def until_over(launcher: LauncherClient, cluster: Pubkey, tell: Tell) -> str:
    """Tell what changes, until a job beside the head cannot go on; why. That the launcher is silent is no reason."""
    watch, silent_since, told = Watch(), None, False
    while True:
        try:
            status = await launcher.cluster(cluster)
        except (LauncherError, UnknownCluster) as error:
            silent_since = silent_since or time.monotonic()
            if not told and time.monotonic() - silent_since > _SILENT_SECS:
                tell(f"the launcher does not say how the nodes are: {error}")
                told = True
        else:
            silent_since, told = None, False
            for line in watch.changes(status):
                tell(line)
            if (why := watch.over(status)) is not None:
                return why
        await asyncio.sleep(_LOOK_SECS)


async def beside(launcher: LauncherClient, cluster: Pubkey, work: Coroutine[Any, Any, T], tell: Tell) -> T:
    """What `work` returns, which follows a job beside the head. Raises what it raises, and NodeLost once that is so."""
    watching = asyncio.create_task(until_over(launcher, cluster, tell))
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait({working}, timeout=_GRACE_SECS)
        if working.done():
            return working.result()
        raise NodeLost(watching.result())
    finally:
        for task in (watching, working):
            task.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)
