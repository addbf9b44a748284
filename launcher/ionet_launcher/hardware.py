"""Checks a cluster's members before their meters start: each of them alone, and that Ray joins them.

Hardware is checked over a connection of the launcher's own to each member (`inspection`), so that nobody vouches for
another. That Ray runs on a member shows a driver beside the head: a task on the member has to tell what the launcher
told this member, and nobody else, over that connection. The launcher itself never joins: whoever reads an object of Ray
runs code of whoever wrote it.

What a member shows of itself gets it rejected. What the head alone says of another does not: either of them may lie.
Nor does what does not come in time, which may only be slow: it is asked again for as long as its machine is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import Any

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
from ionet_launcher.inspection import Finding, Inspector, TooLate, Unfit
from ionet_launcher.keeping import Booked
from ionet_launcher.ray_driver import DriverFailed, Joined, tellings

# An outcome of a check that was begun before then says nothing about members that may have started again.
_GOOD_SECS = 120.0
_VERIFIED_AT_ONCE = 2
_REPORT_SECS = 10.0
# Part of a check's time after which the head alone is tried, where it has not told either: others may have done it.
_FIRST_PART = 0.7
# Where members take no longer than this to start, what is asked of them gets the usual time, and a driver this.
_STARTS_SECS, _DRIVER_SECS = 10.0, 40.0
# So long after its driver's first words Ray may take to know a member.
_KNOWN_SECS = 5.0
# No longer than this takes a handshake with its agent.
_BEGIN_SECS = 2.0
_log = logging.getLogger(__name__)


def check_secs(members: int) -> float:
    """How long a check of this number of members may take at least. Their agents open them for two minutes in all."""
    return min(33.0 + 2 * members, 90.0)


class Fault(StrEnum):
    """What a problem says of its member."""

    OWN = "own"
    """It has shown it itself."""
    ABSENT = "absent"
    """Ray does not know it, whatever its agent says."""
    LATE = "late"
    """What was asked of it did not come in time, which on a slow machine may be nobody's fault."""
    BUSY = "busy"
    """Another launcher checks it, so nothing is known yet."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a member."""

    detail: str
    fault: Fault = Fault.OWN


class Checked(msgspec.Struct, frozen=True):
    """By lease: what is wrong, and what was found. Other leases than these were not checked."""

    problems: dict[Pubkey, Problem]
    findings: dict[Pubkey, Finding]

    def has(self, lease: LeaseView) -> bool:
        """Whether it tells of this lease."""
        return lease.address in self.problems or lease.address in self.findings


@dataclass
class _Member:
    """One of those that are checked. until: when the whole check ends, on the loop's clock. inside: whether its check
    is answered in the cluster's own network, where its agent leads. patience: how many times longer than usual it may
    take. joined: what the driver said of it last; over: nothing more is waited for.
    """

    lease: LeaseView
    check: str | None
    inside: bool
    booked: Booked
    until: float
    patience: float
    witness: str = field(default_factory=lambda: secrets.token_hex(16))
    joined: Joined | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def told(self) -> bool:
        """Whether its task has told the witness."""
        return self.joined is not None and self.joined.witness == self.witness

    def hear(self, joined: Joined) -> None:
        """Whoever has told the witness once is believed: what the head says later takes nothing back."""
        if not self.told:
            self.joined = joined
            if joined.witness == self.witness:
                self.over.set()

    def missing(self) -> Problem | None:
        """What the driver did not find of it."""
        if self.joined is None:
            return self.problem("no task ran on it: Ray does not know it", Fault.ABSENT)
        if not self.told:
            return self.problem("no task ran on it", Fault.LATE)
        if self.joined.processors != self.lease.processors:
            has = f"Ray has {self.joined.processors} processors there, not the {self.lease.processors} booked"
            return self.problem(has, Fault.ABSENT)
        return None

    def problem(self, detail: object, fault: Fault = Fault.OWN) -> Problem:
        return Problem(f"node {self.lease.node}: {one_line(str(detail))}", fault)


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
        secs: float,
        opened: float,
    ) -> Checked | None:
        """The check of leases in the cluster of `head`; None while it goes on, to be asked for again.

        secs: how long it may take. opened: for how many seconds they have been running; the longer that took, the more
        time each has for what is asked of it. It may have been begun for fewer: it tells of which. Raises the head's
        agent's errors.
        """
        cluster, soon = head.cluster, 0.0
        flight, now = self._flights.get(cluster), asyncio.get_running_loop().time()
        if flight is None or flight.about != head.address or now > flight.begun + _GOOD_SECS:
            until, patience = now + secs, max(1.0, opened / _STARTS_SECS)
            members = []
            for lease in leases:
                status = statuses.get(lease.address)
                check = status.check if status is not None else None
                inside = status is not None and status.network is not None
                members.append(_Member(lease, check, inside, booked[str(lease.address)], until, patience))
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
            within = asyncio.get_running_loop().time() + _DRIVER_SECS * max(member.patience for member in members)
            driver = group.create_task(self._hear_all(head, members, min(until, within)))
            ones = [group.create_task(self._one(inspector, member)) for member in members]
        failed = driver.result()
        leading = _leading(head, members)
        if isinstance(failed, AgentError) and leading is None:
            return failed
        results = {member.lease.address: task.result() for member, task in zip(members, ones, strict=True)}
        problems = {address: result for address, result in results.items() if isinstance(result, Problem)}
        # Where no task of a driver's runs on the head itself, nothing is known of the others.
        for member in members if leading is None or leading.told else [leading]:
            missing = member.missing()
            if failed is not None and not member.told:
                # Of the head its own driver tells; of the others the head does, which may lie.
                its_own = isinstance(failed, BadAnswer) and member is leading
                missing = member.problem(failed, Fault.OWN if its_own else Fault.LATE)
            if missing is not None:
                problems.setdefault(member.lease.address, missing)
        findings = {address: result for address, result in results.items() if isinstance(result, Finding)}
        return Checked(problems, findings)

    async def _one(self, inspector: Inspector, member: _Member) -> Finding | Problem:
        """What is found of one member, whatever happens there."""
        try:
            async with asyncio.timeout_at(member.until):
                found = await self._inspect(inspector, member)
        except (Unfit, BadAnswer) as error:
            problem = member.problem(error.detail or error)
        except CheckGoesOn as error:
            problem = member.problem(error, Fault.BUSY)
        except TooLate as error:
            problem = member.problem(error.detail, Fault.LATE)
        except AgentError as error:
            problem = member.problem(error, Fault.LATE)
        except TimeoutError:
            problem = member.problem("the time for the check of its cluster was over", Fault.LATE)
        except Exception as error:
            # Ours, or its doing: the others' checks go on.
            _log.exception("the check of node %s", member.lease.node, extra={"action": "crash"})
            problem = member.problem(f"its check failed: {type(error).__name__}", Fault.LATE)
        else:
            _log.info("node %s: %s", member.lease.node, found.text(), extra={"action": "checked"})
            return found
        member.over.set()
        return problem

    async def _inspect(self, inspector: Inspector, member: _Member) -> Finding:
        lease = member.lease
        report = await self._report(lease, member.booked, _REPORT_SECS * member.patience)
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
                throughput=member.booked.throughput,
                reported=report.devices,
                patience=member.patience,
                through=partial(agent.ports.open, Port.CHECK, str(lease.address)) if member.inside else None,
            )

    async def _report(self, lease: LeaseView, booked: Booked, secs: float) -> Report:
        """The node's report, as long as it is the one that the chain has. Raises Unfit and the agent's errors."""
        try:
            async with asyncio.timeout(secs), self._agent(lease.node) as agent:
                content = await agent.report()
        except TimeoutError:
            raise AgentUnreachable(f"no report within {secs:g} s") from None
        if sha256(content).hexdigest() != booked.report_hash:
            raise Unfit("its report is not the one whose hash is on the chain")
        report = decoded(content, Report)
        if report.fault is not None:
            raise Unfit(report.fault)
        return report

    async def _hear_all(
        self, head: LeaseView, members: Sequence[_Member], until: float
    ) -> AgentError | DriverFailed | None:
        """Hear what tasks tell while members are checked, until all have told or failed. Returns what ended it before.

        Where a driver comes to nothing with all, the head alone is tried: others may have done it.
        """
        clock, leading = asyncio.get_running_loop().time, _leading(head, members)
        if leading is None or len(members) == 1:
            return await self._hear(head, members, until)
        async with asyncio.TaskGroup() as group:
            every = group.create_task(self._hear(head, members, until))
            await asyncio.wait({every}, timeout=_FIRST_PART * (until - clock()))
            if every.done() or leading.over.is_set():
                failed = await every
                if failed is None or leading.over.is_set():
                    return None
            every.cancel()
        return await self._hear(head, [leading], until)

    async def _hear(
        self, head: LeaseView, members: Sequence[_Member], until: float
    ) -> AgentError | DriverFailed | None:
        """A driver's for these members. An error is a value: it does not end the checks."""
        begun, by_lease = asyncio.Event(), {str(member.lease.address): member for member in members}
        all_over = asyncio.gather(*(member.over.wait() for member in members))
        hearing = asyncio.create_task(self._follow(head, by_lease, until, begun))
        both: set[asyncio.Future[Any]] = {hearing, all_over}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return hearing.result() if hearing.done() else None
        finally:
            both.add(begins := asyncio.ensure_future(begun.wait()))
            # A handshake that is broken off leaves its socket open (httpcore2).
            await asyncio.wait({hearing, begins}, timeout=_BEGIN_SECS, return_when=asyncio.FIRST_COMPLETED)
            for future in both:
                future.cancel()
            await asyncio.wait(both)

    async def _follow(
        self, head: LeaseView, members: Mapping[str, _Member], until: float, begun: asyncio.Event
    ) -> AgentError | DriverFailed | None:
        """begun: set with its first words."""
        loop, waits = asyncio.get_running_loop(), None
        known_secs = _KNOWN_SECS * max(member.patience for member in members.values())
        try:
            async with asyncio.timeout_at(until), self._agent(head.node) as agent:
                told = tellings(agent, list(members), until - loop.time())
                async with contextlib.aclosing(told):
                    async for news in told:
                        begun.set()
                        for lease in news.keys() & members.keys():
                            members[lease].hear(news[lease])
                        waits = waits or loop.call_later(known_secs, _give_up, members.values())
        except TimeoutError:
            return None  # who was late is missing among those who told
        except (AgentError, DriverFailed) as error:
            _log.info("node %s: %s", head.node, error, extra={"action": "driver_failed"})
            return error
        except Exception as error:
            _log.exception("the driver on node %s", head.node, extra={"action": "crash"})
            return DriverFailed(type(error).__name__)
        finally:
            if waits is not None:
                waits.cancel()
        return None


def _leading(head: LeaseView, members: Sequence[_Member]) -> _Member | None:
    """The head among them, where it is not accepted yet."""
    return next((member for member in members if member.lease.address == head.address), None)


def _give_up(members: Iterable[_Member]) -> None:
    """Wait no longer for those whom Ray does not know."""
    for member in members:
        if member.joined is None:
            member.over.set()
