"""Checks a cluster's members before their meters start: each of them alone, and that Ray joins them.

Hardware is checked over a connection of the launcher's own to each member (`inspection`), so that nobody vouches for
another. That Ray runs on a member shows a driver beside the head: a task on the member has to tell what the launcher
told this member, and nobody else, over that connection. The launcher itself never joins: whoever reads an object of Ray
runs code of whoever wrote it.

What a member shows of itself gets it rejected. What the head alone says of another does not: either of them may lie.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

import msgspec
from ionet.agent_api import AgentClient, Status, decoded
from ionet.agent_errors import AgentError, AgentUnreachable, BadAnswer, one_line
from ionet.agent_ports import Port
from ionet.check.report import Report
from ionet.check.wire import CheckGoesOn
from ionet.lease_view import LeaseView
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.flights import Flights
from ionet_launcher.inspection import Finding, Inspector, Unfit
from ionet_launcher.keeping import Booked
from ionet_launcher.ray_driver import DriverFailed, Joined, joined

# An outcome of a check that was begun before then says nothing about members that may have started again.
_GOOD_SECS = 120.0
_VERIFIED_AT_ONCE = 2
_REPORT_SECS = 10.0
# Part of a check's time that is the driver's, whoever has not been told by then; and of the driver's, that of the
# first try.
_DRIVER_PART, _FIRST_PART = 0.6, 0.7
_log = logging.getLogger(__name__)


def check_secs(members: int) -> float:
    """How long a check of this number of members takes at most. Their agents open them for two minutes in all."""
    return min(33.0 + 2 * members, 90.0)


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a member.

    absent: Ray does not know it, whatever its agent says, or its agent does not answer. busy: another launcher checks
    it, so nothing is known yet.
    """

    detail: str
    absent: bool = False
    busy: bool = False

    @property
    def is_its_own(self) -> bool:
        """Whether the member has shown it itself."""
        return not self.absent and not self.busy


class Checked(msgspec.Struct, frozen=True):
    """By lease: what is wrong, and what was found. Other leases than these were not checked."""

    problems: dict[Pubkey, Problem]
    findings: dict[Pubkey, Finding]

    def has(self, lease: LeaseView) -> bool:
        """Whether it tells of this lease."""
        return lease.address in self.problems or lease.address in self.findings


@dataclass(frozen=True)
class _Member:
    """One of those that are checked. until: when the whole check ends, on the loop's clock. inside: whether its check
    is answered in the cluster's own network, where its agent leads.
    """

    lease: LeaseView
    check: str | None
    inside: bool
    booked: Booked
    until: float
    witness: str = field(default_factory=lambda: secrets.token_hex(16))
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def problem(self, detail: object, *, absent: bool = False, busy: bool = False) -> Problem:
        return Problem(f"node {self.lease.node}: {one_line(str(detail))}", absent, busy)


class HardwareCheck:
    """Checks with the session key, many clusters beside each other.

    agent: of a node, open within a block. devices: whether each processor has to be a GPU that the machine shows.
    soon_secs: how long a step waits for a check; a longer one goes on beside the steps that follow.
    """

    def __init__(
        self,
        session: Keypair,
        agent: Callable[[Pubkey], AbstractAsyncContextManager[AgentClient]],
        *,
        devices: bool,
        soon_secs: float = 20.0,
    ) -> None:
        self._session, self._agent, self._devices, self._soon_secs = session, agent, devices, soon_secs
        self._verifying = asyncio.Semaphore(_VERIFIED_AT_ONCE)
        self._flights: Flights[Checked | AgentError] = Flights(_GOOD_SECS)

    async def aclose(self) -> None:
        await self._flights.aclose()

    def forget(self, cluster: Pubkey) -> None:
        """End the check of a cluster that is over, if one goes on."""
        self._flights.end(cluster)

    async def check(
        self,
        head: LeaseView,
        leases: Sequence[LeaseView],
        statuses: Mapping[Pubkey, Status],
        booked: Mapping[str, Booked],
    ) -> Checked | None:
        """The check of leases in the cluster of `head`; None while it goes on, to be asked for again.

        It may have been begun for fewer: it tells of which. Raises the head's agent's errors.
        """
        cluster, soon = head.cluster, 0.0
        flight, now = self._flights.get(cluster), asyncio.get_running_loop().time()
        if flight is None or flight.about != head.address or now > flight.begun + _GOOD_SECS:
            until = now + check_secs(len(leases))
            members = []
            for lease in leases:
                status = statuses.get(lease.address)
                check = status.check if status is not None else None
                inside = status is not None and status.network is not None
                members.append(_Member(lease, check, inside, booked[str(lease.address)], until))
            flight = self._flights.begin(cluster, self._check(head, members, until), head.address)
            soon = self._soon_secs  # only the step that begins it waits
        await asyncio.wait([flight.task], timeout=soon)
        if not flight.task.done():
            return None
        checked = self._flights.seen(cluster, flight)
        if isinstance(checked, AgentError):
            raise checked
        return checked

    async def _check(self, head: LeaseView, members: Sequence[_Member], until: float) -> Checked | AgentError:
        inspector = Inspector(ClusterSecrets(self._session.secret(), bytes(head.cluster)), self._verifying)
        async with asyncio.TaskGroup() as group:
            whole = group.create_task(self._told(head, members, until))
            ones = [group.create_task(self._one(inspector, member)) for member in members]
        found = whole.result()
        leads = any(member.lease.address == head.address for member in members)
        if isinstance(found, AgentError) and not leads:
            return found
        results = {member.lease.address: task.result() for member, task in zip(members, ones, strict=True)}
        problems = {address: result for address, result in results.items() if isinstance(result, Problem)}
        for member in members:
            # Without an answer of a driver nothing is known of the others.
            is_head = member.lease.address == head.address
            if isinstance(found, dict):
                missing = _missing(member, found.get(str(member.lease.address)))
            else:
                missing = str(found) if is_head or not leads else None
            if missing is not None:
                # Of the head its own driver tells; of the others the head does, which may lie.
                its_own = isinstance(found, BadAnswer) and is_head
                problems.setdefault(member.lease.address, member.problem(missing, absent=not its_own))
        findings = {address: result for address, result in results.items() if isinstance(result, Finding)}
        return Checked(problems, findings)

    async def _one(self, inspector: Inspector, member: _Member) -> Finding | Problem:
        """What is found of one member, whatever happens there."""
        try:
            async with asyncio.timeout_at(member.until):
                found = await self._inspect(inspector, member)
        except (Unfit, BadAnswer) as error:
            return member.problem(error.detail or error)
        except CheckGoesOn as error:
            return member.problem(error, busy=True)
        except AgentError as error:
            return member.problem(error, absent=True)
        except TimeoutError:
            return member.problem("the time for the check of its cluster was over", absent=True)
        except Exception as error:
            # Ours, or its doing: the others' checks go on.
            _log.exception("the check of node %s", member.lease.node, extra={"action": "crash"})
            return member.problem(f"its check failed: {type(error).__name__}", absent=True)
        finally:
            member.told.set()
        _log.info("node %s: %s", member.lease.node, found.text(), extra={"action": "checked"})
        return found

    async def _inspect(self, inspector: Inspector, member: _Member) -> Finding:
        lease = member.lease
        report = await self._report(lease, member.booked)
        if self._devices and len(report.devices) < lease.processors:
            raise Unfit(f"its system shows {len(report.devices)} devices, {lease.processors} were booked")
        if member.check is None:
            raise Unfit("its agent names no address for the check")
        async with self._agent(lease.node) as agent:
            return await inspector.inspect(
                member.check,
                lease.node,
                lease.processors,
                witness=member.witness,
                told=member.told,
                throughput=member.booked.throughput,
                reported=report.devices,
                through=partial(agent.ports.open, Port.CHECK, str(lease.address)) if member.inside else None,
            )

    async def _report(self, lease: LeaseView, booked: Booked) -> Report:
        """The node's report, as long as it is the one that the chain has. Raises Unfit and the agent's errors."""
        try:
            async with asyncio.timeout(_REPORT_SECS), self._agent(lease.node) as agent:
                content = await agent.report()
        except TimeoutError:
            raise AgentUnreachable(f"no report within {_REPORT_SECS:g} s") from None
        if sha256(content).hexdigest() != booked.report_hash:
            raise Unfit("its report is not the one whose hash is on the chain")
        report = decoded(content, Report)
        if report.fault is not None:
            raise Unfit(report.fault)
        return report

    async def _told(
        self, head: LeaseView, members: Sequence[_Member], until: float
    ) -> dict[str, Joined] | AgentError | DriverFailed:
        """What tasks tell, once all members know what to, or in time. An error is a value: it does not end the checks.

        Where a driver comes to nothing with all, the head alone is tried: others may have done it.
        """
        clock = asyncio.get_running_loop().time
        driver_secs = _DRIVER_PART * (until - clock())
        every, alone = [str(member.lease.address) for member in members], [str(head.address)]
        try:
            async with asyncio.timeout_at(until - driver_secs):
                await asyncio.gather(*(member.told.wait() for member in members))
        except TimeoutError:
            pass  # who was late is missing among those who tell
        try:
            async with self._agent(head.node) as agent:
                try:
                    return await joined(agent, every, (until - clock()) * (1 if every == alone else _FIRST_PART))
                except (DriverFailed, AgentUnreachable) as error:
                    _log.info("node %s: %s", head.node, error, extra={"action": "driver_failed"})
                    if every == alone:
                        return error
                return await joined(agent, alone, until - clock())
        except (AgentError, DriverFailed) as error:
            return error
        except Exception as error:
            _log.exception("the driver on node %s", head.node, extra={"action": "crash"})
            return DriverFailed(type(error).__name__)


def _missing(member: _Member, told: Joined | None) -> str | None:
    if told is None or told.witness != member.witness:
        return "no task ran on it"
    if told.processors != member.lease.processors:
        return f"Ray has {told.processors} processors there, not the {member.lease.processors} booked"
    return None
