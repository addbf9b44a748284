"""The members of a cluster as their agents see them: asked, started, challenged, stopped, many at a time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import TypeVar

from ionet.agent_api import AgentClient, Challenge, Phase, Role, Spec, Status
from ionet.agent_errors import AgentError, AgentRefused, AgentUnreachable, Conflict, NotEntitled
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet.rules.challenges import sign_challenge
from ionet.rules.lease_time import interval_at, interval_end, interval_start
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.phases import Reason, Trouble
from ionet_launcher.review import Challenges

# Agents asked at the same time.
_CALLS_AT_ONCE = 128
# How long the agent of a running lease may take to answer.
_LEAST_SECS, _MOST_SECS = 0.5, 10.0
# Part of an interval in which its challenge is sent at the latest: the rest is for trying again.
_LATEST_PART = 0.7
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Members:
    """Talks to agents, signing with the session key. agents: node → URL of its agent."""

    def __init__(self, session: Keypair, agents: Mapping[Pubkey, str], challenges: Challenges) -> None:
        self._session, self._urls, self._challenges = session, agents, challenges
        self._clients: dict[tuple[Pubkey, str], AgentClient] = {}

    async def aclose(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    def agent(self, node: Pubkey) -> AgentClient:
        """Raises AgentUnreachable for a node without an agent."""
        url = self._urls.get(node)
        if url is None:
            raise AgentUnreachable("no URL is configured")
        if (node, url) not in self._clients:
            self._clients[node, url] = AgentClient(url, node, self._session)
        return self._clients[node, url]

    def require_agents(self, leases: Sequence[LeaseView]) -> None:
        """Raises Trouble when one of the nodes has no agent."""
        unknown = [str(lease.node) for lease in leases if lease.node not in self._urls]
        if unknown:
            raise Trouble(Reason.AGENT_UNKNOWN, f"no agent is configured for node {', '.join(unknown)}")

    async def ask(self, leases: Sequence[LeaseView]) -> dict[Pubkey, Status]:
        """Status by lease of the members whose agents answer. The head's must, or nothing else can go on."""

        async def ask(lease: LeaseView) -> Status | None:
            try:
                return await _soon(self.agent(lease.node).status(), lease)
            except AgentError as error:
                if lease is leases[0] and lease.status != LeaseStatus.ACTIVE:
                    raise trouble_with(lease.node, error) from None
                _log.info("node %s: %s", lease.node, error, extra={"action": "no_status"})
                return None

        # The head first: without it thousands of others would be asked for nothing.
        answers = [await ask(leases[0]), *await _all([ask(lease) for lease in leases[1:]])]
        return {lease.address: status for lease, status in zip(leases, answers, strict=True) if status is not None}

    async def start(self, leases: Sequence[LeaseView], head: LeaseView, statuses: Mapping[Pubkey, Status]) -> None:
        """Ask for all at once: workers wait for the head by themselves."""
        secrets = ClusterSecrets(self._session.secret(), bytes(head.cluster))
        ca, address = secrets.ca_pem(), statuses[head.address].address

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
            try:
                await self.agent(lease.node).start(spec)
            except AgentError as error:
                raise trouble_with(lease.node, error) from None

        await _all([start(lease) for lease in leases])

    async def challenge(self, leases: Sequence[LeaseView], now: int) -> None:
        """Send each node the signature for the interval that runs; one that does not answer is asked next time.

        When in the interval, only the session key knows: a node that serves at some times only cannot choose them.
        """

        async def send(lease: LeaseView) -> None:
            interval = interval_at(lease, now)
            if interval is None or self._challenges.is_answered(lease.address, interval):
                return
            if now < challenge_moment(self._session, lease, interval):
                return
            self._challenges.called(lease.address, interval)
            signature = sign_challenge(self._session, lease.address, interval)
            try:
                challenge = Challenge(str(lease.address), interval, signature.hex())
                await _soon(self.agent(lease.node).challenge(challenge), lease)
            except AgentError as error:
                text = "challenge %d of %s: %s"
                _log.info(text, interval, lease.address, error, extra={"action": "challenge_lost"})
            else:
                self._challenges.answered(lease.address, interval)

        await _all([send(lease) for lease in leases])

    async def stop(self, members: Mapping[str, str]) -> list[str]:
        """Ask these members (lease → node) to stop. Returns the leases whose member does not run any more."""
        stopped = await _all([self._stop_one(lease, Pubkey.from_string(node)) for lease, node in members.items()])
        gone = [lease for lease, done in zip(members, stopped, strict=True) if done]
        for lease in gone:
            self._challenges.forget(Pubkey.from_string(lease))
        return gone

    async def _stop_one(self, lease: str, node: Pubkey) -> bool:
        """True when the member does not run any more."""
        try:
            return (await self.agent(node).stop(lease)).lease != lease
        except (NotEntitled, Conflict):
            return True  # the lease is no longer the node's, so its agent has stopped the member itself
        except AgentError:
            return False


def challenge_moment(session: Keypair, lease: LeaseView, interval: int) -> float:
    """When an interval is challenged, unix seconds: in its first seven tenths, drawn by the session key.

    The same in every process that holds the key, so a launcher that starts again draws no other moment.
    """
    drawn = hashlib.sha256(session.secret() + bytes(lease.address) + interval.to_bytes(8, "little")).digest()
    part = int.from_bytes(drawn[:8], "little") / 2**64
    start = interval_start(lease, interval)
    return start + _LATEST_PART * part * (interval_end(lease, interval) - start)


def is_up(statuses: Mapping[Pubkey, Status], lease: LeaseView) -> bool:
    status = statuses.get(lease.address)
    return status is not None and status.lease == str(lease.address) and status.phase is Phase.UP


def trouble_with(node: Pubkey, error: AgentError) -> Trouble:
    refused = isinstance(error, AgentRefused)
    return Trouble(Reason.AGENT_REFUSED if refused else Reason.AGENT_UNREACHABLE, f"node {node}: {error}")


async def _soon(call: Coroutine[None, None, T], lease: LeaseView) -> T:
    """The answer of an agent whose meter runs, within a third of an interval: one that is silent keeps the others from
    their challenges no longer. Raises AgentUnreachable."""
    if lease.status != LeaseStatus.ACTIVE:
        return await call
    within = min(max(lease.interval_secs / 3, _LEAST_SECS), _MOST_SECS)
    try:
        return await asyncio.wait_for(call, within)
    except TimeoutError:
        raise AgentUnreachable(f"no answer within {within:g} s") from None


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
