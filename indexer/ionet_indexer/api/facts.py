"""What the API answers with for single events; conventions as in models.py. `id` orders them."""

from __future__ import annotations

import msgspec


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
    """A settlement: `amount` was earned by it; the supplier got `supplier_amount`, which is that less his fee, and
    `bond` for disputes he won. `owed`: it went to his owed account.
    """

    id: str
    slot: int
    signature: str
    lease: str
    node: str
    cluster: str
    at: int
    currency: str
    payable_secs: str
    amount: str
    supplier_amount: str
    supplier_fee: str
    renter_fee: str
    bond: str
    payout: str
    owed: bool


class StakeMove(msgspec.Struct):
    """Stake put in, asked out or taken out; a refill was put in while the node was frozen. `owed`: it went to the
    staker's owed account.
    """

    id: str
    slot: int
    signature: str
    kind: str
    node: str
    position: str | None
    staker: str
    at: int
    amount: str
    matures_at: int | None
    owed: bool


class Slash(msgspec.Struct):
    """A slash and where it went. `bps` is of the required stake; of a case, which has no lease, of the stake."""

    id: str
    slot: int
    signature: str
    node: str
    lease: str | None
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


class Approval(msgspec.Struct):
    """Intervals before `through_interval` are paid without waiting."""

    id: str
    slot: int
    signature: str
    lease: str
    node: str
    cluster: str
    at: int
    through_interval: int
    proof_head: str
    signer: str


class Dispute(msgspec.Struct):
    """Intervals whose payment was held. `outcome`: open, defended (all of it), or refunded (what was not defended).

    `undefended_to` is where the defence has got to: it goes from the last interval to the first. `bond` was locked by
    the renter, of which the supplier won `bond_lost`.
    """

    id: str
    slot: int
    signature: str
    lease: str
    node: str
    cluster: str
    currency: str
    at: int
    from_interval: int
    to_interval: int
    served_secs: int
    bond: str
    defend_by: int
    signer: str
    outcome: str
    undefended_to: int
    defended_intervals: int
    defended_secs: int
    bond_lost: str
    ended_at: int | None
    refunded_secs: int | None
    bond_returned: str | None


class Defence(msgspec.Struct):
    """A step of a defence: an interval opened, or (`defended` false) only the proof chain walked back."""

    id: str
    slot: int
    signature: str
    lease: str
    at: int
    interval: int
    defended: bool
    served_secs: int
    bond_part: str
    dispute_to: int
    signer: str


class CoStakeTerms(msgspec.Struct):
    """The part of their pro-rata rewards that co-stakers get, in basis points; a worse one binds at `pending_at`."""

    id: str
    slot: int
    signature: str
    node: str
    at: int
    share_before: int
    share: int
    pending_share: int
    pending_at: int | None


class Reward(msgspec.Struct):
    """IO given to a node's stakers (`wallet` gave it), or claimed by one (`wallet` is his)."""

    id: str
    slot: int
    signature: str
    kind: str
    node: str
    wallet: str
    at: int
    amount: str
    position: str | None
    to_owner: str | None
    to_co_stakers: str | None
    owed: bool


class Owed(msgspec.Struct):
    """A payment that its owner could not receive, or his claim of all that waited in that currency.

    `source` is the lease, cluster or node it came from, `reason` payment, refund, stake or rewards.
    """

    id: str
    slot: int
    signature: str
    kind: str
    owner: str
    currency: str
    at: int
    amount: str
    reason: str | None
    source: str | None


class Redemption(msgspec.Struct):
    """IO minted for burned IOSD; `price` is micro-dollars per IO, the last one known when `last_rate`."""

    id: str
    slot: int
    signature: str
    at: int
    wallet: str
    iosd_burned: str
    io_minted: str
    price: str
    publish_time: int
    last_rate: bool


class Buyback(msgspec.Struct):
    """IO bought with fees in USDC and burned; `price` is micro-dollars per IO."""

    id: str
    slot: int
    signature: str
    at: int
    seller: str
    io_burned: str
    usdc_paid: str
    price: str
    publish_time: int


class Price(msgspec.Struct):
    """A price that the program used, micro-dollars per IO: the end for IO that comes in, that for IO that goes out."""

    id: str
    slot: int
    signature: str
    kind: str
    at: int
    publish_time: int
    low_price: str | None
    high_price: str | None


class NetworkChange(msgspec.Struct):
    """A proposal or change of parameters or a role, a device model switched, a pause, a migration.

    `subject` is the role, the device model or the network; a proposal may be applied at `effective_at`.
    """

    id: str
    slot: int
    signature: str
    kind: str
    at: int
    subject: str
    before: str | None
    after: str | None
    effective_at: int | None
    params: dict[str, object] | None
