"""One step of one cluster: compare what the chain wants with what the agents run, and do the next thing.

A step keeps nothing in memory that the next one needs: killed anywhere, it is simply done again. Starting is safe to
repeat because an agent runs one member per lease; accepting, because the program takes it once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from ionet.agent_api import Phase, Status, Urls
from ionet.agent_errors import AgentError
from ionet.errors import IonetError, NotEnough, RpcError
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.calls import SOON_SECS, Calls
from ionet_launcher.challenger import Challenger
from ionet_launcher.device_keys import DeviceKeys
from ionet_launcher.hardware import Checked, Fault, HardwareCheck, Problem
from ionet_launcher.keeping import Move, Work
from ionet_launcher.look import Look, may_start, time_left
from ionet_launcher.members import Members, answers, is_up, joined_other, trouble_with
from ionet_launcher.networks import MOST_MS, Networks
from ionet_launcher.payments import Payments
from ionet_launcher.phases import DRAIN_SECS, NEAR_SECS, PATIENCE_SECS, ClusterPhase, Reason, Trouble
from ionet_launcher.replacing import Replacer, Replacing
from ionet_launcher.review import NEITHER, Challenges, Policy, Reviewer
from ionet_launcher.session_chain import ClusterView, SessionChain

_SOON_SECS = 0.25
_NOT_OURS_SECS, _NOT_PAID_SECS = 30.0, 2.0
_MAX_PAUSE_SECS = 10.0
_log = logging.getLogger(__name__)


class Stepper:
    """Does steps for the clusters that name `session` as their session key.

    agents: where each node's is. devices: whether to count GPUs as the operating system shows them. policy: what it
    may do about proven intervals on the renter's behalf. most_ms: milliseconds there and back beyond which a node
    is too far from a head, None for any. payments: where it takes a fee; its challenges go out whether that was paid
    or not.
    """

    def __init__(
        self,
        chain: SessionChain,
        session: Keypair,
        agents: Mapping[Pubkey, Urls],
        *,
        devices: bool = False,
        policy: Policy = NEITHER,
        replacing: Replacing | None = None,
        most_ms: float | None = MOST_MS,
        payments: Payments | None = None,
        soon_secs: float = SOON_SECS,
    ) -> None:
        self._chain, self._session, self._agents, self._payments = chain, session, agents, payments
        self._calls = Calls(session, agents, DeviceKeys(chain.device_keys), soon_secs=soon_secs)
        self._challenges = Challenges()
        self._members = Members(session, self._calls)
        self._networks = Networks(self._calls, most_ms)
        self._hardware = HardwareCheck(session, self._calls.client, devices=devices, soon_secs=soon_secs)
        self._challenger = Challenger(session, self._calls, self._challenges)
        self._reviewer = Reviewer(chain, session, self._challenges, policy)
        heard = partial(answers, self._calls)
        self._replacer = None if replacing is None else Replacer(replacing, agents, heard)

    async def aclose(self) -> None:
        await self._challenger.aclose()
        await self._hardware.aclose()
        await self._calls.aclose()

    async def step(self, work: Work) -> Move:
        """Look once and do what can be done now. Raises IonetError when the chain does not answer."""
        row, names = work.row, work.row.leases
        cluster = Pubkey.from_string(row.cluster)
        view = await self._chain.cluster(cluster, [Pubkey.from_string(name) for name in names])
        live = view.live() if view is not None else []
        work.live = len(live)
        ours = view is not None and view.is_named(self._session.pubkey())
        # First of all: these need nobody's answer.
        metered = [lease for lease in live if ours and lease.status == LeaseStatus.ACTIVE]
        self._challenger.watch(cluster, metered, 0 if view is None else view.now)
        if view is None or not live:
            return await self._drain(work, view)
        if not ours:
            return Move(row.phase, _NOT_OURS_SECS, Reason.NOT_OURS)
        if self._payments is not None and (why := await self._payments.lacking(work, len(live))) is not None:
            return Move(row.phase, _NOT_PAID_SECS, Reason.NOT_PAID, why)
        look = Look(view, live, row.troubles, row.opened)
        if row.head is not None and not live[0].is_head:
            look.put_first(Pubkey.from_string(row.head))
        try:
            return await self._end_look(work, look, await self._advance(work, look))
        except Trouble as trouble:
            if trouble.lease is not None:
                look.troubles.setdefault(trouble.lease, trouble)
            move = await self._handle(work, look, trouble)
            return await self._end_look(work, look, move)

    async def _end_look(self, work: Work, look: Look, move: Move) -> Move:
        """Note which nodes are in trouble; a move without a reason takes theirs."""
        nodes = {lease.address: str(lease.node) for lease in look.live}
        found = [(str(key), nodes[key], one.reason, str(one)[:500]) for key, one in look.troubles.items()]
        if found and move.reason is Reason.NONE:
            pause = max(move.again_secs, _pause_in_trouble(work.row.trouble))
            detail = "; ".join(detail for _, _, _, detail in found)
            move = Move(move.phase, pause, found[0][2], detail, in_trouble=True)
        phases = {str(lease): _phase_of(lease, status) for lease, status in look.statuses.items()}
        known = work.row.phases
        if changed := {lease: phase for lease, phase in phases.items() if lease in known and phase != known[lease]}:
            await work.note_phases(changed)
        if {key for key, *_ in found} != look.before.keys() or (found and move.reason is not work.row.reason):
            await work.set_troubles(found)
        replacer = None if move.phase in (ClusterPhase.PLANNED, ClusterPhase.FAILED) else self._replacer
        if replacer is not None and await replacer.review(work, look):
            return Move(move.phase, _SOON_SECS, Reason.NO_HEAD, "no node takes the head's place: the leases are ended")
        return move

    async def _advance(self, work: Work, look: Look) -> Move:
        await self._reviewer.review(work, look.view.leases, look.view.now)
        live, now, phase = look.live, look.view.now, work.row.phase
        waiting = [lease for lease in live if lease.status != LeaseStatus.ACTIVE]
        head = live[0]
        if phase is ClusterPhase.PLANNED and head.node in self._agents:
            return Move(ClusterPhase.STARTING)
        if look.is_headless:
            head = await self._next_head(work, look)
        await self._ask(look)
        if head.status == LeaseStatus.ACTIVE and look.is_lost(head) and look.statuses:
            raise Trouble(Reason.HEAD_LOST, str(look.troubles[head.address]))
        if head in waiting and head.address not in look.statuses:
            raise look.troubles[head.address]
        # A node says that it is ready when it is reserved: only then is its machine started.
        reserved = [lease for lease in live if lease.status != LeaseStatus.BOOKED]
        joining = await self._networks.review(work, look, reserved)
        await self._reject(work, [lease for lease in live if lease.address in joining.refused], head, joining.refused)
        if joining.waits:
            return Move(phase, _SOON_SECS)
        if (head := look.live[0]) in waiting and head.address not in look.statuses:
            raise look.troubles[head.address]
        if stalled := look.stalled():
            await self._reject(work, [lease for lease in live if lease.address in stalled], head, stalled)
            return Move(ClusterPhase.JOINING, _SOON_SECS, Reason.CHECK_TIME_OVER, "; ".join(stalled.values()))
        idle = [
            lease
            for lease in reserved
            if (s := look.statuses.get(lease.address)) is not None and s.lease is None and joining.starts(lease)
        ]
        starts = bool(idle) and head in reserved and may_start(live, now)
        if starts:
            over = await self._start(work, look, idle, head)
            if over:
                return Move(ClusterPhase.JOINING, _SOON_SECS, Reason.CHECK_TIME_OVER, "; ".join(over))
        moves = [
            one for one in reserved if head.status == LeaseStatus.ACTIVE and joined_other(look.statuses, one, head)
        ]
        if moves:
            await self._start(work, look, [lease for lease in moves if joining.starts(lease)], head)
        if not waiting:
            goes_on = starts or moves
            return Move(ClusterPhase.JOINING, 4 * _SOON_SECS) if goes_on else Move(ClusterPhase.RUNNING, _pause(live))
        up = [lease for lease in waiting if is_up(look.statuses, lease)]
        ready = [lease for lease in up if lease.status == LeaseStatus.READY]
        hurry = look.has_to_hurry(waiting, ready)
        if not ready or (head in waiting and head not in ready) or not (hurry or len(ready) == len(waiting)):
            if phase is ClusterPhase.STARTING and not starts and len(idle) == len(reserved):
                return Move(ClusterPhase.STARTING, _SOON_SECS)
            return Move(ClusterPhase.READY if len(up) == len(waiting) else ClusterPhase.JOINING, _SOON_SECS)
        checked = await self._check(work, look, ready)
        # What came up since the check was begun is looked at by the next one.
        known = [] if checked is None else [lease for lease in ready if checked.has(lease)]
        if checked is None or not known or (head in ready and head not in known):
            return Move(ClusterPhase.READY, _SOON_SECS)
        why = await self._accept(work, look, known, checked.problems, hurry=hurry)
        phase = ClusterPhase.RUNNING if len(known) == len(waiting) else ClusterPhase.JOINING
        return Move(phase, reason=Reason.HARDWARE_MISMATCH if why else Reason.NONE, detail=why)

    async def _next_head(self, work: Work, look: Look) -> LeaseView:
        """Whose node takes the place of a head that is gone: the chain makes the lease accepted next the head."""
        waiting = [lease for lease in look.live if lease.status != LeaseStatus.ACTIVE]
        if not waiting:
            raise Trouble(Reason.HEAD_LOST, "the head's lease is over")
        chosen = min(waiting, key=lambda one: (str(one.address) != work.row.head, one.status != LeaseStatus.READY))
        if chosen.status == LeaseStatus.READY and str(chosen.address) != work.row.head:
            await work.set_head(str(chosen.address))
        look.put_first(chosen.address)
        return chosen

    async def _ask(self, look: Look) -> None:
        """Status of all. One that is to become the head comes first: without it, others are asked for nothing."""
        head, others = look.live[:1], look.live[1:]
        if head[0].status != LeaseStatus.ACTIVE:
            look.add(await self._members.ask(head))
            if head[0].address not in look.statuses:
                return
        look.add(await self._members.ask([*head, *others]))

    async def _start(self, work: Work, look: Look, leases: Sequence[LeaseView], head: LeaseView) -> list[str]:
        """Ask them to start. Those that are not opened for a check again are rejected: why, for each.

        They passed none, so there is nothing to accept, and what they go on waiting for costs the renter.
        """
        if head.address not in look.statuses:
            raise look.troubles[head.address]
        await work.add_members({str(lease.address): str(lease.node) for lease in leases})
        why, troubles = await self._members.start(leases, head, look.statuses)
        look.troubles.update(troubles)
        await self._reject(work, [lease for lease in leases if lease.address in why], head, why)
        if head.address in troubles:
            raise troubles[head.address]
        return list(why.values())

    async def _accept(
        self,
        work: Work,
        look: Look,
        known: Sequence[LeaseView],
        problems: Mapping[Pubkey, Problem],
        *,
        hurry: bool,
    ) -> str:
        """Start the meters of what was checked and is as booked, the head's first. Returns why others are not.

        A node that shows something else than was booked is refused at once: what it is refused for goes on costing.
        """
        head = look.live[0]
        workers = [lease for lease in known if lease is not head]
        wrong = {lease.address: problems[lease.address] for lease in known if lease.address in problems}

        def of(fault: Fault, leases: Sequence[LeaseView] = known) -> list[LeaseView]:
            return [lease for lease in leases if lease.address in wrong and wrong[lease.address].fault is fault]

        # One that joined a head which is gone knows nothing of this one: started again, it joins.
        lost = of(Fault.ABSENT, workers)
        await self._members.stop({str(lease.address): str(lease.node) for lease in lost})
        unknown = [*of(Fault.ABSENT), *of(Fault.LATE)]
        # Under this head nobody can be accepted, and the others' time is short; a worker's own is over.
        given_up = [lease for lease in unknown if (hurry if lease is head else look.is_over(lease))]
        refused = [*of(Fault.OWN), *given_up]
        await self._reject(work, refused, head, {address: problem.detail for address, problem in wrong.items()})
        why = "; ".join(problem.detail for problem in wrong.values())
        waits = of(Fault.BUSY) or [lease for lease in lost if lease not in refused]
        if head.address in wrong or (waits and not hurry):
            raise Trouble(Reason.HARDWARE_MISMATCH, why)
        try:
            if head in known:
                await self._chain.accept([head])
            await self._chain.accept([lease for lease in workers if lease.address not in wrong])
        except IonetError as error:
            raise _not_accepted(error) from None
        return why

    async def _reject(
        self, work: Work, leases: Sequence[LeaseView], head: LeaseView, why: Mapping[Pubkey, str]
    ) -> None:
        """Refuse these nodes; with the one that was to be the head, everybody who joined it has to start again."""
        for lease in leases:
            _log.warning("%s: refused", why[lease.address], extra={"action": "rejected"})
            try:
                await self._chain.reject(lease)
            except IonetError as error:
                raise _not_accepted(error) from None
        if head in leases:
            await self._stop_members(work)

    async def _check(self, work: Work, look: Look, leases: Sequence[LeaseView]) -> Checked | None:
        """What is wrong with the hardware of these leases, or of some of them; None while it is not known yet."""
        booked = await work.booked([str(lease.address) for lease in leases])
        unknown = [lease for lease in leases if (b := booked.get(str(lease.address))) is None or b.report_hash is None]
        if unknown:
            names = ", ".join(str(lease.node) for lease in unknown[:4])
            raise Trouble(Reason.INDEXER_BEHIND, f"the readiness of node {names} is not indexed yet")
        head = look.live[0]
        try:
            secs, opened = look.check_secs(leases), look.opened_secs(leases)
            checked = await self._hardware.check(head, leases, look.statuses, booked, secs, opened)
        except AgentError as error:
            raise trouble_with(head, error) from None
        if checked is not None:
            found = {str(lease): msgspec.json.encode(finding).decode() for lease, finding in checked.findings.items()}
            await work.note_checks(found, {str(lease): one.detail for lease, one in checked.problems.items()})
        return checked

    async def _handle(self, work: Work, look: Look, trouble: Trouble) -> Move:
        """Wait and try again; fail when it lasts, but never while a meter runs or the chain gives a node minutes."""
        row, live, head = work.row, look.live, look.live[0]
        waits = Move(row.phase, _pause_in_trouble(row.trouble), trouble.reason, str(trouble.detail), in_trouble=True)
        if any(lease.status == LeaseStatus.ACTIVE for lease in live):
            if look.is_lost(head) and not look.statuses:
                look.add(await self._members.ask(live[1:]))
            return waits
        if head.status == LeaseStatus.READY and look.is_given_up(head) and len(live) > 1:
            look.add(await self._members.ask(live[1:]))
            if any(lease.address in look.statuses for lease in live[1:]):
                # It keeps the others, who answer, from starting: they go on under the next head.
                with contextlib.suppress(Trouble):
                    await self._reject(work, [head], head, {head.address: str(trouble.detail)})
                    look.rejected.add(head.address)
                return waits
        if row.trouble <= PATIENCE_SECS or any(time_left(lease, look.view.now) > NEAR_SECS for lease in live):
            return waits
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
        self._hardware.forget(Pubkey.from_string(row.cluster))
        left = await self._stop_members(work)
        if row.phase is ClusterPhase.DRAINING or row.reason is Reason.NO_HEAD:
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
        for lease in gone:
            self._challenges.forget(Pubkey.from_string(lease))
        await work.remove_members(gone)
        return len(members) - len(gone)


def _phase_of(lease: Pubkey, status: Status) -> Phase:
    """Of the lease's own member: an agent may still run that of another lease."""
    return status.phase if status.lease == str(lease) else Phase.IDLE


def _not_accepted(error: IonetError) -> Trouble:
    """What the chain refused; of a node that does not answer not the address, which may hold a key."""
    if isinstance(error, NotEnough):
        return Trouble(Reason.NO_SOL, str(error))
    return Trouble(Reason.NOT_ACCEPTED, error.message() if isinstance(error, RpcError) else str(error))


def _pause_in_trouble(secs: float) -> float:
    """Seconds until the next look at a cluster that has been in trouble for some: rarer and rarer."""
    return min(max(secs / 10, 4 * _SOON_SECS), _MAX_PAUSE_SECS)


def _pause(leases: Sequence[LeaseView]) -> float:
    """Seconds between looks at a running cluster: several per interval, so that each gets its challenge early."""
    return min(max(min(lease.interval_secs for lease in leases) / 6, _SOON_SECS), _MAX_PAUSE_SECS)
