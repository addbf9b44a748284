"""More time for all nodes of a cluster, and what it costs, before it is asked for."""

from __future__ import annotations

import msgspec
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import InvalidInput, NoHead
from ionet.generated.accounts import Lease
from ionet.generated.enums import Currency, LeaseStatus
from ionet.plan import Plan, Receipt
from ionet.rules.pricing import earned, fee_on
from ionet.words import word

_SESSION_GRACE_SECS = 24 * 3_600


class BudgetTooSmall(InvalidInput):
    """the cluster's budget does not reach"""


class Extension(msgspec.Struct, frozen=True):
    """until: when the last lease ends then, unix seconds. cost: base units at most, with fees; free: of the budget."""

    cluster: Pubkey
    leases: tuple[Pubkey, ...]
    secs: int
    until: int
    cost: int
    free: int
    currency: str

    def plans(self, client: Client) -> list[Plan]:
        """That add the time to each lease."""
        return [client.lease.extend(lease, self.secs) for lease in self.leases]

    async def send(self, client: Client) -> list[Receipt]:
        """Add the time, in as few transactions as fit; the launcher's key goes on for as long."""
        found = await client.cluster.get(self.cluster)
        plans = self.plans(client)
        key_until = self.until + _SESSION_GRACE_SECS
        if found.session_key != Pubkey.default() and found.session_expires_at < key_until:
            plans.append(client.cluster.change_session_key(self.cluster, expires_at=key_until))
        instructions: list[Instruction] = [each for plan in plans for each in await plan.instructions()]
        return await client.send_all(instructions)


async def extension(client: Client, cluster: Pubkey, secs: int) -> Extension:
    """What it would be; nothing is sent. Raises NoHead where nothing runs."""
    found = await client.cluster.get(cluster)
    leases = [(key, each) for key, each in await client.lease.all(cluster=cluster) if each.status == LeaseStatus.ACTIVE]
    if not leases:
        raise NoHead
    return Extension(
        cluster,
        tuple(key for key, _ in leases),
        secs,
        max(lease.ends_at for _, lease in leases) + secs,
        sum(_with_fee(lease, lease.duration + secs) - _with_fee(lease, lease.duration) for _, lease in leases),
        found.deposit - found.paid - found.fees - found.refunded - found.locked,
        word(Currency, found.currency),
    )


def _with_fee(lease: Lease, secs: int) -> int:
    rent = earned(lease.price, lease.processors, secs)
    return rent + fee_on(rent, lease.renter_fee_bps)
