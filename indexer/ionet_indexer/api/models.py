"""What the API answers with. Amounts are decimal strings in base units of their mint, keys base58, hashes hex, times
unix seconds. `slot` is that of the last event behind the item; it is final when it is ≤ the answer's `finalized_slot`.
"""

from __future__ import annotations

import msgspec


class CurrencyTotals(msgspec.Struct):
    """What the clusters of one currency came to; currencies are never added up. `owed` waits for its owners."""

    currency: str
    clusters: int
    deposit: str
    escrow: str
    locked: str
    paid: str
    fees: str
    refunded: str
    owed: str


class Network(msgspec.Struct):
    """The network and its totals. `backing` is IO burned for IOSD and not redeemed; one IOSD may be backed by less than
    a dollar's worth of it. `params` are null until the account was read; what is pending may be applied at its time.
    """

    network: str
    slot: int
    profile: str
    authority: str
    pauser: str
    arbiter: str
    io_mint: str
    iosd_mint: str
    usdc_mint: str
    feed_id: str
    pause_bits: str
    io_genesis: str
    pending_role: str | None
    pending_role_value: str | None
    pending_role_at: int | None
    pending_params_at: int | None
    pending_params: dict[str, object] | None
    params: dict[str, object] | None
    iosd_minted: str
    iosd_redeemed: str
    iosd_fee_burned: str
    iosd_supply: str
    io_burned_for_iosd: str
    io_redeemed: str
    backing: str
    io_other_burned: str
    io_price: str
    """Micro-dollars per IO: the low end of the last price, at which IO comes in."""
    io_price_high: str
    """Micro-dollars per IO: the high end of the last price that told it, at which IO goes out."""
    price_published_at: int | None
    currencies: list[CurrencyTotals]
    nodes: int
    nodes_hireable: int
    processors: int
    processors_hireable: int
    bonded: str
    unbonding: str
    slashed: str
    rewards_unclaimed: str
    cases_open: int
    clusters: int
    clusters_open: int
    leases: int
    leases_active: int
    disputes_open: int
    proofs: int
    served_secs: str


class Model(msgspec.Struct):
    """A kind of processor. `multiplier` is × 100."""

    model: str
    code: int
    name: str
    kind: str
    pool: str
    multiplier: int
    throughput: str
    enabled: bool
    nodes: int


class Node(msgspec.Struct):
    """A machine that can be rented. `price` is micro-dollars per processor-hour; durations are seconds.

    `hireable` says whether `add_lease` would take it now; null until the network's parameters have been read.
    `counted_stake` is what counts for it: the owner's stake, and co-stake up to its part. `earned` is micro-dollars in
    IOSD and USDC together, as the program counts it, `earned_usdc` the part in USDC; `earned_io` is IO.
    """

    node: str
    slot: int
    owner: str
    device_key: str
    model: int
    model_name: str | None
    processors: int
    price: str
    min_duration: int
    max_duration: int
    min_coverage_bps: int
    country: int
    region: int
    tier: int
    currencies: list[str]
    flags: list[str]
    hireable: bool | None
    current_lease: str | None
    terms_seq: int
    seq: int
    registered_at: int
    payout: str
    fee_payer: str
    bonded: str
    owner_bonded: str
    counted_stake: str | None
    unbonding: str
    refill: str
    required_stake: str | None
    slashed: str
    co_share_bps: int
    pending_co_share_bps: int | None
    pending_co_share_at: int | None
    owner_rewards: str
    co_rewards: str
    cases: int
    open_case: str | None
    vault_closed: bool
    leases_booked: int
    leases_closed: int
    served_secs: str
    missed_secs: str
    earned: str
    earned_usdc: str
    earned_io: str


class Cluster(msgspec.Struct):
    """A renter's budget: `deposit = escrow + paid + fees + refunded`, of which `locked` is set aside for leases."""

    cluster: str
    slot: int
    renter: str
    id: str
    kind: str
    currency: str
    mint: str
    session_key: str | None
    session_expires_at: int
    session_changed_at: int
    config_hash: str
    status: str
    opened_at: int
    closed_at: int | None
    head_started_at: int | None
    deposit: str
    escrow: str
    locked: str
    paid: str
    fees: str
    refunded: str
    leases_booked: int
    leases_open: int
    seq: int


class Lease(msgspec.Struct):
    """One node leased by one cluster. `price` is units of `currency` per processor-hour.

    `dispute_from` and `dispute_to` (exclusive) bound the intervals still in dispute, null without one; `disputed_secs`
    are held meanwhile, `refunded_secs` were not defended and are never paid.
    """

    lease: str
    slot: int
    node: str
    cluster: str
    number: str
    role: str
    status: str
    end_reason: str | None
    processors: int
    currency: str
    price: str
    io_price: str
    duration: int
    max_duration: int
    interval_secs: int
    required_stake: str
    booked_at: int
    ready_by: int
    ready_at: int | None
    accept_by: int | None
    started_at: int | None
    ends_at: int | None
    closed_at: int | None
    report_hash: str | None
    proof_count: int
    proof_head: str | None
    last_interval: int | None
    locked: str
    paid: str
    supplier_fee: str
    renter_fee: str
    payable_secs: str
    served_secs: str | None
    missed_secs: str
    released: str
    approved_through: int
    disputes: int
    dispute_from: int | None
    dispute_to: int | None
    defend_by: int | None
    disputed_secs: int
    dispute_bond: str
    bond_due: str
    bond_paid: str
    refunded_secs: int
    seq: int


class Ticket(msgspec.Struct):
    """Stake on its way out."""

    ticket: int
    amount: str
    matures_at: int


class Stake(msgspec.Struct):
    """One staker's position at one node. `bonded` is what the shares are worth now, `rewards` what can be claimed; both
    rounded down.
    """

    position: str
    slot: int
    node: str
    staker: str
    shares: str
    bonded: str
    staked: str
    withdrawn: str
    owner: bool
    rewards: str
    rewards_claimed: str
    tickets: list[Ticket]
    closed: bool


class Case(msgspec.Struct):
    """An arbiter's case: the stake is frozen until it is decided or dismissed. `slashed` is IO, `bps` of the stake."""

    case: str
    slot: int
    node: str
    number: str
    arbiter: str
    reason: str
    evidence_hash: str
    status: str
    opened_at: int
    decide_from: int
    decide_by: int
    appealed_at: int | None
    appeal_hash: str | None
    decided_at: int | None
    decided_by: str | None
    bps: int | None
    blocked: bool | None
    slashed: str


class OwedBalance(msgspec.Struct):
    """What waits in an owner's owed account of one currency."""

    owner: str
    slot: int
    currency: str
    amount: str


class Event(msgspec.Struct):
    """An event as the program recorded it; numbers of 64 bits and more are strings."""

    id: str
    slot: int
    signature: str
    outer_ix: int
    inner_ix: int
    block_time: int
    name: str
    data: dict[str, object]
