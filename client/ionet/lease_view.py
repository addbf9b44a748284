"""Reads leases from the chain into the views that agent and launcher act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import RpcError
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.rules.restarts import Moment, caught_up

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
LAST_RESTART = Pubkey.from_string("SysvarLastRestartS1ot1111111111111111111111")
NONE = Pubkey.default()
# getMultipleAccounts takes 100 keys at one slot, two of which tell the time.
MAX_KEYS = 98

T = TypeVar("T")


class LeaseView(Lease, frozen=True, kw_only=True):
    """A lease as read at one slot, with its address and its cluster, which says who may do what.

    Its times are those that its next instruction finds: moved past a halt of the chain it has not seen yet.
    `parent` is None where nobody but the node has to act on the lease any more.
    """

    address: Pubkey
    parent: Cluster | None

    @classmethod
    def of(cls, address: Pubkey, lease: Lease, parent: Cluster | None, at: Moment | None = None) -> LeaseView:
        found = lease if at is None else caught_up(lease, at)
        fields = {name: getattr(found, name) for name in Lease.__struct_fields__}
        return cls(**fields, address=address, parent=parent)

    @property
    def is_head(self) -> bool:
        """Whether it is the cluster's head: the lease accepted first."""
        return self.parent is not None and self.parent.head_lease == self.address

    @property
    def session_key(self) -> Pubkey:
        """The key that challenges this lease; zero when nobody does."""
        return NONE if self.parent is None else self.parent.session_key

    def session_acts(self, key: Pubkey, now: int) -> bool:
        """Whether `key` is the session key, which speaks for the renter until it expires."""
        return self.parent is not None and key == self.parent.session_key and now < self.parent.session_expires_at


class NodeView(msgspec.Struct, frozen=True):
    """A node at one slot: the chain's time, the lease that occupies it, if any, and others that were asked for.

    flags: a set of `NodeFlag`.
    """

    now: int
    slot: int
    lease: LeaseView | None
    flags: int = 0
    others: tuple[LeaseView, ...] = ()
    """A node is free for the next lease as soon as one ends, but the ended one can still be proven and disputed."""

    def find(self, address: Pubkey | str | None) -> LeaseView | None:
        """The lease at an address, if it is on the chain."""
        known = self.others if self.lease is None else (self.lease, *self.others)
        return next((lease for lease in known if str(lease.address) == str(address)), None)


def clock(account: Account | None) -> tuple[int, int]:
    """(unix seconds, slot) of the clock sysvar. Raises RpcError when the node does not have it."""
    if account is None or len(account.data) < 40:
        raise RpcError("the node has no clock")
    return int.from_bytes(account.data[32:40], "little", signed=True), int.from_bytes(account.data[:8], "little")


class Reader:
    """Decodes accounts of the program of `client`, several at one slot."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def snapshot(self, keys: Sequence[Pubkey]) -> tuple[Moment, dict[Pubkey, Account]]:
        """The chain's time, and those of the accounts that exist. At most MAX_KEYS keys."""
        time, restart, *found = await self._client.rpc.accounts([CLOCK, LAST_RESTART, *keys])
        now, slot = clock(time)
        # A node that does not have the sysvar knows of no restart.
        restarted = int.from_bytes(restart.data[:8], "little") if restart is not None else 0
        accounts = {key: item for key, item in zip(keys, found, strict=True) if item is not None}
        return Moment(now, slot, restarted), accounts

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
