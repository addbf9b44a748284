"""Winding a cluster up: ends, settles and closes what can be now, as often as it takes. Every step may be repeated."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import InstructionFailed, NotFound, ProgramError
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.enums import LeaseStatus
from ionet.generated.errors import MissedNotCharged, NothingMissed, NotSettled
from ionet.plan import Plan, Receipt

_READS, _READ_PAUSE_SECS = 10, 0.3


@dataclass
class Step:
    """What one round did. waiting: lease → why it is not closed yet; closed: whether the cluster is gone."""

    receipts: list[Receipt] = field(default_factory=list)
    waiting: dict[Pubkey, str] = field(default_factory=dict)
    closed: bool = False


async def stop(client: Client, cluster: Pubkey, settled: set[Pubkey] | None = None) -> Step:
    """Do what can be done now to close a cluster, as its renter; call it again until `closed`.

    settled: leases of which the time before the dispute window was paid by an earlier call; it grows.

    Running leases are ended, ready ones refused, what is due is paid, what is final is closed. Others may do the same
    at the same time: what they did is not there any more, and that is fine. Raises RpcError, and what the chain says
    when all leases are gone and the cluster cannot be closed.
    """
    step = Step()
    for key, lease in await client.lease.all(cluster=cluster):
        why = await _wind_up(client, key, lease, step, set() if settled is None else settled)
        if why is not None:
            step.waiting[key] = why
    if not step.waiting:
        try:
            step.receipts.append(await client.cluster.close(cluster))
        except (NotFound, InstructionFailed):
            if not await _is_gone(client, Cluster, cluster):
                raise
        step.closed = True
    return step


async def _wind_up(client: Client, key: Pubkey, lease: Lease, step: Step, settled: set[Pubkey]) -> str | None:
    """Bring one lease as far as it goes; why it is not closed, None when it is."""
    try:
        if lease.status == LeaseStatus.BOOKED and (why := await _tried(client.lease.cancel(key), step)):
            return why
        # Too late to refuse, it can be cancelled.
        if lease.status == LeaseStatus.READY and await _tried(client.lease.reject_ready(key), step):
            await _tried(client.lease.cancel(key), step)
        if lease.status == LeaseStatus.ACTIVE:
            await _tried(client.lease.end(key), step)
        return await _close(client, key, step, settled)
    except (NotFound, InstructionFailed):
        # Others closed it between our look and our transaction, of which a program says that an account is too small.
        if not await _is_gone(client, Lease, key):
            raise
        return None


async def _is_gone(client: Client, kind: type[Cluster | Lease], key: Pubkey) -> bool:
    """Whether an account is closed, soon: a transaction is tried on a newer state than what is read."""
    for _ in range(_READS):
        if await client.find(kind, key) is None:
            return True
        await asyncio.sleep(_READ_PAUSE_SECS)
    return False


async def _close(client: Client, key: Pubkey, step: Step, settled: set[Pubkey]) -> str | None:
    """Close a lease, paying and charging first what the program asks for."""
    for _ in range(3):
        try:
            step.receipts.append(await client.lease.close(key))
            return None
        except NotSettled:
            if why := await _tried(client.lease.settle(key), step):
                return why
        except MissedNotCharged:
            if why := await _tried(client.lease.report_missed(key), step, NothingMissed):
                return why
        except ProgramError as refusal:
            # Pay what can be paid already, once; the rest waits for the dispute window.
            if key not in settled:
                settled.add(key)
                await _tried(client.lease.settle(key), step)
            return refusal.message()
    return "more has to be settled"


async def _tried(plan: Plan, step: Step, *fine: type[ProgramError]) -> str | None:
    """Send a plan; why it was refused, None when it was not."""
    try:
        receipt = await plan
    except fine:
        return None
    except ProgramError as refusal:
        return refusal.message()
    if receipt.events:
        step.receipts.append(receipt)
    return None
