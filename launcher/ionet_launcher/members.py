"""The members of a cluster as their agents see them: asked, started, stopped, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from ionet.agent_api import Phase, Role, Spec, Status
from ionet.agent_errors import AgentError, AgentRefused, BadAnswer, CheckTimeOver, Conflict, MeterRuns, NotEntitled
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.calls import Calls, Late
from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.clients import NoAgent
from ionet_launcher.phases import Reason, Trouble

Troubles = dict[Pubkey, Trouble]
"""Lease → what is wrong with its node."""


class Members:
    """Talks to agents as the holder of the session key."""

    def __init__(self, session: Keypair, calls: Calls) -> None:
        self._session, self._calls = session, calls

    async def ask(self, leases: Sequence[LeaseView]) -> tuple[dict[Pubkey, Status], Troubles]:
        """Status by lease, the head's first, of those whose agents say something believable."""
        statuses: dict[Pubkey, Status] = {}
        troubles: Troubles = {}

        async def ask(lease: LeaseView) -> None:
            try:
                status = await self._calls.answer(lease.node, "status", lambda agent: agent.status(), last=True)
            except AgentError as error:
                troubles[lease.address] = trouble_with(lease, error)
            else:
                statuses[lease.address] = status

        await asyncio.gather(*map(ask, leases))
        for lease, trouble in _claimed_twice(leases, statuses):
            del statuses[lease.address]
            troubles[lease.address] = trouble
        for lease in leases:
            status = statuses.get(lease.address)
            if status is not None and status.phase is Phase.FAILED and status.lease == str(lease.address):
                detail = f"node {lease.node}: {status.reason or 'Ray does not run'}"
                troubles[lease.address] = Trouble(Reason.MEMBER_FAILED, detail, lease.address)
        return statuses, troubles

    async def start(
        self, leases: Sequence[LeaseView], head: LeaseView, statuses: Mapping[Pubkey, Status]
    ) -> tuple[dict[Pubkey, str], Troubles]:
        """Ask for all at once: workers wait for the head by themselves.

        Returns what ready nodes said, by lease, that were open for a check before and are not again; and who did not
        do it for another reason.
        """
        secrets = ClusterSecrets(self._session.secret(), bytes(head.cluster))
        ca, address = secrets.ca_pem(), statuses[head.address].address
        over: dict[Pubkey, str] = {}
        troubles: Troubles = {}

        async def start(lease: LeaseView) -> None:
            certificate, key = secrets.issue(str(lease.node), statuses[lease.address].ip)
            spec = Spec(
                lease=str(lease.address),
                cluster=str(lease.cluster),
                role=Role.HEAD if lease.address == head.address else Role.WORKER,
                address=address,
                processors=lease.processors,
                token=secrets.token,
                ca=ca,
                certificate=certificate,
                key=key,
            )
            about = (lease.address, address, statuses[lease.address].ip)
            try:
                await self._calls.answer(lease.node, "start", lambda agent: agent.start(spec), about, quick=False)
            except Late:
                pass  # asked, and it goes on; its status says the rest
            except AgentError as error:
                if isinstance(error, CheckTimeOver) and lease.status == LeaseStatus.READY:
                    over[lease.address] = f"node {lease.node}: {error}"
                else:
                    troubles[lease.address] = trouble_with(lease, error)

        await asyncio.gather(*map(start, leases))
        return over, troubles

    async def stop(self, members: Mapping[str, str]) -> list[str]:
        """Ask these members (lease → node) to stop. Returns the leases whose member does not run any more."""

        async def stop(lease: str, node: Pubkey) -> bool:
            try:
                return (await self._calls.answer(node, "stop", lambda agent: agent.stop(lease), lease)).lease != lease
            except MeterRuns:
                return False
            except (NotEntitled, Conflict):
                return True  # the lease is no longer the node's, so its agent has stopped the member itself
            except AgentError:
                return False

        stopped = await asyncio.gather(*(stop(lease, Pubkey.from_string(node)) for lease, node in members.items()))
        return [lease for lease, done in zip(members, stopped, strict=True) if done]


def is_up(statuses: Mapping[Pubkey, Status], lease: LeaseView) -> bool:
    status = statuses.get(lease.address)
    return status is not None and status.lease == str(lease.address) and status.phase is Phase.UP


def joined_other(statuses: Mapping[Pubkey, Status], lease: LeaseView, head: LeaseView) -> bool:
    """Whether its member was told of a head that is not this one."""
    status, there = statuses.get(lease.address), statuses.get(head.address)
    if lease is head or status is None or there is None or status.lease != str(lease.address):
        return False
    return status.joins not in (None, there.address)


async def answers(calls: Calls, node: Pubkey) -> bool:
    """Whether a node that need not know of us says anything at all, with its device key."""
    try:
        await calls.answer(node, "status", lambda agent: agent.status(), last=True)
    except AgentError as error:
        return isinstance(error, AgentRefused)
    return True


def trouble_with(lease: LeaseView, error: AgentError) -> Trouble:
    """What this error of a node's agent means for its cluster."""
    kinds = {NoAgent: Reason.AGENT_UNKNOWN, BadAnswer: Reason.BAD_ANSWER, AgentRefused: Reason.AGENT_REFUSED}
    found = (reason for kind, reason in kinds.items() if isinstance(error, kind))
    return Trouble(next(found, Reason.AGENT_UNREACHABLE), f"node {lease.node}: {error}", lease.address)


def _claimed_twice(
    leases: Sequence[LeaseView], statuses: Mapping[Pubkey, Status]
) -> Iterator[tuple[LeaseView, Trouble]]:
    """Who claims the ip of another member: a certificate for it would be good for the other.

    It is the head's, the first one's, or that of a member that runs; whose it is by right, nobody knows.
    """
    answered = [lease for lease in leases if lease.address in statuses]
    running = [lease for lease in answered[1:] if is_up(statuses, lease)]
    others = [lease for lease in answered[1:] if not is_up(statuses, lease)]
    owners: dict[str, LeaseView] = {}
    for lease in [*answered[:1], *running, *others]:
        owner = owners.setdefault(statuses[lease.address].ip, lease)
        if owner is not lease:
            detail = f"node {lease.node}: says that its ip is {statuses[lease.address].ip}, that of node {owner.node}"
            yield lease, Trouble(Reason.BAD_ANSWER, detail, lease.address)
