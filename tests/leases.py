"""Leases as agent and launcher see them, made up field by field."""

from __future__ import annotations

from typing import Any

import msgspec
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import NONE, LeaseView
from solders.keypair import Keypair
from solders.pubkey import Pubkey

SESSION, RENTER, DEVICE = (Keypair.from_seed(bytes([number] * 32)) for number in (1, 2, 6))
LEASE, NODE, CLUSTER = (Pubkey.from_bytes(bytes([number] * 32)) for number in (3, 4, 5))
_ZERO = {"Pubkey": NONE, "bytes": bytes(32), "tuple[u32, ...]": (0,) * 16, "tuple[u16, ...]": (0,) * 4}


def lease_view(**changes: Any) -> LeaseView:
    """A booked lease of a head with ten intervals of 10 s; changes to fields of the lease or of its cluster."""
    parent = {name: changes.pop(name) for name in Cluster.__struct_fields__ if name in changes and name in _PARENT}
    return LeaseView(**{**_zero(Lease), **_BOOKED, "address": LEASE, "parent": cluster(**parent), **changes})


def cluster(**changes: Any) -> Cluster:
    """The cluster of such a lease."""
    return Cluster(**{**_zero(Cluster), **_PARENT, **changes})


_PARENT: dict[str, object] = {
    "renter": RENTER.pubkey(),
    "session_key": SESSION.pubkey(),
    "session_expires_at": 2**40,
    "head_lease": LEASE,
}
_BOOKED: dict[str, object] = {
    "node": NODE,
    "cluster": CLUSTER,
    "status": LeaseStatus.BOOKED,
    "processors": 2,
    "ready_deadline_secs": 2**31,
    "interval_secs": 10,
    "grace_intervals": 1,
}


def _zero(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {name: _ZERO.get(str(kind.__annotations__[name]), 0) for name in kind.__struct_fields__}
