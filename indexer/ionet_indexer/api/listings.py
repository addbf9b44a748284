"""The lists of the API, in terms of the tables of migrations/0002_tables.sql."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ionet_indexer.api import facts, models
from ionet_indexer.api.lists import Listing, Order

T = TypeVar("T", bound=msgspec.Struct)

_SLOT = "(t.position >> 30)"  # see decode.position
REQUIRED_STAKE = "ceil(p.stake_per_processor * greatest(m.multiplier, 100) * t.processors / 100)"
# Worth of shares as the program computes it (state/pool.rs): virtual shares and assets, rounded down.
_OWNER_BONDED = """(CASE WHEN t.owner_bonded_shares > 0 AND t.owner_bonded_shares = t.bonded_shares THEN t.bonded
    ELSE least(div(t.owner_bonded_shares * (t.bonded + 1), t.bonded_shares + 1000), t.bonded) END)"""
# Co-stake counts up to its part of the whole (state/rewards.rs).
COUNTED_STAKE = f"""({_OWNER_BONDED} + least(t.bonded - {_OWNER_BONDED},
    div({_OWNER_BONDED} * p.co_stake_max_percent, 100 - p.co_stake_max_percent)))"""
HIREABLE = f"(t.flags = 0 AND t.current_lease IS NULL AND m.enabled AND {COUNTED_STAKE} >= {REQUIRED_STAKE})"
NODES_SOURCE = "nodes t LEFT JOIN models m ON m.code = t.model LEFT JOIN current_parameters p ON true"
_WORTH = """CASE WHEN t.era = n.bonded_era
    THEN least(div(t.shares * (n.bonded + 1), n.bonded_shares + 1000), n.bonded) ELSE 0 END"""
_IS_OWNER = "(t.staker = n.owner)"
_REWARDS = f"""CASE WHEN {_IS_OWNER} THEN n.owner_rewards ELSE t.rewards + CASE WHEN t.era = n.bonded_era
    THEN div(t.shares * (n.reward_per_share - t.reward_debt), 18446744073709551616) ELSE 0 END END"""
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
    table: str,
    out: type[T],
    filters: dict[str, str],
    computed: dict[str, str] | None = None,
    join: str = "",
    json: dict[str, Any] | None = None,
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
        json=json or {},
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
        "owner_bonded": _OWNER_BONDED,
        "counted_stake": COUNTED_STAKE,
        "pending_co_share_bps": "CASE WHEN t.pending_co_share_at IS NOT NULL THEN t.pending_co_share_bps END",
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
    filters=_by("renter", "status", "currency"),
    computed={"slot": _SLOT, "escrow": "t.deposit - t.paid - t.fees - t.refunded"},
    newest_first=True,
)
LEASES = Listing(
    name="leases",
    out=models.Lease,
    source="leases t JOIN clusters c ON c.cluster = t.cluster",
    order=(Order("booked_at", "t.booked_at", "bigint"), Order("lease", "t.lease", "text")),
    key="t.lease",
    filters={
        **_by("node", "cluster", "status"),
        "currency": "c.currency = {0}",
        "disputed": "(t.dispute_to IS NOT NULL) = {0}",
    },
    computed={"slot": _SLOT, "currency": "c.currency"},
    newest_first=True,
)
STAKES = Listing(
    name="stakes",
    out=models.Stake,
    source="positions t JOIN nodes n ON n.node = t.node",
    order=(Order("position", "t.staker_position", "text"),),
    key="t.staker_position",
    filters={**_by("node", "staker"), "owner": f"{_IS_OWNER} = {{0}}"},
    computed={
        "position": "t.staker_position",
        "slot": _SLOT,
        "bonded": _WORTH,
        "owner": _IS_OWNER,
        "rewards": _REWARDS,
        "tickets": _TICKETS,
    },
    json={"tickets": list[models.Ticket]},
)
CASES = Listing(
    name="cases",
    out=models.Case,
    source="cases t",
    order=(Order("opened_at", "t.opened_at", "bigint"), Order("case", "t.case_account", "text")),
    key="t.case_account",
    filters=_by("node", "status"),
    computed={
        "case": "t.case_account",
        "slot": _SLOT,
        # The slash of a decision stands in the transaction of the decision, the row's last event.
        "slashed": """(SELECT coalesce(sum(s.amount), 0) FROM slashes s WHERE s.node = t.node AND s.reason = 'case'
            AND t.decided_at IS NOT NULL AND s.position >> 14 = t.position >> 14)""",
    },
    newest_first=True,
)
OWED_BALANCES = Listing(
    name="owed_balances",
    out=models.OwedBalance,
    source="owed_balances t",
    order=(Order("owner", "t.owner", "text"), Order("currency", "t.currency", "text")),
    key="t.owner",
    filters=_by("owner", "currency"),
    computed={"slot": _SLOT},
)
PROOFS = _facts(
    "proofs",
    facts.Proof,
    _by("lease", "node", "interval"),
    {"leaves": "s.leaves"},
    "LEFT JOIN leaf_sets s ON s.lease = t.lease AND s.interval = t.interval AND s.root = t.root",
)
_CURRENCY = {"currency": "c.currency"}
_CLUSTER = "JOIN clusters c ON c.cluster = t.cluster"
PAYMENTS = _facts(
    "payments",
    facts.Payment,
    {**_by("lease", "node", "cluster"), "currency": "c.currency = {0}"},
    _CURRENCY,
    _CLUSTER,
)
STAKE_MOVES = _facts("stake_moves", facts.StakeMove, _by("node", "staker", "kind"), {"position": "t.staker_position"})
SLASHES = _facts("slashes", facts.Slash, _by("node", "lease", "reason"))
MINTS = _facts("mints", facts.Mint, _by("wallet"))
BURNS = _facts("burns", facts.Burn, _by("mint"))
APPROVALS = _facts("approvals", facts.Approval, _by("lease", "node", "cluster"))
DISPUTES = _facts(
    "dispute_outcomes",
    facts.Dispute,
    {**_by("lease", "node", "cluster", "outcome"), "currency": "c.currency = {0}"},
    _CURRENCY,
    _CLUSTER,
)
DEFENCES = _facts("defences", facts.Defence, _by("lease"))
CO_STAKE_TERMS = _facts("co_stake_terms", facts.CoStakeTerms, _by("node"))
REWARDS = _facts("rewards", facts.Reward, _by("node", "wallet", "kind"), {"position": "t.staker_position"})
OWED = _facts("owed", facts.Owed, _by("owner", "currency", "kind"))
REDEMPTIONS = _facts("redemptions", facts.Redemption, _by("wallet"))
BUYBACKS = _facts("buybacks", facts.Buyback, _by("seller"))
PRICES = _facts("prices", facts.Price, _by("kind"))
NETWORK_CHANGES = _facts("network_changes", facts.NetworkChange, _by("kind"), json={"params": dict[str, object] | None})
