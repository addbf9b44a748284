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
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from ionet.agent_api import AgentClient, Status
from ionet.agent_errors import AgentError, AgentUnreachable
from ionet.check.report import Report
from ionet.check.wire import CheckGoesOn
from ionet.lease_view import LeaseView
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.inspection import Finding, Inspector, Unfit
from ionet_launcher.ray_driver import DriverFailed, Joined, joined
from ionet_launcher.store import Booked

# An outcome that nobody has asked for until then says nothing about members that may have started again.
_GOOD_SECS = 120.0
_VERIFIED_AT_ONCE = 2
_MAX_REPORT, _REPORT_SECS = 256 * 1024, 10.0
_log = logging.getLogger(__name__)


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
    """By lease: what is wrong, and what was found."""

    problems: dict[Pubkey, Problem]
    findings: dict[Pubkey, Finding]


@dataclass(frozen=True)
class _Running:
    """A check of these leases that goes on, or whose outcome nobody has asked for yet."""

    asked: frozenset[Pubkey]
    task: asyncio.Task[Checked | AgentError]
    begun: float


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
        self._running: dict[Pubkey, _Running] = {}

    async def aclose(self) -> None:
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def check(
        self,
        head: LeaseView,
        leases: Sequence[LeaseView],
        statuses: Mapping[Pubkey, Status],
        booked: Mapping[str, Booked],
    ) -> Checked | None:
        """The check of these leases in the cluster of `head`; None while it goes on, to be asked for again.

        Raises the head's agent's errors.
        """
        cluster, asked = head.cluster, frozenset(lease.address for lease in (head, *leases))
        running = self._running.get(cluster)
        soon = 0.0
        if running is None or running.asked != asked or time.monotonic() > running.begun + _GOOD_SECS:
            if running is not None:
                running.task.cancel()
            task = asyncio.create_task(self._check(head, leases, statuses, booked))
            self._running[cluster] = running = _Running(asked, task, time.monotonic())
            soon = self._soon_secs  # only the step that begins it waits
        await asyncio.wait([running.task], timeout=soon)
        if not running.task.done():
            return None
        del self._running[cluster]
        checked = running.task.result()
        if isinstance(checked, AgentError):
            raise checked
        return checked

    async def _check(
        self,
        head: LeaseView,
        leases: Sequence[LeaseView],
        statuses: Mapping[Pubkey, Status],
        booked: Mapping[str, Booked],
    ) -> Checked | AgentError:
        inspector = Inspector(ClusterSecrets(self._session.secret(), bytes(head.cluster)), self._verifying)
        witnesses = {lease.address: secrets.token_hex(16) for lease in leases}
        told = {lease.address: asyncio.Event() for lease in leases}

        async def one(lease: LeaseView) -> Finding | Problem:
            address, status = lease.address, statuses.get(lease.address)
            check = status.check if status is not None else None
            try:
                return await self._one(inspector, lease, check, booked[str(address)], witnesses[address], told[address])
            finally:
                told[address].set()

        async def joining() -> dict[str, Joined] | AgentError | DriverFailed:
            """An error as a value, so that it does not end the checks beside it."""
            await asyncio.gather(*(event.wait() for event in told.values()))
            try:
                return await self._joined(head, leases)
            except (AgentError, DriverFailed) as error:
                return error

        async with asyncio.TaskGroup() as group:
            whole = group.create_task(joining())
            ones = [group.create_task(one(lease)) for lease in leases]
        found = whole.result()
        if isinstance(found, AgentError) and head not in leases:
            return found
        results = {lease.address: task.result() for lease, task in zip(leases, ones, strict=True)}
        problems = {address: result for address, result in results.items() if isinstance(result, Problem)}
        if not isinstance(found, dict) and head in leases:
            # No driver came to an answer there: that tells nothing of the others.
            problems.setdefault(head.address, Problem(f"node {head.node}: {found}", absent=True))
        else:
            known = found if isinstance(found, dict) else {}
            for lease in leases:
                missing = _missing(lease, known.get(str(lease.address)), witnesses[lease.address])
                if missing is not None:
                    # Of the head its own driver tells; of the others the head does.
                    problems.setdefault(lease.address, Problem(f"node {lease.node}: {missing}", absent=True))
        findings = {address: result for address, result in results.items() if isinstance(result, Finding)}
        return Checked(problems, findings)

    async def _one(
        self,
        inspector: Inspector,
        lease: LeaseView,
        check: str | None,
        booked: Booked,
        witness: str,
        told: asyncio.Event,
    ) -> Finding | Problem:
        try:
            report = await self._report(lease, booked)
            if self._devices and len(report.devices) < lease.processors:
                raise Unfit(f"its system shows {len(report.devices)} devices, {lease.processors} were booked")
            if check is None:
                raise Unfit("its agent names no address for the check")
            found = await inspector.inspect(
                check,
                lease.node,
                lease.processors,
                witness=witness,
                told=told,
                throughput=booked.throughput,
                reported=report.devices,
            )
        except Unfit as error:
            return Problem(f"node {lease.node}: {error.detail}")
        except CheckGoesOn as error:
            return Problem(f"node {lease.node}: {error}", busy=True)
        except AgentError as error:
            return Problem(f"node {lease.node}: {error}", absent=True)
        _log.info("node %s: %s", lease.node, found.text(), extra={"action": "checked"})
        return found

    async def _report(self, lease: LeaseView, booked: Booked) -> Report:
        """The node's report, as long as it is the one that the chain has. Raises Unfit and the agent's errors."""
        try:
            async with asyncio.timeout(_REPORT_SECS), self._agent(lease.node) as agent:
                content = await agent.report()
        except TimeoutError:
            raise AgentUnreachable(f"no report within {_REPORT_SECS:g} s") from None
        if len(content) > _MAX_REPORT:
            raise Unfit("its report is too long")
        if sha256(content).hexdigest() != booked.report_hash:
            raise Unfit("its report is not the one whose hash is on the chain")
        try:
            report = msgspec.json.decode(content, type=Report)
        except msgspec.DecodeError as error:
            raise Unfit(f"its report cannot be understood: {error}") from None
        if report.fault is not None:
            raise Unfit(report.fault[:300])
        return report

    async def _joined(self, head: LeaseView, leases: Sequence[LeaseView]) -> dict[str, Joined]:
        """What tasks told, by lease. Where a driver fails with all, the head alone is tried: others may have done it.

        Raises DriverFailed, and the head's agent's errors.
        """
        every, alone = [str(lease.address) for lease in leases], [str(head.address)]
        async with self._agent(head.node) as agent:
            try:
                return await joined(agent, every)
            except DriverFailed as error:
                _log.info("node %s: %s", head.node, error, extra={"action": "driver_failed"})
                if every == alone:
                    raise
            return await joined(agent, alone)


def _missing(lease: LeaseView, told: Joined | None, witness: str) -> str | None:
    if told is None or told.witness != witness:
        return "no task ran on it"
    if told.processors != lease.processors:
        return f"Ray has {told.processors} processors there, not the {lease.processors} booked"
    return None
