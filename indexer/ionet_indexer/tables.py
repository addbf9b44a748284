"""Rows of the tables of states: each folds the events of one entity. Columns are described in migrations/*.sql."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from ionet_indexer.rows import State


class Network(State, kw_only=True):
    table: ClassVar[str] = "networks"
    key: ClassVar[str] = "network"
    entity: ClassVar[str] = "network"

    network: str
    position: int
    seq: int
    authority: str
    pauser: str
    arbiter: str
    io_mint: str
    iosd_mint: str
    usdc_mint: str
    feed_id: str
    io_genesis: int
    profile: str
    pause_bits: int = 0
    params: dict[str, Any] | None = None
    pending_params: dict[str, Any] | None = None
    pending_params_at: int | None = None
    pending_role: str | None = None
    pending_role_value: str | None = None
    pending_role_at: int | None = None


class Model(State, kw_only=True):
    table: ClassVar[str] = "models"
    key: ClassVar[str] = "model"
    entity: ClassVar[str] = "model"

    model: str
    position: int
    seq: int
    code: int
    name: str
    kind: str
    pool: str
    multiplier: int
    throughput: int
    enabled: bool = True


class Node(State, kw_only=True):
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
    price: int
    min_duration: int
    max_duration: int
    min_coverage_bps: int
    country: int
    region: int
    currencies: int
    terms_seq: int
    tier: int = 0
    flags: int = 0
    current_lease: str | None = None
    bonded: int = 0
    bonded_shares: int = 0
    bonded_era: int = 0
    unbonding: int = 0
    unbonding_shares: int = 0
    unbonding_era: int = 0
    slashed: int = 0
    leases_booked: int = 0
    leases_closed: int = 0
    served_secs: int = 0
    missed_secs: int = 0
    earned: int = 0
    earned_usdc: int = 0
    earned_io: int = 0
    owner_bonded_shares: int = 0
    owner_unbonding_shares: int = 0
    refill: int = 0
    co_share_bps: int = 0
    pending_co_share_bps: int = 0
    pending_co_share_at: int | None = None
    reward_per_share: int = 0
    owner_rewards: int = 0
    co_rewards: int = 0
    co_settled: int = 0
    cases: int = 0
    open_case: str | None = None
    vault_closed: bool = False


class Ticket(msgspec.Struct):
    """Stake on its way out: `shares` of the node's unbonding pool in `era`."""

    ticket: int
    amount: int
    shares: int
    era: int
    matures_at: int


class Position(State, kw_only=True):
    table: ClassVar[str] = "positions"
    key: ClassVar[str] = "staker_position"
    entity: ClassVar[str] = "node"

    staker_position: str
    position: int
    node: str
    staker: str
    shares: int = 0
    era: int = 0
    staked: int = 0
    withdrawn: int = 0
    tickets: list[Ticket] = msgspec.field(default_factory=list)
    closed: bool = False
    reward_debt: int = 0
    rewards: int = 0
    rewards_claimed: int = 0


class Cluster(State, kw_only=True):
    table: ClassVar[str] = "clusters"
    key: ClassVar[str] = "cluster"
    entity: ClassVar[str] = "cluster"

    cluster: str
    position: int
    seq: int
    renter: str
    id: int
    kind: str
    currency: str
    mint: str
    session_key: str | None
    session_expires_at: int
    config_hash: str
    opened_at: int
    session_changed_at: int
    deposit: int
    status: str = "open"
    closed_at: int | None = None
    head_started_at: int | None = None
    locked: int = 0
    paid: int = 0
    fees: int = 0
    refunded: int = 0
    leases_booked: int = 0
    leases_open: int = 0


class Lease(State, kw_only=True):
    table: ClassVar[str] = "leases"
    key: ClassVar[str] = "lease"
    entity: ClassVar[str] = "lease"

    lease: str
    position: int
    seq: int
    node: str
    cluster: str
    number: int
    role: str
    processors: int
    price: int
    duration: int
    max_duration: int
    interval_secs: int
    required_stake: int
    io_price: int
    booked_at: int
    ready_by: int
    locked: int
    status: str = "booked"
    end_reason: str | None = None
    ready_at: int | None = None
    report_hash: str | None = None
    accept_by: int | None = None
    started_at: int | None = None
    ends_at: int | None = None
    closed_at: int | None = None
    due_min_secs: int = 0
    proof_count: int = 0
    proof_head: str | None = None
    last_interval: int | None = None
    paid: int = 0
    supplier_fee: int = 0
    renter_fee: int = 0
    payable_secs: int = 0
    served_secs: int | None = None
    missed_secs: int = 0
    released: int = 0
    approved_through: int = 0
    disputes: int = 0
    dispute_from: int | None = None
    dispute_to: int | None = None
    disputed_secs: int = 0
    dispute_bond: int = 0
    defend_by: int | None = None
    bond_due: int = 0
    bond_paid: int = 0
    refunded_secs: int = 0


class Iosd(State, kw_only=True):
    table: ClassVar[str] = "iosd"
    key: ClassVar[str] = "iosd"
    entity: ClassVar[str] = "iosd"

    iosd: str
    position: int
    seq: int
    minted: int = 0
    io_burned: int = 0
    burned: dict[str, int] = msgspec.field(default_factory=dict)
    last_price: int | None = None
    last_high_price: int | None = None
    last_publish_time: int = 0
    redeemed: int = 0
    io_redeemed: int = 0


class LeaseWork(State, kw_only=True):
    table: ClassVar[str] = "lease_work"
    key: ClassVar[str] = "lease"
    entity: ClassVar[str] = "lease"

    lease: str
    node: str
    cluster: str
    cluster_id: int
    lease_number: int
    role: str
    processors: int
    status: str
    ready_by: int
    accept_by: int | None
    ends_at: int | None
    interval_secs: int
    slot: int
    updated_at: int
    dispute_from: int | None = None
    dispute_to: int | None = None
    defend_by: int | None = None
    finalized: bool = False


class Case(State, kw_only=True):
    table: ClassVar[str] = "cases"
    key: ClassVar[str] = "case_account"
    entity: ClassVar[str] = "node"

    case_account: str
    position: int
    node: str
    number: int
    arbiter: str
    reason: str
    evidence_hash: str
    opened_at: int
    decide_from: int
    decide_by: int
    status: str = "open"
    appealed_at: int | None = None
    appeal_hash: str | None = None
    decided_at: int | None = None
    decided_by: str | None = None
    bps: int | None = None
    blocked: bool | None = None


STATES: tuple[type[State], ...] = (Network, Model, Node, Position, Case, Cluster, Lease, LeaseWork, Iosd)
