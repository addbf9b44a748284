"""The lists of the API, in terms of the tables of migrations/0002_tables.sql."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ionet_indexer.api import models
from ionet_indexer.api.lists import Listing, Order

T = TypeVar("T", bound=msgspec.Struct)

_SLOT = "(t.position >> 30)"  # see decode.position
REQUIRED_STAKE = "ceil(p.stake_per_processor * greatest(m.multiplier, 100) * t.processors / 100)"
HIREABLE = f"(t.flags = 0 AND t.current_lease IS NULL AND t.bonded >= {REQUIRED_STAKE})"
NODES_SOURCE = "nodes t LEFT JOIN models m ON m.code = t.model LEFT JOIN parameters p ON true"
# Worth of shares as the program computes it (state/pool.rs): virtual shares and assets, rounded down.
_WORTH = """CASE WHEN t.era = n.bonded_era
    THEN least(div(t.shares * (n.bonded + 1), n.bonded_shares + 1000), n.bonded) ELSE 0 END"""
_TICKETS = """(SELECT coalesce(json_agg(json_build_object('ticket', x.ticket, 'amount', x.amount::text,
    'matures_at', x.matures_at) ORDER BY x.ticket), '[]')
    FROM json_to_recordset(t.tickets) AS x(ticket integer, amount numeric, matures_at bigint))"""


def _words(column: str, names: dict[int, str]) -> str:
    """SQL for the words of a set of bits."""
    cases = ", ".join(f"CASE WHEN {column} & {bit} <> 0 THEN '{name}' END" for bit, name in names.items())
    return f"array_remove(ARRAY[{cases}], NULL)"


def _by(*columns: str) -> dict[str, str]:
    return {column: f"t.{column} = {{0}}" for column in columns}


def _facts(
    table: str, out: type[T], filters: dict[str, str], computed: dict[str, str] | None = None, join: str = ""
) -> Listing[T]:
    """A list of facts with their transaction, newest first."""
    return Listing(
        name=table,
        out=out,
        source=f"{table} t JOIN events e USING (position) {join}",
        order=(Order("id", "t.position", "bigint"),),
        key="t.position::text",
        filters=filters,
        computed={"id": "t.position::text", "slot": _SLOT, "signature": "e.signature", **(computed or {})},
        newest_first=True,
    )


NODES = Listing(
    name="nodes",
    out=models.Node,
    source=NODES_SOURCE,
    order=(Order("price", "t.price", "numeric"), Order("node", "t.node", "text")),
    key="t.node",
    filters={
        **_by("country", "tier", "owner"),
        "model": "(m.code::text = {0} OR lower(m.name) = lower({0}))",
        "max_price": "t.price <= {0}",
        "min_processors": "t.processors >= {0}",
        "hireable": f"coalesce({HIREABLE}, false) = {{0}}",
    },
    computed={
        "slot": _SLOT,
        "model_name": "m.name",
        "currencies": _words("t.currencies", {1: "IOSD", 2: "USDC", 4: "IO"}),
        "flags": _words("t.flags", {1: "paused", 2: "retired", 4: "blocked", 8: "frozen"}),
        "required_stake": REQUIRED_STAKE,
        "hireable": HIREABLE,
    },
)
MODELS = Listing(
    name="models",
    out=models.Model,
    source="models t",
    order=(Order("code", "t.code", "bigint"),),
    key="t.model",
    filters=_by("kind", "pool"),
    computed={"nodes": "(SELECT count(*) FROM nodes n WHERE n.model = t.code)"},
)
CLUSTERS = Listing(
    name="clusters",
    out=models.Cluster,
    source="clusters t",
    order=(Order("opened_at", "t.opened_at", "bigint"), Order("cluster", "t.cluster", "text")),
    key="t.cluster",
    filters=_by("renter", "status"),
    computed={"slot": _SLOT, "escrow": "t.deposit - t.paid - t.fees - t.refunded"},
    newest_first=True,
)
LEASES = Listing(
    name="leases",
    out=models.Lease,
    source="leases t",
    order=(Order("booked_at", "t.booked_at", "bigint"), Order("lease", "t.lease", "text")),
    key="t.lease",
    filters=_by("node", "cluster", "status"),
    computed={"slot": _SLOT},
    newest_first=True,
)
STAKES = Listing(
    name="stakes",
    out=models.Stake,
    source="positions t JOIN nodes n ON n.node = t.node",
    order=(Order("position", "t.staker_position", "text"),),
    key="t.staker_position",
    filters=_by("node", "staker"),
    computed={"position": "t.staker_position", "slot": _SLOT, "bonded": _WORTH, "tickets": _TICKETS},
    json={"tickets": list[models.Ticket]},
)
PROOFS = _facts(
    "proofs",
    models.Proof,
    _by("lease", "node", "interval"),
    {"leaves": "s.leaves"},
    "LEFT JOIN leaf_sets s ON s.lease = t.lease AND s.interval = t.interval AND s.root = t.root",
)
PAYMENTS = _facts("payments", models.Payment, _by("lease", "node", "cluster"))
STAKE_MOVES = _facts("stake_moves", models.StakeMove, _by("node", "staker", "kind"), {"position": "t.staker_position"})
SLASHES = _facts("slashes", models.Slash, _by("node", "lease", "reason"))
MINTS = _facts("mints", models.Mint, _by("wallet"))
BURNS = _facts("burns", models.Burn, _by("mint"))
