"""What a cluster has cost, lease by lease, from the chain's history alone; also of a closed one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import InvalidInput, IonetError, NotFound
from ionet.generated.accounts import Lease
from ionet.generated.enums import Currency, LeaseStatus
from ionet.generated.events import LeaseBooked
from ionet.receipt import Bill, receipt
from ionet.words import word

_AT_ONCE, _MOST_BYTES = 8, 64 * 1024 * 1024


class BillRefused(IonetError):
    """the chain does not have what the receipt says"""

    exit_code = 6


class Cost(msgspec.Struct, frozen=True):
    """Base units. hourly: of what runs now, before the fee. spent: settled so far, with fees. locked: what can still be
    spent at most unless more is booked. until: when the last lease ends, unix seconds; 0 without one.
    """

    cluster: str
    currency: str
    nodes: int
    hourly: str
    spent: str
    locked: str
    free: str
    until: int


async def bills_of(client: Client, cluster: Pubkey) -> list[Bill]:
    """Of every lease that a cluster has booked, in that order. Raises NotFound for a cluster that never was."""
    return await _read(client, await _booked(client, cluster))


async def verify(client: Client, cluster: Pubkey, bills: Sequence[Bill]) -> int:
    """Read each of them again; how many leases the cluster has booked by now, which may be more.

    Raises BillRefused where one says what the chain does not, where one is left out between others, and NotFound. One
    that was made while its lease was open is a beginning of what the chain has by now.
    """
    booked = await _booked(client, cluster)
    for number, said in enumerate(bills):
        if number >= len(booked) or said.lease != str(booked[number]):
            raise BillRefused(f"lease {said.lease} is not number {number + 1} of cluster {cluster}")
    found = await _read(client, booked[: len(bills)])
    for said, now in zip(bills, found, strict=True):
        if said.closed_at is None:
            paid = now.payments[: len(said.payments)]
            lines = {line.interval: line for line in now.lines}
            known = all(_same(line, lines.get(line.interval)) for line in said.lines)
            good = paid == said.payments and known and _fixed(said) == _fixed(now)
        else:
            good = said == now
        if not good:
            raise BillRefused(f"lease {said.lease}")
    return len(booked)


async def _booked(client: Client, cluster: Pubkey) -> list[Pubkey]:
    """The cluster's leases, the first first. Raises NotFound."""
    events = await client.events(cluster)
    if not events:
        raise NotFound(f"cluster {cluster}")
    return [event.lease for event in reversed(events) if isinstance(event, LeaseBooked) and event.cluster == cluster]


def _same(said: object, now: object) -> bool:
    """Whether an interval is what it was, but for what came of it and its payment."""
    if now is None:
        return False
    later = {"challenge": None, "paid_in": None}
    return bool(msgspec.structs.replace(said, **later) == msgspec.structs.replace(now, **later))  # type: ignore[type-var]


def _fixed(bill: Bill) -> tuple[object, ...]:
    return bill.cluster, bill.node, bill.currency, bill.price, bill.processors


def saved(path: Path) -> list[Bill]:
    """What `ionet receipt --json` wrote. Raises InvalidInput."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path} has more than {_MOST_BYTES:,} bytes")
        bills = msgspec.json.decode(path.read_bytes(), type=list[Bill])
        for bill in bills:
            Pubkey.from_string(bill.lease)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInput(f"{path} is no receipt in JSON: {error}") from None
    return bills


async def cost(client: Client, cluster: Pubkey) -> Cost:
    """Of an open cluster. Raises NotFound."""
    found = await client.cluster.get(cluster)
    leases: list[Lease] = [lease for _, lease in await client.lease.all(cluster=cluster)]
    running = [lease for lease in leases if lease.status == LeaseStatus.ACTIVE]
    return Cost(
        str(cluster),
        word(Currency, found.currency),
        len(running),
        str(sum(lease.price * lease.processors for lease in running)),
        str(found.paid + found.fees),
        str(found.locked),
        str(found.deposit - found.paid - found.fees - found.refunded - found.locked),
        max((lease.ends_at for lease in running), default=0),
    )


async def _read(client: Client, leases: Sequence[Pubkey]) -> list[Bill]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def read(lease: Pubkey) -> Bill:
        async with places:
            return await receipt(client, lease)

    return list(await asyncio.gather(*map(read, leases)))
