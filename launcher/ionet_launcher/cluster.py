"""One step of one cluster: compare what the chain wants with what the agents run, and do the next thing.

A step keeps nothing in memory that the next one needs: killed anywhere, it is simply done again. Starting is safe to
repeat because an agent runs one member per lease; accepting, because the program takes it once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import TypeVar

from ionet.agent_api import AgentClient, AgentError, AgentUnreachableError, Challenge, Phase, Role, Spec, Status
from ionet.errors import IonetError
from ionet.rules import merkle
from ionet.rules.lease_time import LeaseStatus, LeaseView
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher import hardware
from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.chain import ClusterView, LauncherChain
from ionet_launcher.phases import DRAIN_SECS, PATIENCE_SECS, ClusterPhase, Reason
from ionet_launcher.review import NEITHER, Challenges, Policy, Reviewer
from ionet_launcher.store import Move, Work

_SOON_SECS = 0.25
_NOT_OURS_SECS = 30.0
_MAX_PAUSE_SECS = 10.0
# Agents asked at the same time.
_CALLS_AT_ONCE = 128
# So long before its acceptance is too late, a ready node no longer waits for the others.
_LEAVE_SECS = 15
T = TypeVar("T")
_log = logging.getLogger("ionet.launcher")


class Trouble(Exception):
    """Something keeps a cluster from going on; it fails when that lasts longer than its phase may."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Stepper:
    """Does steps for the clusters that name `session` as their session key.

    agents: node → URL of its agent. devices: whether to count GPUs as the operating system shows them. policy: what it
    may do about proven intervals in the renter's name.
    """

    def __init__(
        self,
        chain: LauncherChain,
        session: Keypair,
        agents: Mapping[Pubkey, str],
        *,
        devices: bool = False,
        policy: Policy = NEITHER,
    ) -> None:
        self._chain, self._session, self._urls, self._devices = chain, session, agents, devices
        self._clients: dict[tuple[Pubkey, str], AgentClient] = {}
        self._challenges = Challenges()
        self._reviewer = Reviewer(chain, session, self._challenges, policy)

    async def aclose(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    async def step(self, work: Work) -> Move:
        """Look once and do what can be done now. Raises IonetError when the chain does not answer."""
        row, names = work.row, await work.leases()
        view = await self._chain.cluster(Pubkey.from_string(row.cluster), [Pubkey.from_string(n) for n in names])
        live = view.live() if view is not None else []
        work.live = len(live)
        if view is None or not live:
            return await self._drain(work, view)
        if view.session_key != self._session.pubkey() or view.now >= view.session_expires_at:
            return Move(row.phase, _NOT_OURS_SECS, Reason.NOT_OURS)
        try:
            return await self._advance(work, view, live)
        except Trouble as trouble:
            return await self._handle(work, live, trouble)

    async def _advance(self, work: Work, view: ClusterView, live: list[LeaseView]) -> Move:
        self._require_agents(live)
        waiting = [lease for lease in live if lease.status is not LeaseStatus.ACTIVE]
        await self._challenge([lease for lease in live if lease.status is LeaseStatus.ACTIVE], view.now)
        await self._reviewer.review(work, view.leases, view.now)
        if work.row.phase is ClusterPhase.PLANNED:
            return Move(ClusterPhase.STARTING)
        if not live[0].is_head:
            raise Trouble(Reason.HEAD_LOST, f"the head's lease {view.head_lease} is over")
        statuses = await self._ask(live)
        idle = [lease for lease in live if _reachable(statuses, lease) and statuses[lease.address].lease is None]
        if idle:
            await self._start(work, idle, live[0], statuses)
            return Move(ClusterPhase.JOINING, _SOON_SECS)
        if not waiting:
            return Move(ClusterPhase.RUNNING, _pause(live))
        up = [lease for lease in waiting if _is_up(statuses, lease)]
        ready = [lease for lease in up if lease.status is LeaseStatus.READY]
        if not self._may_accept(view, waiting, ready):
            unreachable = [str(lease.node) for lease in waiting if not _reachable(statuses, lease)]
            if unreachable:
                raise Trouble(Reason.AGENT_UNREACHABLE, f"no answer from node {', '.join(unreachable)}")
            return Move(ClusterPhase.READY if len(up) == len(waiting) else ClusterPhase.JOINING, _SOON_SECS)
        await self._accept(view, live[0], ready, hurry=len(ready) < len(waiting))
        return Move(ClusterPhase.RUNNING if len(ready) == len(waiting) else ClusterPhase.JOINING)

    def _may_accept(self, view: ClusterView, waiting: Sequence[LeaseView], ready: Sequence[LeaseView]) -> bool:
        """All that wait are ready; or one has been ready so long that the others are left behind."""
        if waiting[0].is_head and waiting[0] not in ready:
            return False
        return len(ready) == len(waiting) or any(view.now >= lease.accept_by - _LEAVE_SECS for lease in ready)

    def _require_agents(self, leases: Sequence[LeaseView]) -> None:
        unknown = [str(lease.node) for lease in leases if lease.node not in self._urls]
        if unknown:
            raise Trouble(Reason.AGENT_UNKNOWN, f"no agent is configured for node {', '.join(unknown)}")

    async def _ask(self, leases: Sequence[LeaseView]) -> dict[Pubkey, Status]:
        """Status by lease of the members whose agents answer. The head's must, or nothing else can go on."""

        async def ask(lease: LeaseView) -> Status | None:
            try:
                return await self._agent(lease.node).status()
            except (AgentError, AgentUnreachableError) as error:
                if lease.is_head and lease.status is not LeaseStatus.ACTIVE:
                    raise _trouble(error) from None
                _log.info("node %s: %s", lease.node, error)
                return None

        # The head first: without it thousands of others would be asked for nothing.
        answers = [await ask(leases[0]), *await _all([ask(lease) for lease in leases[1:]])]
        return {lease.address: status for lease, status in zip(leases, answers, strict=True) if status is not None}

    async def _start(
        self, work: Work, leases: Sequence[LeaseView], head: LeaseView, statuses: Mapping[Pubkey, Status]
    ) -> None:
        """Ask for all at once: workers wait for the head by themselves."""
        if head.address not in statuses:
            raise Trouble(Reason.AGENT_UNREACHABLE, f"no answer from the head's node {head.node}")
        secrets = ClusterSecrets(self._session.secret(), bytes(head.cluster))
        ca, address = secrets.ca_pem(), statuses[head.address].address

        async def start(lease: LeaseView) -> None:
            certificate, key = secrets.issue(str(lease.node), statuses[lease.address].ip)
            spec = Spec(
                lease=str(lease.address),
                cluster=str(lease.cluster),
                role=Role.HEAD if lease.is_head else Role.WORKER,
                address=address,
                processors=lease.processors,
                token=secrets.token,
                ca=ca,
                certificate=certificate,
                key=key,
            )
            try:
                await self._agent(lease.node).start(spec)
            except (AgentError, AgentUnreachableError) as error:
                raise _trouble(error) from None

        await work.add_members({str(lease.address): str(lease.node) for lease in leases})
        await _all([start(lease) for lease in leases])

    async def _accept(self, view: ClusterView, head: LeaseView, ready: Sequence[LeaseView], *, hurry: bool) -> None:
        """Check what was booked, then start the meters, the head's before any other.

        Nobody is accepted while somebody's hardware is wrong, unless in a `hurry`: then those that are right.
        """
        checked = [head, *(lease for lease in ready if not lease.is_head)]
        try:
            wrong = await hardware.check(self._agent(head.node), checked, devices=self._devices)
        except hardware.ProbeError as error:
            raise Trouble(Reason.HARDWARE_MISMATCH, str(error)) from None
        except (AgentError, AgentUnreachableError) as error:
            raise _trouble(error) from None
        # One that joined a head which is gone knows nothing of this one: started anew, it joins.
        lost = [
            lease for lease in ready if lease.address in wrong and wrong[lease.address].absent and not lease.is_head
        ]
        await _all([self._stop_one(str(lease.address), lease.node) for lease in lost])
        last_call = hurry or any(view.now >= lease.accept_by - _LEAVE_SECS for lease in ready)
        if head.address in wrong or (wrong and not last_call):
            raise Trouble(Reason.HARDWARE_MISMATCH, "; ".join(problem.detail for problem in wrong.values()))
        try:
            if head in ready:
                await self._chain.accept([head])
            others = [lease for lease in ready if not lease.is_head and lease.address not in wrong]
            await self._chain.accept(others)
        except IonetError as error:
            raise Trouble(Reason.NOT_ACCEPTED, str(error)) from None

    async def _challenge(self, leases: Sequence[LeaseView], now: int) -> None:
        """Send each node the signature for the interval that runs; one that does not answer is asked next time."""

        async def send(lease: LeaseView) -> None:
            interval = lease.interval_at(now)
            if interval is None or self._challenges.is_answered(lease.address, interval):
                return
            self._challenges.called(lease.address, interval)
            signature = self._session.sign_message(merkle.challenge_message(bytes(lease.address), interval))
            try:
                challenge = Challenge(str(lease.address), interval, bytes(signature).hex())
                await self._agent(lease.node).challenge(challenge)
            except (AgentError, AgentUnreachableError) as error:
                _log.info("challenge %d of %s: %s", interval, lease.address, error)
            else:
                self._challenges.answered(lease.address, interval)

        await _all([send(lease) for lease in leases])

    async def _handle(self, work: Work, live: Sequence[LeaseView], trouble: Trouble) -> Move:
        """Wait and try again; fail when it lasts, but never while a meter runs."""
        row = work.row
        if any(lease.status is LeaseStatus.ACTIVE for lease in live) or row.age <= PATIENCE_SECS:
            return Move(row.phase, 4 * _SOON_SECS, trouble.reason, str(trouble))
        _log.warning("cluster %s failed: %s (%s)", row.cluster, trouble.reason, trouble)
        await self._stop_members(work)
        return Move(ClusterPhase.FAILED, 0.0, trouble.reason, str(trouble))

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
        stopped = await _all([self._stop_one(lease, Pubkey.from_string(node)) for lease, node in members.items()])
        gone = [lease for lease, done in zip(members, stopped, strict=True) if done]
        await work.remove_members(gone)
        for lease in gone:
            self._challenges.forget(Pubkey.from_string(lease))
        return stopped.count(False)

    async def _stop_one(self, lease: str, node: Pubkey) -> bool:
        """True when the member does not run any more."""
        try:
            return (await self._agent(node).stop(lease)).lease != lease
        except AgentUnreachableError:
            return False
        except AgentError as error:
            # 403, 409: the lease is no longer the node's, so its agent has stopped the member itself.
            return error.status in (403, 409)

    def _agent(self, node: Pubkey) -> AgentClient:
        url = self._urls.get(node)
        if url is None:
            raise AgentUnreachableError(f"no agent is configured for node {node}")
        if (node, url) not in self._clients:
            self._clients[node, url] = AgentClient(url, node, self._session)
        return self._clients[node, url]


async def _all(calls: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """Results of all calls, many at a time; when some fail, all have ended before the first failure is raised."""
    places = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def one(call: Coroutine[None, None, T]) -> T:
        async with places:
            return await call

    results = await asyncio.gather(*map(one, calls), return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


def _reachable(statuses: Mapping[Pubkey, Status], lease: LeaseView) -> bool:
    return lease.address in statuses


def _is_up(statuses: Mapping[Pubkey, Status], lease: LeaseView) -> bool:
    status = statuses.get(lease.address)
    return status is not None and status.lease == str(lease.address) and status.phase is Phase.UP


def _trouble(error: AgentError | AgentUnreachableError) -> Trouble:
    unreachable = isinstance(error, AgentUnreachableError)
    return Trouble(Reason.AGENT_UNREACHABLE if unreachable else Reason.AGENT_REFUSED, str(error))


def _pause(leases: Sequence[LeaseView]) -> float:
    """Seconds between looks at a running cluster: several per interval, so that each gets its challenge early."""
    return min(max(min(lease.interval_secs for lease in leases) / 6, _SOON_SECS), _MAX_PAUSE_SECS)
