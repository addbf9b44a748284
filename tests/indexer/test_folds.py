"""Folds of events that no recorded story has: restarts of the chain, and vaults that the issuer froze."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ionet.generated import events, pdas
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Event, position
from ionet_indexer.core.view import FoldError, View
from ionet_indexer.topics.clusters import Cluster
from ionet_indexer.topics.fold import apply
from ionet_indexer.topics.leases import Lease, LeaseWork
from ionet_indexer.topics.nodes import IncomeBooks, Node
from ionet_indexer.topics.owed import Owed
from solders.pubkey import Pubkey

LEASE, NODE, CLUSTER, WALLET = (Pubkey.from_bytes(bytes([number] * 32)) for number in range(1, 5))
IOSD = pdas.iosd_mint(PROGRAM.id)
STARTED, ENDS = 1_000, 1_060
ZERO: dict[str, Any] = {"Pubkey": WALLET, "bytes": bytes(32), "bool": False}


def event(kind: type[Any], **fields: Any) -> Event:
    """An event with these fields; the others are zero."""
    rest = {name: ZERO.get(str(kind.__annotations__[name]), 0) for name in kind.__struct_fields__}
    known = {name: value for name, value in _ENTITIES.items() if name in rest}
    return Event(position(9, 0, 0, 0), "signature", 0, 0, 9, 0, b"", kind(**{**rest, **known, **fields}))


_ENTITIES = {"lease": LEASE, "node": NODE, "cluster": CLUSTER}


def zero(kind: type[Any], **fields: Any) -> Any:
    """A row with these columns; others without a default are empty."""
    empty = {"str": "", "int": 0, "Amount": 0}
    required = {each.name for each in msgspec.structs.fields(kind) if each.required}
    rest = {name: empty.get(str(kind.__annotations__[name])) for name in required}
    return kind(**{**rest, **fields})


@pytest.fixture
def view() -> View:
    """A running lease of a node that shares income in IOSD."""
    found = View(PROGRAM.codec)
    keys = {"lease": str(LEASE), "node": str(NODE), "cluster": str(CLUSTER)}
    found.put(zero(Lease, **keys, status="active", started_at=STARTED, ends_at=ENDS, duration=60, locked=10_000))
    found.put(zero(LeaseWork, **keys, status="active", ends_at=ENDS))
    found.put(zero(Node, node=str(NODE), income=[IncomeBooks(currency="IOSD", vault="vault")]))
    found.put(zero(Cluster, cluster=str(CLUSTER), currency="IOSD"))
    return found


def times(view: View) -> tuple[int | None, int | None, int]:
    """Start, end, and by how much they were moved; the launcher must see the same end."""
    row = view.get(Lease, str(LEASE))
    assert view.get(LeaseWork, str(LEASE)).ends_at == row.ends_at
    return row.started_at, row.ends_at, row.moved_secs


def test_a_proof_after_a_restart_moves_the_lease(view: View) -> None:
    for moved in (500, 500, 700):  # a second restart adds its own
        apply(view, event(events.ProofAppended, moved_secs=moved))
    assert times(view) == (STARTED + 700, ENDS + 700, 700)


def test_an_end_after_a_restart_moves_the_lease(view: View) -> None:
    apply(view, event(events.LeaseEnded, reason=2, ends_at_before=ENDS + 500, ends_at=STARTED + 520))
    assert times(view) == (STARTED + 500, STARTED + 520, 500)


def test_an_extension_after_a_restart_moves_the_lease(view: View) -> None:
    apply(view, event(events.LeaseExtended, duration_before=60, duration=90, ends_at=ENDS + 500 + 30))
    assert times(view) == (STARTED + 500, ENDS + 530, 500)


def test_without_a_restart_nothing_moves(view: View) -> None:
    apply(view, event(events.ProofAppended))
    apply(view, event(events.LeaseExtended, duration_before=60, duration=90, ends_at=ENDS + 30))
    apply(view, event(events.LeaseEnded, reason=1, ends_at_before=ENDS + 30, ends_at=ENDS + 30))
    assert times(view) == (STARTED, ENDS + 30, 0)


def test_a_proof_leaves_the_launchers_row_alone(view: View) -> None:
    """Otherwise every proof would wake every launcher."""
    before = msgspec.structs.replace(view.get(LeaseWork, str(LEASE)))
    apply(view, event(events.ProofAppended))
    assert view.get(LeaseWork, str(LEASE)) == before


def owed(view: View) -> list[tuple[str, str, int, str | None, str | None]]:
    return [
        (each.owner, each.kind, each.amount, each.reason, each.source) for each in view.facts if isinstance(each, Owed)
    ]


def test_income_that_a_frozen_vault_cannot_receive_waits_for_the_node(view: View) -> None:
    shared = event(events.IncomeShared, mint=IOSD, amount=900, to_co_stakers=300, owed=True, co_income_after=300)
    apply(view, shared)
    apply(view, event(events.OwedClaimed, owner=NODE, mint=IOSD, amount=300))
    assert owed(view) == [
        (str(NODE), "owed", 300, "income", str(LEASE)),
        (str(NODE), "claimed", 300, None, None),
    ]
    assert view.get(Node, str(NODE)).income[0].unclaimed == 300


NETWORK = str(pdas.network(PROGRAM.id))


def test_fees_that_the_frozen_vault_cannot_receive_wait_for_the_network(view: View) -> None:
    """Beside a refund that waits for the renter: two of one event."""
    apply(view, event(events.ClusterClosed, renter=WALLET, refund=70, owed=True, fees=20, surplus=3, fees_owed=23))
    apply(view, event(events.OwedClaimed, owner=pdas.network(PROGRAM.id), mint=IOSD, amount=23))
    assert owed(view) == [
        (str(WALLET), "owed", 70, "refund", str(CLUSTER)),
        (NETWORK, "owed", 23, "fees", str(CLUSTER)),
        (NETWORK, "claimed", 23, None, None),
    ]


def test_what_was_left_of_an_income_vault_waits_for_the_network(view: View) -> None:
    apply(view, event(events.IncomeVaultClosed, mint=IOSD, surplus=6, fees_owed=6))
    assert owed(view) == [(NETWORK, "owed", 6, "fees", str(NODE))]


def test_fees_that_arrived_wait_for_nobody(view: View) -> None:
    apply(view, event(events.ClusterClosed, fees=20, surplus=3))
    apply(view, event(events.IncomeVaultClosed, mint=IOSD, surplus=6))
    assert owed(view) == []


def test_a_payout_is_owed_what_stakers_did_not_get(view: View) -> None:
    settled = event(
        events.LeaseSettled, paid=2_000, supplier_amount=1_990, to_stakers=300, bond_paid=7, burned=50, owed=True
    )
    apply(view, settled)
    assert owed(view) == [(str(WALLET), "owed", 1_990 - 300 + 7, "payment", str(LEASE))]
    assert view.get(Lease, str(LEASE)).locked == 10_000 - 2_000 - 50
    assert view.get(Cluster, str(CLUSTER)).burned == 50


def test_income_without_a_vault_is_refused(view: View) -> None:
    with pytest.raises(FoldError, match="never opened an income vault for IO"):
        apply(view, event(events.IncomeShared, mint=pdas.io_mint(PROGRAM.id), amount=1))


@pytest.mark.parametrize(("at", "shares"), [(499, (5_000, 2_000)), (500, (1_000, 500))])
def test_a_booking_binds_terms_for_co_stakers_that_fell_due(view: View, at: int, shares: tuple[int, int]) -> None:
    node = view.get(Node, str(NODE))
    node.co_share_bps, node.income_share_bps = 5_000, 2_000
    node.pending_co_share_bps, node.pending_income_share_bps, node.pending_co_share_at = 1_000, 500, 500
    apply(view, event(events.LeaseBooked, at=at))
    assert (node.co_share_bps, node.income_share_bps) == shares
    assert node.pending_co_share_at == (500 if at < 500 else None)
