"""What a launcher without a database shows: the same answers, from its file and the chain."""

from __future__ import annotations

from collections.abc import Callable

from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseRole, LeaseStatus
from ionet.launcher_api import MEMBERS_AT_ONCE, ClusterStatus, Event, Launcher, Member, Trouble
from ionet.rules.lease_time import accept_by, ready_by
from ionet.words import word
from solders.pubkey import Pubkey

from ionet_launcher.own_store import Kept, KeptTrouble, OwnStore
from ionet_launcher.phases import DRAIN_SECS, OVER, ClusterPhase
from ionet_launcher.shown import check_of, public

_UNTIL: dict[int, Callable[[Lease], int]] = {
    LeaseStatus.BOOKED: ready_by,
    LeaseStatus.READY: accept_by,
    LeaseStatus.ACTIVE: lambda lease: lease.ends_at,
}


class OwnShown:
    """launcher: the session key's address."""

    def __init__(self, store: OwnStore, launcher: Pubkey) -> None:
        self._store, self._launcher = store, str(launcher)

    async def launcher(self) -> Launcher:
        lamports, warning = self._store.purse_now or (None, None)
        return Launcher(self._launcher, lamports, warning, *(self._store.signed or (None, None)))

    async def cluster(self, cluster: str, after: str) -> ClusterStatus | None:
        kept = self._store.kept.get(cluster)
        if kept is None:
            return None
        seen = self._store.seen.get(cluster)
        leases = {str(key): lease for key, lease in seen.leases.items()} if seen else {}
        names = sorted(name for name in leases if name > after)
        shown = [_member(name, leases[name], kept) for name in names[:MEMBERS_AT_ONCE]]
        return ClusterStatus(
            cluster=cluster,
            session_key=self._launcher,
            phase=kept.phase,
            reason=kept.reason,
            detail=public(kept.reason, kept.detail),
            since=int(kept.entered_at),
            until=_until(kept, list(leases.values())),
            trouble_since=_whole(kept.trouble_since),
            planned_at=int(kept.planned_at),
            decided_at=_whole(kept.decided_at),
            joined_at=_whole(kept.joined_at),
            running_at=_whole(kept.running_at),
            live=kept.live,
            members=shown,
            next=shown[-1].lease if len(names) > MEMBERS_AT_ONCE else None,
        )

    async def events(self, cluster: str) -> list[Event]:
        kept = self._store.kept.get(cluster)
        moves = [] if kept is None else kept.moves
        return [Event(one.number, one.at, one.phase, one.reason, public(one.reason, one.detail)) for one in moves[::-1]]


def _until(kept: Kept, leases: list[Lease]) -> int | None:
    if kept.phase in OVER:
        return None
    if kept.phase is ClusterPhase.DRAINING:
        return int(kept.entered_at + DRAIN_SECS)
    waiting = [lease for lease in leases if lease.status in (LeaseStatus.BOOKED, LeaseStatus.READY)]
    live = waiting or [lease for lease in leases if lease.status == LeaseStatus.ACTIVE]
    return max((_UNTIL[lease.status](lease) for lease in live), default=None)


def _member(name: str, lease: Lease, kept: Kept) -> Member:
    member, trouble = kept.members.get(name), kept.troubles.get(name)
    until = _UNTIL.get(lease.status)
    return Member(
        lease=name,
        node=str(lease.node),
        role=word(LeaseRole, lease.role) if lease.role else None,
        status=word(LeaseStatus, lease.status),
        until=None if until is None else until(lease),
        phase=None if member is None else member.phase,
        asked_at=None if member is None else int(member.started_at),
        trouble=None if trouble is None else _trouble(trouble),
        check=None if member is None else check_of(member.finding, member.problem),
        replaced_by=None,
    )


def _trouble(trouble: KeptTrouble) -> Trouble:
    return Trouble(trouble.reason, public(trouble.reason, trouble.detail), int(trouble.since))


def _whole(secs: float | None) -> int | None:
    return None if secs is None else int(secs)
