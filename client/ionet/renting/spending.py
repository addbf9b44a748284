"""How much of a cluster's budget is used, and who is told when more of it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import InvalidInput, IonetError
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.enums import Currency, LeaseStatus
from ionet.generated.events import ClusterClosed, ClusterOpened
from ionet.renting.names import Named, Names
from ionet.rules.pricing import earned, fee_on
from ionet.webhooks import why_not_taken
from ionet.words import word

LEVELS = (50, 80, 100)
"""Percent of a budget at which is told, unless the renter says otherwise."""
_FOLLOW_SECS = 5.0
_TRANSACTIONS = 256


class Use(msgspec.Struct, frozen=True):
    """Base units. used: settled, or served and not settled yet, with fees; what is still to come is not."""

    currency: str
    budget: int
    used: int

    @property
    def percent(self) -> int:
        return self.used * 100 // self.budget if self.budget else 0


class Spent(msgspec.Struct, frozen=True):
    """What a webhook is told. at: unix seconds. level: the percentage that is reached. used, budget: base units."""

    name: str
    cluster: str
    at: int
    level: int
    currency: str
    used: str
    budget: str


def levels_of(text: str) -> list[int]:
    """Percentages such as `50,80,100`, the least first. Raises InvalidInput."""
    parts = [part.strip().removesuffix("%") for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < int(part[:4]) <= 100 for part in parts):
        raise InvalidInput(f"{text!r} is no list of percentages of the budget, such as 50,80,100")
    return sorted({int(part) for part in parts})


async def use_of(client: Client, cluster: Pubkey) -> Use | None:
    """Of a cluster, open or closed; None where the chain's history does not have it. Raises IonetError."""
    found = await client.find(Cluster, cluster)
    if found is None:
        events = await client.recent_events(cluster, _TRANSACTIONS)
        closed = next((event for event in events if isinstance(event, ClusterClosed)), None)
        opened = next((event for event in events if isinstance(event, ClusterOpened)), None)
        if closed is None or opened is None:
            return None
        return Use(word(Currency, opened.currency), closed.deposit, closed.paid + closed.fees)
    now = await client.rpc.unix_time()
    to_come = sum(_to_come(lease, now) for _, lease in await client.lease.all(cluster=cluster))
    used = found.paid + found.fees + max(found.locked - to_come, 0)
    return Use(word(Currency, found.currency), found.deposit, used)


def _to_come(lease: Lease, now: int) -> int:
    """What a lease locks for time that it has not served yet."""
    if lease.status == LeaseStatus.ACTIVE:
        secs = max(lease.ends_at - max(now, lease.started_at), 0)
    elif lease.status in (LeaseStatus.BOOKED, LeaseStatus.READY):
        return lease.locked
    else:
        return 0
    price = earned(lease.price, lease.processors, secs)
    return min(price + fee_on(price, lease.renter_fee_bps), lease.locked)


def reached(use: Use, levels: Sequence[int], told: int) -> Iterator[int]:
    """The levels above `told` that are used up, the least first."""
    return (level for level in sorted(levels) if told < level <= use.percent)


def line(name: str, use: Use, level: int) -> str:
    return f"{name}: {level} % of its budget is used ({use.used} of {use.budget} base units of {use.currency})"


async def tell(client: Client, names: Names, name: str, named: Named) -> list[str]:
    """Tell what is reached of one cluster and was not told yet; lines of what was told, or why not. Raises IonetError.

    What the webhook does not take is told again at the next look, so a level is told at least once.
    """
    use = await use_of(client, Pubkey.from_string(named.cluster))
    said = list[str]()
    if use is None:
        return said
    for level in reached(use, named.alert_at, named.alerted):
        if named.alert_url:
            body = Spent(name, named.cluster, int(time.time()), level, use.currency, str(use.used), str(use.budget))
            why = await why_not_taken(named.alert_url, msgspec.json.encode(body))
            if why is not None:
                return [*said, f"{name}: its alert is sent later: {why}"]
        names.alerted(name, level)
        said.append(line(name, use, level))
    return said


async def follow(client: Client, cluster: Pubkey, name: str, levels: Sequence[int], say: Callable[[str], None]) -> None:
    """Say when a level is reached, until cancelled, beside a command that somebody watches."""
    told = 0
    while True:
        with contextlib.suppress(IonetError):  # the chain is asked again
            if (use := await use_of(client, cluster)) is not None:
                for level in reached(use, levels, told):
                    say(line(name, use, level))
                    told = level
        await asyncio.sleep(_FOLLOW_SECS)
