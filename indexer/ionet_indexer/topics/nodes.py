"""Nodes: terms, keys, flags, locks of payouts and slashes."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from ionet.generated import events
from ionet.generated.enums import (
    MAX_PROCESSORS,
    MAX_SHARES_PER_UNIT,
    Currency,
    NodeFlag,
    SlashReason,
)
from ionet.words import word, words

from ionet_indexer.core import parameters
from ionet_indexer.core.answers import Amount, Digits, answer_of
from ionet_indexer.core.decode import Event
from ionet_indexer.core.keys import key_or_none
from ionet_indexer.core.lists import SLOT, Filter, Listing, Order, addresses, choice, country, either, facts, number
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.view import View
from ionet_indexer.topics import parts
from ionet_indexer.topics.terms import NodeTerms, bit_words

# -- rows


class IncomeBooks(msgspec.Struct):
    """Co-stakers' income of one currency: per bonded share so far (× 2^64), what they have not claimed, and of that
    what positions have settled. `vault` is null once it is closed.
    """

    currency: str
    vault: str | None = None
    per_share: int = 0
    unclaimed: int = 0
    settled: int = 0


class Node(State, kw_only=True):
    """A machine that can be rented. `price` is micro-dollars per processor-hour; durations are seconds.

    `hireable` says whether `add_lease` would take it now; null until the network's parameters have been read. `online`:
    it has a valid advert, and one came within three minutes. `rentable` is both.
    `counted_stake` is what counts for it: the owner's stake, and co-stake up to its part. `earned` is micro-dollars in
    IOSD and USDC together, as the program counts it, `earned_usdc` the part in USDC; `earned_io` is IO. `missed_secs`
    has what nobody defended in it. Before `payout_locked_until` only the payout itself can end the lock. `income` is
    what co-stakers have not claimed, in each currency that has or had a vault.
    """

    table: ClassVar[str] = "nodes"
    key: ClassVar[str] = "node"
    entity: ClassVar[str] = "node"

    node: str
    position: int
    seq: int
    registered_at: int
    owner: str
    device_key: str
    model: int
    processors: int
    payout: str
    fee_payer: str
    price: Amount
    min_duration: int
    max_duration: int
    min_coverage_bps: int
    country: int
    region: int
    currencies: int
    terms_seq: int
    payout_locked_until: int | None = None
    tier: int = 0
    flags: int = 0
    current_lease: str | None = None
    bonded: Amount = 0
    bonded_shares: int = 0
    bonded_era: int = 0
    unbonding: Amount = 0
    unbonding_shares: int = 0
    unbonding_era: int = 0
    slashed: Amount = 0
    leases_booked: int = 0
    leases_closed: int = 0
    served_secs: Amount = 0
    missed_secs: Amount = 0
    earned: Amount = 0
    earned_usdc: Amount = 0
    earned_io: Amount = 0
    owner_bonded_shares: int = 0
    owner_unbonding_shares: int = 0
    refill: Amount = 0
    co_share_bps: int = 0
    pending_co_share_bps: int = 0
    income_share_bps: int = 0
    pending_income_share_bps: int = 0
    pending_co_share_at: int | None = None
    reward_per_share: int = 0
    owner_rewards: Amount = 0
    co_rewards: Amount = 0
    co_settled: int = 0
    income: list[IncomeBooks] = msgspec.field(default_factory=list)
    cases: int = 0
    open_case: str | None = None
    vault_closed: bool = False

    @property
    def who(self) -> tuple[str, str]:
        """Node and owner that its numbers count for."""
        return self.node, self.owner


class PayoutLock(Fact, kw_only=True):
    """Income was locked to `payout`, which alone can end that before `until`; or it did. Locks can be lengthened."""

    table: ClassVar[str] = "payout_locks"

    position: int
    kind: str
    node: str
    at: int
    payout: str
    payout_before: str | None = None
    until: int | None = None
    until_before: int | None = None


class Slash(Fact, kw_only=True):
    """A slash and where it went. `bps` is of the required stake; of a case, which has no lease, of the stake."""

    table: ClassVar[str] = "slashes"

    position: int
    node: str
    lease: str | None
    at: int
    reason: str
    bps: int
    missed_secs: Amount
    amount: Amount
    from_bonded: Amount
    from_unbonding: Amount
    to_renter: Amount
    to_reporter: Amount
    burned: Amount
    reporter: str


# -- folds


def node_at(view: View, event: Event, key: str, seq: int) -> Node:
    """The node's row, stamped with this event."""
    row = view.get(Node, key)
    row.position, row.seq = event.position, seq
    return row


def bind_terms(node: Node, at: int) -> None:
    """Terms for co-stakers that fell due take effect when they are next needed."""
    if node.pending_co_share_at is not None and at >= node.pending_co_share_at:
        node.co_share_bps, node.income_share_bps = node.pending_co_share_bps, node.pending_income_share_bps
        node.pending_co_share_bps = node.pending_income_share_bps = 0
        node.pending_co_share_at = None


def _registered(view: View, event: Event, e: events.NodeRegistered) -> None:
    view.put(
        Node(
            node=str(e.node),
            position=event.position,
            seq=e.seq,
            registered_at=e.at,
            owner=str(e.owner),
            device_key=str(e.device_key),
            model=e.model,
            processors=e.processors,
            payout=str(e.payout),
            fee_payer=str(e.fee_payer),
            price=e.price,
            min_duration=e.min_duration,
            max_duration=e.max_duration,
            min_coverage_bps=e.min_coverage_bps,
            country=e.country,
            region=e.region,
            currencies=e.currencies,
            terms_seq=e.terms_seq,
        )
    )
    _note_terms(view, event, "registered", view.get(Node, str(e.node)), e.at)


def _note_terms(view: View, event: Event, kind: str, node: Node, at: int) -> None:
    own: dict[str, Any] = {"position": event.position, "kind": kind, "at": at}
    shared = {name: getattr(node, name) for name in NodeTerms.__struct_fields__ if name not in own}
    view.facts.append(NodeTerms(**own, **shared))


def _updated(view: View, event: Event, e: events.NodeUpdated) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.payout, row.fee_payer = str(e.payout), str(e.fee_payer)
    row.price, row.min_coverage_bps = e.price, e.min_coverage_bps
    row.min_duration, row.max_duration = e.min_duration, e.max_duration
    row.country, row.region, row.currencies = e.country, e.region, e.currencies
    row.terms_seq = e.terms_seq
    _note_terms(view, event, "updated", row, e.at)


def _key_rotated(view: View, event: Event, e: events.DeviceKeyRotated) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.device_key = str(e.after)
    _note_terms(view, event, "key-rotated", row, e.at)


def _flags_changed(view: View, event: Event, e: events.NodeFlagsChanged) -> None:
    node_at(view, event, str(e.node), e.seq).flags = e.after


def _payout_locked(view: View, event: Event, e: events.PayoutLocked) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.payout, row.payout_locked_until = str(e.payout), e.until
    view.facts.append(
        PayoutLock(
            position=event.position,
            kind="locked",
            node=row.node,
            at=e.at,
            payout=row.payout,
            payout_before=str(e.payout_before),
            until=e.until,
            until_before=e.until_before or None,
        )
    )


def _payout_released(view: View, event: Event, e: events.PayoutReleased) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.payout_locked_until = None
    view.facts.append(
        PayoutLock(
            position=event.position,
            kind="released",
            node=row.node,
            at=e.at,
            payout=str(e.payout),
            until_before=e.until_before,
        )
    )


def _slashed(view: View, event: Event, e: events.NodeSlashed) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.slashed += e.amount
    row.bonded, row.unbonding = e.bonded_after, e.unbonding_after
    # A pool of which a slash leaves nothing worth a share starts a new era; shares of the old one are void.
    if e.amount and row.bonded_shares > row.bonded * MAX_SHARES_PER_UNIT:
        row.bonded_shares, row.owner_bonded_shares, row.bonded_era = 0, 0, row.bonded_era + 1
    if e.amount and row.unbonding_shares > row.unbonding * MAX_SHARES_PER_UNIT:
        row.unbonding_shares, row.owner_unbonding_shares, row.unbonding_era = 0, 0, row.unbonding_era + 1
    parts.add_one(view, event, e.at, "slashed", e.amount, where=(row.model, row.country), who=row.who)
    view.facts.append(
        Slash(
            position=event.position,
            node=str(e.node),
            lease=key_or_none(e.lease),
            at=e.at,
            reason=word(SlashReason, e.reason),
            bps=e.bps,
            missed_secs=e.missed_secs,
            amount=e.amount,
            from_bonded=e.from_bonded,
            from_unbonding=e.from_unbonding,
            to_renter=e.to_renter,
            to_reporter=e.to_reporter,
            burned=e.burned,
            reporter=str(e.reporter),
        )
    )


HANDLERS: dict[str, Any] = {
    "NodeRegistered": _registered,
    "NodeUpdated": _updated,
    "DeviceKeyRotated": _key_rotated,
    "NodeFlagsChanged": _flags_changed,
    "PayoutLocked": _payout_locked,
    "PayoutReleased": _payout_released,
    "NodeSlashed": _slashed,
}


# -- lists


class NodeIncome(msgspec.Struct):
    """Income of one currency that co-stakers have not claimed, and the vault that holds it; null once it is closed."""

    currency: str
    vault: str | None
    unclaimed: Digits


# See migrations/0003_nodes.sql for these functions.
REQUIRED_STAKE = "required_stake(p.stake_per_processor, m.multiplier, t.processors)"
COUNTED_STAKE = "counted_stake(t.owner_bonded_shares, t.bonded_shares, t.bonded, p.co_stake_max_percent)"
HIREABLE = f"(t.flags = 0 AND t.current_lease IS NULL AND m.enabled AND {COUNTED_STAKE} >= {REQUIRED_STAKE})"
ONLINE = "EXISTS (SELECT FROM online_nodes o WHERE o.node = t.node)"
BY_MODEL = Filter(parameters.Model, "t.model = {0}", is_model=True)
SOURCE = "nodes t LEFT JOIN models m ON m.code = t.model LEFT JOIN current_parameters p ON true"
_SHARES = ("bonded_shares", "bonded_era", "unbonding_shares", "unbonding_era")
_PENDING = ("pending_co_share_bps", "pending_income_share_bps")
_BOOKS = ("owner_bonded_shares", "owner_unbonding_shares", "reward_per_share", "co_settled")
NODES = Listing(
    name="nodes",
    docs="Machines, cheapest first.",
    item="One machine.",
    out=answer_of(
        Node,
        without=(*_SHARES, *_BOOKS),
        more={
            "slot": int,
            "model_name": str | None,
            "currencies": list[str],
            "flags": list[str],
            "hireable": bool | None,
            "online": bool,
            "rentable": bool | None,
            "owner_bonded": Digits,
            "counted_stake": Digits | None,
            "required_stake": Digits | None,
            "pending_co_share_bps": int | None,
            "pending_income_share_bps": int | None,
            "income": list[NodeIncome],
        },
    ),
    source=SOURCE,
    order=(Order("price", "t.price", "numeric"), Order("node", "t.node", "text")),
    key="t.node",
    narrowed={
        "model": BY_MODEL,
        "country": country(),
        "tier": Filter(parameters.Tier, "t.tier = {0}"),
        "max_price": Filter(parameters.Price, "t.price <= {0}", read=parameters.micro_dollars),
        "min_processors": number("t.processors >= {0}", "Processors at least.", 2, ge=1, le=MAX_PROCESSORS),
        "hireable": either(HIREABLE, f"{HIREABLE} IS NOT TRUE", "Whether they can be hired now."),
        "rentable": either(
            f"({HIREABLE} AND {ONLINE})",
            f"({HIREABLE} AND {ONLINE}) IS NOT TRUE",
            "Whether they can be hired now and are online.",
        ),
        **addresses("owner"),
    },
    computed={
        "slot": SLOT,
        "model_name": "m.name",
        "currencies": bit_words("t.currencies", Currency),
        "flags": bit_words("t.flags", NodeFlag),
        "required_stake": REQUIRED_STAKE,
        "hireable": HIREABLE,
        "online": ONLINE,
        "rentable": f"({HIREABLE} AND {ONLINE})",
        "owner_bonded": "owner_stake(t.owner_bonded_shares, t.bonded_shares, t.bonded)",
        "counted_stake": COUNTED_STAKE,
        **{name: f"CASE WHEN t.pending_co_share_at IS NOT NULL THEN t.{name} END" for name in _PENDING},
        "income": """(SELECT coalesce(json_agg(json_build_object('currency', x.currency, 'vault', x.vault,
            'unclaimed', x.unclaimed::text) ORDER BY x.currency), '[]')
            FROM json_to_recordset(t.income) AS x(currency text, vault text, unclaimed numeric))""",
    },
    json={"income": list[NodeIncome]},
    time="t.registered_at",
)
PAYOUT_LOCKS = facts(
    PayoutLock,
    "Locks of nodes' payouts and their releases, newest first.",
    {**addresses("node", "payout"), "kind": choice("t.kind", "locked", "released")},
)
SLASHES = facts(
    Slash, "Slashes, newest first.", {**addresses("node", "lease"), "reason": choice("t.reason", *words(SlashReason))}
)
