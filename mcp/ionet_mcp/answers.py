"""What the tools answer. Amounts are exact decimals with their currency, times unix seconds, addresses base58."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Found:
    """A node that can be rented. price: of a processor-hour. durations: seconds."""

    node: str
    model: str
    processors: int
    price: str
    country: str
    currencies: list[str]
    min_duration: int
    max_duration: int


@dataclass(frozen=True)
class Search:
    """The cheapest first. more: how many others fit."""

    nodes: list[Found]
    more: int


@dataclass(frozen=True)
class QuotedNode:
    """cost: for the whole time, without the fee."""

    node: str
    model: str
    processors: int
    country: str
    price: str
    cost: str


@dataclass(frozen=True)
class Quoted:
    """quote: to be given to `book`, while `expires_at` is ahead. total: the most that can be taken, fee included.

    not_refunded_secs: the first seconds of a lease, which a renter who ends it earlier pays all the same.
    """

    quote: str
    nodes: list[QuotedNode]
    seconds: int
    hourly: str
    fee: str
    total: str
    not_refunded_secs: int
    expires_at: int
    asks: bool
    left_to_spend: str


@dataclass(frozen=True)
class Booked:
    """leases: by node. left_out: by node, why it could not be booked. next: what to do now."""

    cluster: str
    budget: str
    leases: dict[str, str]
    left_out: dict[str, str]
    next: str


@dataclass(frozen=True)
class LeaseStatus:
    lease: str
    node: str
    state: str
    ends_at: int | None
    paid: str


@dataclass(frozen=True)
class Status:
    """money: of the budget. phase: what the launcher says, None without one. next: what to do now."""

    cluster: str
    open: bool
    phase: str | None
    reason: str | None
    leases: list[LeaseStatus]
    money: dict[str, str]
    left_to_spend: str


@dataclass(frozen=True)
class Purse:
    """What this server has spent, open budgets in full, and may spend."""

    in_session: str
    session_limit: str
    in_all: str
    limit: str
    left_to_spend: str
    open_clusters: list[str]


@dataclass(frozen=True)
class Ended:
    """waiting: by lease, why it is not closed yet; call again until `closed`. refunded: what came back, once closed."""

    cluster: str
    closed: bool
    refunded: str | None
    waiting: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """A job on a cluster. exit_code: None while it runs. output: its end; left_out: letters before that."""

    cluster: str
    job: str
    exit_code: int | None
    output: str
    left_out: int


@dataclass(frozen=True)
class Traced:
    """One place where the result was computed, whose proof the chain has. paid_in: the settlement, None until then."""

    node: str
    owner: str
    lease: str
    interval: int
    started_at: int | None
    served_secs: int
    cost: str
    proof: str
    paid_in: str | None


@dataclass(frozen=True)
class Trace:
    occurrences: list[Traced]
