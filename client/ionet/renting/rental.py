"""A rental from the first transaction to the last. The chain tells whoever died in between how far it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.advert import find_agent
from ionet.agent_api import AgentClient
from ionet.agent_delegation import delegate
from ionet.agent_errors import AgentUnreachable
from ionet.client import Client
from ionet.errors import InvalidInput, IonetError
from ionet.generated.accounts import Cluster
from ionet.launcher_api import ENDED, RUNNING, ClusterStatus, LauncherClient, LauncherError, UnknownCluster
from ionet.node_search import Candidate
from ionet.quote import Quote
from ionet.renting.bundle import Job, execution, following
from ionet.renting.hiring import Hired, paid
from ionet.stopping import Step, stop

_SESSION_GRACE_SECS = 24 * 3_600
_LOOK_SECS, _PATIENCE_SECS, _END_LOOK_SECS = 0.25, 60.0, 1.0
# A connection that has lasted longer than a call may was one.
_JOB_PAUSE_SECS, _JOB_CONNECTED_SECS = 1.0, 30.0
JOB_SECS, WATCHED_JOB_SECS = 10.0, 120.0
"""How long an agent that cannot be reached is tried again; the second where it is told meanwhile how the nodes are. An
agent that is started again takes over what runs, and launchers give one that does not answer as long."""
Tell = Callable[[str], None]


class NotEnoughNodes(IonetError):
    """fewer nodes could be booked than were asked for"""

    exit_code = 6


class NeverRan(IonetError):
    """the cluster is over before its meters ran"""

    exit_code = 6


class JobFailed(IonetError):
    """the job could not be followed to its end"""

    exit_code = 4


async def missing_iosd(client: Client, wanted: int) -> tuple[int, int]:
    """IOSD that the wallet lacks for a deposit, and the IO that minting it burns."""
    missing = max(wanted - await client.iosd.balance(), 0)
    return missing, await client.iosd.quote_exact(missing) if missing else 0


async def is_open(client: Client, cluster: Pubkey) -> bool:
    return await client.find(Cluster, cluster) is not None


async def next_cluster(client: Client) -> tuple[int, Pubkey]:
    """Number and address that the wallet's next cluster will have."""
    number = await client.cluster.next_id()
    return number, client.cluster.address(client.address, number)


async def open_for(client: Client, hired: Hired, quote: Quote, number: int, budget: int | None = None) -> None:
    """Open the wallet's cluster of this number, and no other, for the launcher to run, and pay what that gets.

    budget: the quote's total by default. It cannot grow later: extensions and bonds of disputes come out of it.
    """
    until = await client.rpc.unix_time() + quote.duration + _SESSION_GRACE_SECS
    opening = client.cluster.open(
        budget or quote.total,
        currency=quote.currency,
        session_key=hired.session_key,
        session_expires_at=until,
        number=number,
    )
    await paid(client, opening, hired)


async def book(client: Client, cluster: Pubkey, quote: Quote, spares: list[Candidate], tell: Tell) -> None:
    """Book as many nodes as the quote has: its own first, then spares that cost no more. Raises NotEnoughNodes.

    Those that others were quicker to book are left out.
    """
    dearest = max(part.price * part.processors for part in quote.parts)
    like = [Pubkey.from_string(spare.node) for spare in spares if spare.hourly <= dearest]
    wanted, queue = len(quote.nodes), [*quote.nodes, *like]
    limit = max(part.price for part in quote.parts)
    booked: dict[Pubkey, Pubkey] = {}
    while len(booked) < wanted and queue:
        nodes, queue = queue[: wanted - len(booked)], queue[wanted - len(booked) :]
        found = await client.cluster.add_leases(cluster, nodes, duration=quote.duration, max_price=limit)
        booked |= found.leases
        for node, why in found.left_out.items():
            tell(f"node {node} is left out: {why}")
    if len(booked) < wanted:
        raise NotEnoughNodes(f"{len(booked)} of {wanted}")


async def until_running(client: Client, launcher: LauncherClient, cluster: Pubkey, tell: Tell) -> None:
    """Wait until every meter runs. Raises NeverRan with the launcher's reason, or its error when it stays silent."""
    said, silent_since = "", None
    begun = time.monotonic()
    while True:
        now = time.monotonic()
        try:
            status = await launcher.cluster(cluster)
        except (LauncherError, UnknownCluster) as error:
            silent_since = silent_since or now
            if now - silent_since > _PATIENCE_SECS:
                raise
            line = str(error) if isinstance(error, LauncherError) else "the launcher has not seen it yet"
        else:
            silent_since = None
            if status.phase == RUNNING:
                return
            if status.phase in ENDED or not await is_open(client, cluster):
                raise NeverRan(" ".join(part for part in (status.phase, status.reason, status.detail) if part))
            line = _line(status)
        if line != said:
            tell(f"{now - begun:5.1f} s  {line}")
            said = line
        await asyncio.sleep(_LOOK_SECS)


def _line(status: ClusterStatus) -> str:
    nodes = ", ".join(f"{member.node[:6]} {member.phase or member.status}" for member in status.members)
    return "  ".join(part for part in (status.phase, nodes, status.reason, status.detail) if part)


@asynccontextmanager
async def head_of(client: Client, wallet: Keypair, cluster: Pubkey, api: str) -> AsyncIterator[AgentClient]:
    """The agent on the head's node, with a key to which the wallet has delegated."""
    lease = await client.cluster.head(cluster)
    device = (await client.node.get(lease.node)).device_key
    caller = delegate(wallet, cluster, time.time())
    async with AgentClient(await find_agent(api, lease.node), device, caller, node=lease.node) as agent:
        yield agent


async def run_job(
    agent: AgentClient, job: Job, output: Callable[[str], None], *, patience_secs: float = JOB_SECS
) -> int:
    """Begin a job beside the head and hand on what it prints; returns its exit code. Raises JobFailed.

    Where the connection breaks it is followed again, from there on.
    """
    return await _followed(
        agent, lambda at: following(job.name, at, wait=True) if at else job.script, output, patience_secs
    )


async def follow_job(
    agent: AgentClient,
    name: str | None,
    output: Callable[[str], None],
    *,
    wait: bool,
    patience_secs: float = JOB_SECS,
) -> int:
    """Hand on what a job has printed and, with `wait`, will print; its exit code, 0 while it runs. Raises JobFailed.

    name: None for the newest job.
    """
    return await _followed(agent, lambda at: following(name, at, wait=wait), output, patience_secs)


async def _followed(
    agent: AgentClient, script: Callable[[int], bytes], output: Callable[[str], None], patience_secs: float
) -> int:
    """script: what to run, by the bytes of output seen. An agent that cannot be reached is tried again."""
    offset, lost_at = 0, None
    while True:
        began = time.monotonic()
        try:
            async for event in agent.run(script(offset)):
                lost_at = None
                if event.output:
                    offset += len(event.output.encode())
                    output(event.output)
                if event.exit_code is not None:
                    return event.exit_code
            raise AgentUnreachable("its end was not told")
        except AgentUnreachable as error:
            now = time.monotonic()
            if lost_at is None or now - began > _JOB_CONNECTED_SECS:
                lost_at = now
            if now - lost_at > patience_secs:
                raise JobFailed(str(error)) from None
            await asyncio.sleep(_JOB_PAUSE_SECS)


async def execute(agent: AgentClient, commands: Sequence[str], output: Callable[[str], None]) -> int:
    """Run commands where the newest job runs, which end with this; the exit code. Raises JobFailed."""
    try:
        async for event in agent.run(execution(commands)):
            output(event.output or "")
            if event.exit_code is not None:
                return event.exit_code
    except AgentUnreachable as error:
        raise JobFailed(str(error)) from None
    raise JobFailed("its end was not told")


async def end(client: Client, cluster: Pubkey, tell: Tell, *, wait: bool) -> Step:
    """End, settle and close what can be, until it is closed or, without `wait`, once. Raises InvalidInput."""
    found = await client.find(Cluster, cluster)
    if found is None:
        return Step(closed=True)
    if found.renter != client.address:
        raise InvalidInput(f"only its renter may, {found.renter}; the keypair in use is {client.address}")
    settled = set[Pubkey]()
    said = ""
    while True:
        step = await stop(client, cluster, settled)
        if step.closed or not wait:
            return step
        line = next(iter(step.waiting.values()), "")
        if line != said:
            tell(f"waiting: {line}")
            said = line
        await asyncio.sleep(_END_LOOK_SECS)
