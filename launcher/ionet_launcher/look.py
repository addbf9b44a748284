"""What one step finds out about its cluster, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ionet.agent_api import Status
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet.rules.lease_time import accept_by, ready_by
from solders.pubkey import Pubkey

from ionet_launcher.hardware import check_secs
from ionet_launcher.members import Troubles, is_up
from ionet_launcher.phases import DEAD_SECS, PATIENCE_SECS
from ionet_launcher.session_chain import ClusterView

# A node that is ready waits for the others until this many seconds before its acceptance would be too late.
_LEAVE_SECS = 15
# An agent opens its machine for so long before acceptance.
OPEN_SECS = 120
# It is started without those that are not reserved yet this many seconds before: the same, and an agent's two minutes.
_START_SECS = _LEAVE_SECS + OPEN_SECS
# It is accepted without those that are not up yet so long before agents stop it that a check and these fit in.
ACCEPT_SECS = 10
# Those who wait under a head that shows nothing get so much to start again and be checked under the next one.
NEXT_HEAD_SECS = 40


@dataclass
class Look:
    """What one step has found out. before: lease → for how many seconds every look before has found it in trouble.

    opened: lease → seconds since its member was asked to start. heard: somebody outside the cluster answered.
    rejected: leases that this step has refused.
    """

    view: ClusterView
    live: list[LeaseView]
    before: dict[str, float]
    opened: dict[str, float]
    statuses: dict[Pubkey, Status] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=dict)
    heard: bool = False
    rejected: set[Pubkey] = field(default_factory=set)

    def add(self, asked: tuple[dict[Pubkey, Status], Troubles]) -> None:
        self.statuses.update(asked[0])
        self.troubles.update(asked[1])

    def put_first(self, lease: Pubkey) -> None:
        """It is to be the head."""
        self.live.sort(key=lambda one: one.address != lease)

    def is_given_up(self, lease: LeaseView) -> bool:
        """Whether its node has been in trouble for longer than anybody waits for it."""
        return lease.address in self.troubles and self.before.get(str(lease.address), 0) > PATIENCE_SECS

    @property
    def is_headless(self) -> bool:
        """Whether meters run, and none of them is the head's."""
        metered = [lease for lease in self.live if lease.status == LeaseStatus.ACTIVE]
        return bool(metered) and not any(lease.is_head for lease in metered)

    def is_lost(self, lease: LeaseView) -> bool:
        """Whether its node has been in trouble for so long that another may take its place.

        One that is booked and never ready, the chain ends.
        """
        secs = {LeaseStatus.READY: PATIENCE_SECS, LeaseStatus.ACTIVE: DEAD_SECS}.get(LeaseStatus(lease.status))
        return secs is not None and lease.address in self.troubles and self.before.get(str(lease.address), 0) > secs

    def dead(self) -> list[LeaseView]:
        """Nodes that are lost, as long as others answer: otherwise the fault may be the launcher's own.

        The head before all others: it may be what is wrong with them.
        """
        head = self.live[0]
        if self.is_lost(head):
            return [head] if self.heard or self.statuses else []
        return [lease for lease in self.live[1:] if self.is_lost(lease)] if head.address in self.statuses else []

    def has_to_hurry(self, waiting: Sequence[LeaseView], ready: Sequence[LeaseView]) -> bool:
        """Whether ready nodes that are up may not wait for the others, or would wait in vain."""
        late = [lease for lease in waiting if lease not in ready]
        return bool(
            (late and all(self.is_given_up(lease) for lease in late))
            or len(waiting) < len(self.live)
            or any(self.view.now >= accept_by(lease) - _LEAVE_SECS for lease in ready)
            or self._open_secs_left(ready) <= check_secs(len(ready)) + ACCEPT_SECS
        )

    def check_secs(self, ready: Sequence[LeaseView]) -> float:
        """How long the next check of these may take: all that is left of their two minutes, less what the others need
        under another head where that may not be accepted."""
        alone = len(ready) == 1 or self.live[0] not in ready
        after = ACCEPT_SECS if alone else NEXT_HEAD_SECS
        return max(check_secs(len(ready)), self._open_secs_left(ready) - after)

    def stalled(self) -> dict[Pubkey, str]:
        """Reserved nodes whose time has gone by while they say nothing, or for ever that they start: why, for each.

        They wait to be paid for waiting. A head has less time, so that the others have some under the next one.
        """
        head, found = self.live[0], {}
        for lease in self.live if head.address in self.statuses else []:
            leads = lease is head and len(self.live) > 1
            most = OPEN_SECS - NEXT_HEAD_SECS if leads else OPEN_SECS + _LEAVE_SECS
            secs = max(self.opened_secs([lease]), self.before.get(str(lease.address), 0.0))
            if lease.status == LeaseStatus.READY and secs >= most and not is_up(self.statuses, lease):
                found[lease.address] = f"node {lease.node}: it is not up after {secs:.0f} s"
        return found

    def is_over(self, lease: LeaseView) -> bool:
        """Whether the two minutes of a member have gone by, on the launcher's own clock."""
        return self.opened_secs([lease]) >= OPEN_SECS

    def opened_secs(self, leases: Sequence[LeaseView]) -> float:
        """For how long the first of these members has been running."""
        return max((self.opened.get(str(lease.address), 0.0) for lease in leases), default=0.0)

    def _open_secs_left(self, ready: Sequence[LeaseView]) -> float:
        """Seconds for which their agents keep these members running before acceptance.

        By the launcher's own clock, and by what the head says: it can keep the others waiting anyway, while a worker
        that says so must not hurry everybody.
        """
        status = self.statuses.get(self.live[0].address)
        said = None if status is None else status.check_secs_left
        return min(OPEN_SECS - self.opened_secs(ready), OPEN_SECS if said is None else said)


def may_start(live: Sequence[LeaseView], now: int) -> bool:
    """Whether reserved nodes need not wait for the others: an agent opens its machine for a short time before
    acceptance, so it is asked only when all are reserved, a meter runs already, or there would be no time left."""
    statuses = {lease.status for lease in live}
    if LeaseStatus.BOOKED not in statuses or LeaseStatus.ACTIVE in statuses:
        return True
    return any(now >= accept_by(lease) - _START_SECS for lease in live if lease.status == LeaseStatus.READY)


def time_left(lease: LeaseView, now: int) -> int:
    """Seconds for which the chain waits for a node that is not metered."""
    return (accept_by(lease) if lease.status == LeaseStatus.READY else ready_by(lease)) - now
