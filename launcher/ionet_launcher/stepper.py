"""One step of one cluster: compare what the chain wants with what the agents run, and do the next thing.

A step keeps nothing in memory that the next one needs: killed anywhere, it is simply done again. Starting is safe to
repeat because an agent runs one member per lease; accepting, because the program takes it once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence

from ionet.agent_api import Status
from ionet.agent_errors import AgentError
from ionet.errors import IonetError
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import NONE, LeaseView
from ionet.rules.lease_time import accept_by
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher import hardware
from ionet_launcher.members import Members, is_up, trouble_with
from ionet_launcher.phases import DRAIN_SECS, PATIENCE_SECS, ClusterPhase, Reason, Trouble
from ionet_launcher.review import NEITHER, Challenges, Policy, Reviewer
from ionet_launcher.session_chain import ClusterView, SessionChain
from ionet_launcher.store import Move, Work

_SOON_SECS = 0.25
_NOT_OURS_SECS = 30.0
_MAX_PAUSE_SECS = 10.0
# A node that is ready waits for the others until this many seconds before its acceptance would be too late.
_LEAVE_SECS = 15
_log = logging.getLogger(__name__)


class Stepper:
    """Does steps for the clusters that name `session` as their session key.

    agents: node → URL of its agent. devices: whether to count GPUs as the operating system shows them. policy: what it
    may do about proven intervals on the renter's behalf.
    """

    def __init__(
        self,
        chain: SessionChain,
        session: Keypair,
        agents: Mapping[Pubkey, str],
        *,
        devices: bool = False,
        policy: Policy = NEITHER,
    ) -> None:
        self._chain, self._session, self._devices = chain, session, devices
        challenges = Challenges()
        self._members = Members(session, agents, challenges)
        self._reviewer = Reviewer(chain, session, challenges, policy)

    async def aclose(self) -> None:
        await self._members.aclose()

    async def step(self, work: Work) -> Move:
        """Look once and do what can be done now. Raises IonetError when the chain does not answer."""
        row, names = work.row, await work.leases()
        view = await self._chain.cluster(Pubkey.from_string(row.cluster), [Pubkey.from_string(n) for n in names])
        live = view.live() if view is not None else []
        work.live = len(live)
        if view is None or not live:
            return await self._drain(work, view)
        if not view.is_named(self._session.pubkey()):
            return Move(row.phase, _NOT_OURS_SECS, Reason.NOT_OURS)
        try:
            return await self._advance(work, view, live)
        except Trouble as trouble:
            return await self._handle(work, live, trouble)

    async def _advance(self, work: Work, view: ClusterView, live: list[LeaseView]) -> Move:
        self._members.require_agents(live)
        waiting = [lease for lease in live if lease.status != LeaseStatus.ACTIVE]
        await self._members.challenge([lease for lease in live if lease.status == LeaseStatus.ACTIVE], view.now)
        await self._reviewer.review(work, view.leases, view.now)
        if work.row.phase is ClusterPhase.PLANNED:
            return Move(ClusterPhase.STARTING)
        head = live[0]
        if not head.is_head and any(lease.status == LeaseStatus.ACTIVE for lease in live):
            raise Trouble(Reason.HEAD_LOST, "the head's lease is over")
        statuses = await self._members.ask(live)
        # A node says that it is ready when it is reserved: only then is its machine started.
        reserved = [lease for lease in live if lease.status != LeaseStatus.BOOKED]
        idle = [lease for lease in reserved if lease.address in statuses and statuses[lease.address].lease is None]
        if idle and head in reserved:
            await self._start(work, idle, head, statuses)
            return Move(ClusterPhase.JOINING, _SOON_SECS)
        if not waiting:
            return Move(ClusterPhase.RUNNING, _pause(live))
        up = [lease for lease in waiting if is_up(statuses, lease)]
        ready = [lease for lease in up if lease.status == LeaseStatus.READY]
        if not self._may_accept(view, head, waiting, ready):
            unreachable = [str(lease.node) for lease in waiting if lease.address not in statuses]
            if unreachable:
                raise Trouble(Reason.AGENT_UNREACHABLE, f"no answer from node {', '.join(unreachable)}")
            return Move(ClusterPhase.READY if len(up) == len(waiting) else ClusterPhase.JOINING, _SOON_SECS)
        await self._accept(work, view, head, ready, hurry=len(ready) < len(waiting))
        return Move(ClusterPhase.RUNNING if len(ready) == len(waiting) else ClusterPhase.JOINING)

    def _may_accept(
        self, view: ClusterView, head: LeaseView, waiting: Sequence[LeaseView], ready: Sequence[LeaseView]
    ) -> bool:
        """All that wait are ready; or one of them cannot wait any longer, and the others are left behind."""
        if head in waiting and head not in ready:
            return False
        return len(ready) == len(waiting) or any(_last_call(lease, view.now) for lease in ready)

    async def _start(
        self, work: Work, leases: Sequence[LeaseView], head: LeaseView, statuses: Mapping[Pubkey, Status]
    ) -> None:
        if head.address not in statuses:
            raise Trouble(Reason.AGENT_UNREACHABLE, f"no answer from the head's node {head.node}")
        await work.add_members({str(lease.address): str(lease.node) for lease in leases})
        await self._members.start(leases, head, statuses)

    async def _accept(
        self, work: Work, view: ClusterView, head: LeaseView, ready: Sequence[LeaseView], *, hurry: bool
    ) -> None:
        """Check what was booked, then start the meters, the head's before any other.

        A node that shows something else than was booked is refused at once: what it is refused for goes on costing.
        """
        workers = [lease for lease in ready if lease is not head]
        wrong = await self._check([head, *workers])
        # One that joined a head which is gone knows nothing of this one: started again, it joins.
        lost = [lease for lease in workers if lease.address in wrong and wrong[lease.address].absent]
        await self._members.stop({str(lease.address): str(lease.node) for lease in lost})
        refused = [lease for lease in ready if lease.address in wrong and not wrong[lease.address].absent]
        await self._reject(work, refused, wrong)
        last_call = hurry or any(_last_call(lease, view.now) for lease in ready)
        if head.address in wrong or (wrong and not last_call):
            raise Trouble(Reason.HARDWARE_MISMATCH, "; ".join(problem.detail for problem in wrong.values()))
        try:
            if head in ready:
                await self._chain.accept([head])
            await self._chain.accept([lease for lease in workers if lease.address not in wrong])
        except IonetError as error:
            raise Trouble(Reason.NOT_ACCEPTED, str(error)) from None

    async def _reject(self, work: Work, leases: Sequence[LeaseView], wrong: Mapping[Pubkey, hardware.Problem]) -> None:
        """Refuse these nodes; with the one that was to be the head, everybody who joined it has to start again."""
        for lease in leases:
            _log.warning("%s: refused", wrong[lease.address].detail, extra={"action": "rejected"})
            try:
                await self._chain.reject(lease)
            except IonetError as error:
                raise Trouble(Reason.NOT_ACCEPTED, str(error)) from None
        if any(lease.parent is not None and lease.parent.head_lease == NONE for lease in leases):
            await self._stop_members(work)

    async def _check(self, leases: Sequence[LeaseView]) -> dict[Pubkey, hardware.Problem]:
        """What is wrong with the hardware of these leases, the head's first."""
        try:
            return await hardware.check(self._members.agent(leases[0].node), leases, devices=self._devices)
        except hardware.ProbeError as error:
            raise Trouble(Reason.HARDWARE_MISMATCH, str(error)) from None
        except AgentError as error:
            raise trouble_with(leases[0].node, error) from None

    async def _handle(self, work: Work, live: Sequence[LeaseView], trouble: Trouble) -> Move:
        """Wait and try again; fail when it lasts, but never while a meter runs."""
        row = work.row
        if any(lease.status == LeaseStatus.ACTIVE for lease in live) or row.age <= PATIENCE_SECS:
            return Move(row.phase, 4 * _SOON_SECS, trouble.reason, trouble.detail)
        text = "cluster %s failed: %s (%s)"
        _log.warning(text, row.cluster, trouble.reason, trouble.detail, extra={"action": "cluster_failed"})
        for lease in live:
            if lease.status == LeaseStatus.READY:
                # Not answered, it would cost the renter until its deadline.
                with contextlib.suppress(IonetError):
                    await self._chain.reject(lease)
        await self._stop_members(work)
        return Move(ClusterPhase.FAILED, 0.0, trouble.reason, trouble.detail)

    async def _drain(self, work: Work, view: ClusterView | None) -> Move:
        """Nothing is live: see every member stopped. Agents stop by themselves; asking makes sure."""
        row = work.row
        left = await self._stop_members(work)
        if row.phase is ClusterPhase.DRAINING:
            reason = row.reason
        elif view is not None and any(lease.started_at for lease in view.leases):
            reason = Reason.EXPIRED
        else:
            reason = row.reason or Reason.NEVER_STARTED
        if left and (row.phase is not ClusterPhase.DRAINING or row.age <= DRAIN_SECS):
            return Move(ClusterPhase.DRAINING, 4 * _SOON_SECS, reason)
        return Move(ClusterPhase.STOPPED, 0.0, reason)

    async def _stop_members(self, work: Work) -> int:
        """Ask every member to stop. Returns how many may still run."""
        members = await work.members()
        gone = await self._members.stop(members)
        await work.remove_members(gone)
        return len(members) - len(gone)


def _last_call(lease: LeaseView, now: int) -> bool:
    """Whether a ready node may not wait for the others any longer."""
    return now >= accept_by(lease) - _LEAVE_SECS


def _pause(leases: Sequence[LeaseView]) -> float:
    """Seconds between looks at a running cluster: several per interval, so that each gets its challenge early."""
    return min(max(min(lease.interval_secs for lease in leases) / 6, _SOON_SECS), _MAX_PAUSE_SECS)
