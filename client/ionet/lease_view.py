"""Reads leases from the chain into the views that agent and launcher act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from solders.account import Account
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import RpcError
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.rules.lease_time import LeaseStatus, LeaseView

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
NONE = Pubkey.default()
# getMultipleAccounts takes 100 keys at one slot, the clock being one of them.
MAX_KEYS = 99

T = TypeVar("T")


def clock(account: Account | None) -> tuple[int, int]:
    """(unix seconds, slot) of the clock sysvar. Raises RpcError when the node does not have it."""
    if account is None or len(account.data) < 40:
        raise RpcError("the node has no clock")
    return int.from_bytes(account.data[32:40], "little", signed=True), int.from_bytes(account.data[:8], "little")


def lease_view(address: Pubkey, lease: Lease, cluster: Cluster | None) -> LeaseView:
    """The parts of a lease and its cluster that decide who does what when; without the cluster nobody may act."""
    return LeaseView(
        address=address,
        node=lease.node,
        cluster=lease.cluster,
        renter=cluster.renter if cluster else NONE,
        session_key=cluster.session_key if cluster else NONE,
        session_expires_at=cluster.session_expires_at if cluster else 0,
        head_lease=cluster.head_lease if cluster else NONE,
        status=LeaseStatus(lease.status),
        processors=lease.processors,
        ready_by=lease.booked_at + lease.ready_deadline_secs,
        accept_by=lease.ready_at + lease.accept_deadline_secs if lease.ready_at else 0,
        started_at=lease.started_at,
        ends_at=lease.ends_at,
        interval_secs=lease.interval_secs,
        grace_intervals=lease.grace_intervals,
        ring_next=lease.ring_next,
        proof_head=lease.proof_head,
        ring=lease.ring,
        ring_base=lease.ring_base,
        approved_through=lease.approved_through,
        dispute_window_secs=lease.dispute_window_secs,
        dispute_from=lease.dispute_from,
        dispute_to=lease.dispute_to,
        dispute_head=lease.dispute_head,
        disputed_at=lease.disputed_at,
        unchallenged=lease.unchallenged,
        tier1_intervals=lease.tier1_intervals,
    )


class Reader:
    """Decodes accounts of the program of `client`, several at one slot."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def snapshot(self, keys: Sequence[Pubkey]) -> tuple[int, int, dict[Pubkey, Account]]:
        """The chain's time and slot, and those of the accounts that exist. At most MAX_KEYS keys."""
        found = await self._client.rpc.accounts([CLOCK, *keys])
        now, slot = clock(found[0])
        return now, slot, {key: item for key, item in zip(keys, found[1:], strict=True) if item is not None}

    def node(self, accounts: dict[Pubkey, Account], key: Pubkey) -> Node | None:
        return self._decode(accounts.get(key), Node)

    def lease(self, accounts: dict[Pubkey, Account], key: Pubkey) -> Lease | None:
        return self._decode(accounts.get(key), Lease)

    def cluster(self, accounts: dict[Pubkey, Account], key: Pubkey) -> Cluster | None:
        return self._decode(accounts.get(key), Cluster)

    def _decode(self, account: Account | None, kind: type[T]) -> T | None:
        if account is None or account.owner != self._client.program.id:
            return None
        return self._client.program.codec.decode_account(account.data, kind)
