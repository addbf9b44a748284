"""What became of a booking, its end, and where a result was computed."""

from __future__ import annotations

from dataclasses import dataclass

from ionet import trace
from ionet.cli import human
from ionet.cli.parsing import DECIMALS
from ionet.errors import IonetError, NotFound
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.enums import Currency
from ionet.generated.enums import LeaseStatus as State
from ionet.generated.events import ClusterClosed
from ionet.launcher_api import ClusterStatus, LauncherClient, LauncherError, UnknownCluster
from ionet.stopping import stop
from ionet.words import word
from solders.pubkey import Pubkey

from ionet_mcp import answers
from ionet_mcp.desk import Desk


class NotOurs(IonetError):
    """this cluster was not booked here, so it is not ended here"""


@dataclass
class Ending:
    """Leases of which the time before the dispute window was paid by an earlier call of `end`."""

    settled: set[Pubkey]


async def status(desk: Desk, key: Pubkey) -> answers.Status:
    """The chain's word on leases and money, the launcher's on the phase. Raises NotFound for what never was there."""
    cluster = await desk.client.find(Cluster, key)
    if cluster is None and desk.ledger.find(str(key)) is None:
        raise NotFound(f"cluster {key}")
    await desk.reconcile()
    leases = [] if cluster is None else await desk.client.lease.all(cluster=key)
    said = await _told(desk, key)
    token = "IOSD" if cluster is None else word(Currency, cluster.currency)
    return answers.Status(
        cluster=str(key),
        open=cluster is not None,
        phase=None if said is None else said.phase,
        reason=None if said is None else said.reason or None,
        leases=[_lease(address, lease, token) for address, lease in leases],
        money={} if cluster is None else _money(cluster, token),
        left_to_spend=human.dollars(desk.ledger.left()),
    )


async def end(desk: Desk, key: Pubkey, ending: Ending) -> answers.Ended:
    """One round of ending, settling and closing. Raises NotOurs for a cluster that this ledger does not have."""
    booking = desk.ledger.find(str(key))
    if booking is None:
        raise NotOurs
    try:
        step = await stop(desk.client, key, ending.settled)
    except NotFound:
        await desk.reconcile()
        return answers.Ended(str(key), True, None)
    if not step.closed:
        return answers.Ended(str(key), False, None, {str(lease): why for lease, why in step.waiting.items()})
    closed = step.receipts[-1].event(ClusterClosed)
    desk.ledger.closed(str(key), closed.deposit - closed.refunded)
    return answers.Ended(str(key), True, human.dollars(closed.refunded))


async def traced(desk: Desk, result: bytes) -> answers.Trace:
    """Every place where the result was computed, each checked against the chain. Raises NotTraced, TraceRefused."""
    found = await trace.fetch(desk.api, result)
    for item in found:
        await trace.verify(desk.client, item, result)
    return answers.Trace([_traced(item) for item in found])


def purse(desk: Desk) -> answers.Purse:
    spent, limits = desk.ledger.spent(), desk.ledger.limits
    return answers.Purse(
        in_session=human.dollars(spent.session),
        session_limit=human.dollars(limits.session),
        in_all=human.dollars(spent.total),
        limit=human.dollars(limits.total),
        left_to_spend=human.dollars(desk.ledger.left()),
        open_clusters=[booking.cluster for booking in desk.ledger.open_bookings()],
    )


async def _told(desk: Desk, key: Pubkey) -> ClusterStatus | None:
    """What the launcher says; None without one, and where it does not answer or does not know the cluster."""
    if desk.launcher is None:
        return None
    try:
        async with LauncherClient(desk.launcher) as asked:
            return await asked.cluster(key)
    except (LauncherError, UnknownCluster):
        return None


def _lease(address: Pubkey, lease: Lease, token: str) -> answers.LeaseStatus:
    state = word(State, lease.status)
    return answers.LeaseStatus(
        str(address), str(lease.node), state, lease.ends_at or None, human.money(lease.paid, token)
    )


def _money(cluster: Cluster, token: str) -> dict[str, str]:
    names = ("deposit", "locked", "paid", "fees", "refunded")
    return {name: human.money(getattr(cluster, name), token) for name in names}


def _traced(item: trace.Occurrence) -> answers.Traced:
    cost = human.money(int(item.amount), item.currency) if item.currency in DECIMALS else item.amount
    return answers.Traced(
        node=item.node,
        owner=item.owner,
        lease=item.lease,
        interval=item.interval,
        started_at=item.interval_start,
        served_secs=item.proof.served_secs,
        cost=cost,
        proof=item.proof.signature,
        paid_in=None if item.settlement is None else item.settlement.signature,
    )
