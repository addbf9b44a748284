"""Rows of the tables of facts: each is one event in columns of its own. Columns are described in migrations/*.sql."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet_indexer.rows import Fact


class Proof(Fact, kw_only=True):
    table: ClassVar[str] = "proofs"

    position: int
    lease: str
    node: str
    at: int
    interval: int
    served_before: int
    served_secs: int
    gpu_ms: int
    root: str
    proof_head: str
    proof_count: int


class Payment(Fact, kw_only=True):
    table: ClassVar[str] = "payments"

    position: int
    lease: str
    node: str
    cluster: str
    at: int
    payable_secs: int
    amount: int
    supplier_amount: int
    supplier_fee: int
    renter_fee: int
    payout: str
    bond: int
    owed: bool


class Slash(Fact, kw_only=True):
    table: ClassVar[str] = "slashes"

    position: int
    node: str
    lease: str | None
    at: int
    reason: str
    bps: int
    missed_secs: int
    amount: int
    from_bonded: int
    from_unbonding: int
    to_renter: int
    to_reporter: int
    burned: int
    reporter: str


class StakeMove(Fact, kw_only=True):
    table: ClassVar[str] = "stake_moves"

    position: int
    kind: str
    node: str
    staker_position: str | None
    staker: str
    at: int
    amount: int
    matures_at: int | None = None
    owed: bool = False


class Mint(Fact, kw_only=True):
    table: ClassVar[str] = "mints"

    position: int
    at: int
    wallet: str
    io_burned: int
    iosd_minted: int
    price: int
    publish_time: int


class Burn(Fact, kw_only=True):
    table: ClassVar[str] = "burns"

    position: int
    at: int
    mint: str
    amount: int
    burned_after: int


class Approval(Fact, kw_only=True):
    table: ClassVar[str] = "approvals"

    position: int
    lease: str
    node: str
    cluster: str
    at: int
    through_interval: int
    proof_head: str
    signer: str


class Dispute(Fact, kw_only=True):
    table: ClassVar[str] = "disputes"

    position: int
    lease: str
    node: str
    cluster: str
    at: int
    from_interval: int
    to_interval: int
    served_secs: int
    bond: int
    defend_by: int
    signer: str


class Defence(Fact, kw_only=True):
    table: ClassVar[str] = "defences"

    position: int
    lease: str
    at: int
    interval: int
    defended: bool
    served_secs: int
    bond_part: int
    dispute_to: int
    signer: str


class DisputeEnd(Fact, kw_only=True):
    table: ClassVar[str] = "dispute_ends"

    position: int
    lease: str
    at: int
    refunded_secs: int
    bond_returned: int
    bond_due: int


class CoStakeTerms(Fact, kw_only=True):
    table: ClassVar[str] = "co_stake_terms"

    position: int
    node: str
    at: int
    share_before: int
    share: int
    pending_share: int
    pending_at: int | None


class Reward(Fact, kw_only=True):
    table: ClassVar[str] = "rewards"

    position: int
    kind: str
    node: str
    wallet: str
    at: int
    amount: int
    staker_position: str | None = None
    to_owner: int | None = None
    to_co_stakers: int | None = None
    owed: bool = False


class Owed(Fact, kw_only=True):
    table: ClassVar[str] = "owed"

    position: int
    kind: str
    owner: str
    currency: str
    at: int
    amount: int
    reason: str | None = None
    source: str | None = None


class Redemption(Fact, kw_only=True):
    table: ClassVar[str] = "redemptions"

    position: int
    at: int
    wallet: str
    iosd_burned: int
    io_minted: int
    price: int
    publish_time: int
    last_rate: bool


class Buyback(Fact, kw_only=True):
    table: ClassVar[str] = "buybacks"

    position: int
    at: int
    seller: str
    io_burned: int
    usdc_paid: int
    price: int
    publish_time: int


class Price(Fact, kw_only=True):
    table: ClassVar[str] = "prices"

    position: int
    kind: str
    at: int
    publish_time: int
    low_price: int | None = None
    high_price: int | None = None


class NetworkChange(Fact, kw_only=True):
    table: ClassVar[str] = "network_changes"

    position: int
    kind: str
    at: int
    subject: str
    before: str | None = None
    after: str | None = None
    effective_at: int | None = None
    params: dict[str, Any] | None = None


FACTS: tuple[type[Fact], ...] = (
    *(Proof, Payment, Slash, StakeMove, Mint, Burn),
    *(Approval, Dispute, Defence, DisputeEnd, CoStakeTerms, Reward, Owed),
    *(Redemption, Buyback, Price, NetworkChange),
)
