"""What the API answers with. Amounts are decimal strings in base units of their mint, keys base58, hashes hex, times
unix seconds. `slot` is that of the last event behind the item; it is final when it is ≤ the answer's `finalized_slot`.
"""

from __future__ import annotations

import msgspec


class Network(msgspec.Struct):
    """The network and its totals. `backing` is IO burned for IOSD and not redeemed."""

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
    iosd_minted: str
    iosd_fee_burned: str
    iosd_supply: str
    io_burned_for_iosd: str
    io_other_burned: str
    io_price: str
    """Micro-dollars per IO at the last mint."""
    nodes: int
    nodes_hireable: int
    processors: int
    processors_hireable: int
    bonded: str
    unbonding: str
    slashed: str
    clusters: int
    clusters_open: int
    leases: int
    leases_active: int
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
    nodes: int


class Node(msgspec.Struct):
    """A machine that can be rented. `price` is micro-dollars per processor-hour; durations are seconds.

    `hireable` says whether `add_lease` would take it now; null until the network's parameters have been read.
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
    unbonding: str
    required_stake: str | None
    slashed: str
    leases_booked: int
    leases_closed: int
    served_secs: str
    missed_secs: str
    earned: str


class Cluster(msgspec.Struct):
    """A renter's budget: `deposit = escrow + paid + fees + refunded`, of which `reserved` is locked by leases."""

    cluster: str
    slot: int
    renter: str
    id: str
    kind: str
    currency: str
    mint: str
    session_key: str | None
    session_expires_at: int
    config_hash: str
    status: str
    opened_at: int
    closed_at: int | None
    head_started_at: int | None
    deposit: str
    escrow: str
    reserved: str
    paid: str
    fees: str
    refunded: str
    leases_booked: int
    leases_open: int
    seq: int


class Lease(msgspec.Struct):
    """One node leased by one cluster. `price` is currency units per processor-hour."""

    lease: str
    slot: int
    node: str
    cluster: str
    number: str
    role: str
    status: str
    end_reason: str | None
    processors: int
    price: str
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
    reserved_amount: str
    paid: str
    supplier_fee: str
    renter_fee: str
    payable_secs: str
    served_secs: str | None
    missed_secs: str
    released: str
    seq: int


class Proof(msgspec.Struct):
    """A proof of an interval; a later one of the same interval replaces it. `leaves` counts the uploaded leaves."""

    id: str
    slot: int
    signature: str
    lease: str
    node: str
    at: int
    interval: int
    served_before: int
    served_secs: int
    gpu_ms: str
    root: str
    proof_head: str
    proof_count: int
    leaves: int | None


class Payment(msgspec.Struct):
    """A settlement: `amount` was earned by it; the supplier got it less his fee."""

    id: str
    slot: int
    signature: str
    lease: str
    node: str
    cluster: str
    at: int
    payable_secs: str
    amount: str
    supplier_amount: str
    supplier_fee: str
    renter_fee: str
    payout: str


class Ticket(msgspec.Struct):
    """Stake on its way out."""

    ticket: int
    amount: str
    matures_at: int


class Stake(msgspec.Struct):
    """One staker's position at one node. `bonded` is what the shares are worth now, rounded down."""

    position: str
    slot: int
    node: str
    staker: str
    shares: str
    bonded: str
    staked: str
    withdrawn: str
    tickets: list[Ticket]
    closed: bool


class StakeMove(msgspec.Struct):
    """Stake put in, asked out or taken out."""

    id: str
    slot: int
    signature: str
    kind: str
    node: str
    position: str
    staker: str
    at: int
    amount: str
    matures_at: int | None


class Slash(msgspec.Struct):
    """A slash and where it went. `bps` is of the required stake."""

    id: str
    slot: int
    signature: str
    node: str
    lease: str
    at: int
    reason: str
    bps: int
    missed_secs: str
    amount: str
    from_bonded: str
    from_unbonding: str
    to_renter: str
    to_reporter: str
    burned: str
    reporter: str


class Mint(msgspec.Struct):
    """IOSD minted by burning IO; `price` is micro-dollars per IO."""

    id: str
    slot: int
    signature: str
    at: int
    wallet: str
    io_burned: str
    iosd_minted: str
    price: str
    publish_time: int


class Burn(msgspec.Struct):
    """Tokens burned from a burn vault."""

    id: str
    slot: int
    signature: str
    at: int
    mint: str
    amount: str
    burned_after: str


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
