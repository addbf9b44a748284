"""How a node stands: whether it can be hired and what keeps it from that, what it earns, and what it could lose.

The chain's part is the chain's word. The indexer's is its own: nothing of it is proven here, and without one it is
unknown.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import httpx2
import msgspec
from msgspec import Meta
from solders.pubkey import Pubkey

from ionet.api.stake import Exit, worth_of
from ionet.client import Client
from ionet.fees import proving_a_day
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel, Network, Node, StakePosition
from ionet.generated.enums import BPS, NodeFlag, Pause
from ionet.generated.types import Params
from ionet.offers import Missing, asking, get
from ionet.rules import pool
from ionet.trace import ApiError
from ionet.words import span

Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(max_length=64)]
KEPT_DAYS = 30
"""For how many days kept intervals are counted."""


class Reason(NamedTuple):
    """Why a node cannot be hired now, and what would change that."""

    why: str
    remedy: str


class Risk(NamedTuple):
    """Something for which stake is taken. io: base units at most, as the stake is now."""

    what: str
    io: int


class Standing(msgspec.Struct, frozen=True):
    """The chain's part, at one look. IO in base units. needed, counted: stake it must have, and what of it counts.

    exits: of the owner's stake. lamports: of the device key. fee_days: for how many days of proofs they are enough.
    """

    node: Node
    now: int
    reasons: list[Reason]
    needed: int
    counted: int
    risks: list[Risk]
    exits: list[Exit]
    lamports: int
    fee_days: int


class Income(msgspec.Struct, frozen=True):
    """Settlements of a currency on a day. Base units: before fees, to the supplier after fees, of that to stakers."""

    currency: Name
    earned: Amount
    supplier: Amount
    to_stakers: Amount


class Day(msgspec.Struct, frozen=True):
    """A day in UTC, as the indexer counts it."""

    starts_at: int
    intervals_proven: Amount
    intervals_kept: Amount
    served_secs: Amount
    income: list[Income]


class Score(msgspec.Struct, frozen=True):
    """The reputation and its parts, shares of `rules.reputation.ONE`."""

    score: Amount
    served: Amount
    deviation: Amount
    halved: bool
    kept: Amount
    weight: Amount
    time_score: Amount


class Bandwidth(msgspec.Struct, frozen=True):
    """Megabits a second, as the agent measured them with a relay at a time, unix seconds."""

    up_mbits: Amount
    down_mbits: Amount
    at: Amount
    relay: Name


class Limits(msgspec.Struct, frozen=True):
    """What a lease gets of the machine."""

    cpus: Amount
    memory_mib: Amount
    disk_mib: Amount
    processes: Amount


class Fees(msgspec.Struct, frozen=True):
    """Micro-dollars of fees on the intervals that one renter saw kept on a day (since 1970)."""

    renter: Name
    day: Annotated[int, Meta(ge=0, lt=2**31)]
    kept: Amount


class Founded(Score, frozen=True):
    """A score with what it is made of, on a day."""

    today: Annotated[int, Meta(ge=0, lt=2**31)]
    records: list[Fees]


class Advert(msgspec.Struct, frozen=True):
    """What the node's agent says of itself."""

    online: bool
    isolation: Name
    endpoints: list[Name]
    relays: list[Name]
    bandwidth: Bandwidth | None = None
    limits: Limits | None = None


class Heard(msgspec.Struct, frozen=True):
    """The indexer's part. days: the last of them, today's last. advert: None where none is valid."""

    days: list[Day]
    score: Score
    advert: Advert | None


class _Days(msgspec.Struct):
    items: list[Day]


class _Scored(msgspec.Struct):
    item: Score


class _Founded(msgspec.Struct):
    item: Founded


class _Advertised(msgspec.Struct):
    item: Advert


async def standing(client: Client, address: Pubkey) -> Standing:
    """The chain's part. Raises NotFound."""
    node = await client.node.get(address)
    network = await client.network.get()
    model = await client.fetch(DeviceModel, pdas.model(client.program.id, node.model))
    now = await client.rpc.unix_time()
    lamports = await client.rpc.balance(node.device_key)
    own = await client.find(StakePosition, client.stake.address(address, node.owner))
    params = network.params
    needed = pool.required_stake(params.stake_per_processor, model.multiplier, node.processors)
    counted = pool.counted_stake(_bonded(node), node.owner_bonded_shares, params.co_stake_max_percent)
    return Standing(
        node=node,
        now=now,
        reasons=reasons(node, model, network, needed - counted),
        needed=needed,
        counted=counted,
        risks=risks(node, params, needed, now),
        exits=[] if own is None else worth_of(node, own).exits(now),
        lamports=lamports,
        fee_days=lamports // proving_a_day(params.interval_secs),
    )


def _bonded(node: Node) -> pool.Pool:
    return pool.Pool(node.bonded.amount, node.bonded.shares)


FLAGS = {
    NodeFlag.RETIRED: Reason("it is retired", "nothing: a new node takes a new device key"),
    NodeFlag.BLOCKED: Reason("the arbiter has blocked it", "see `ionet case list`"),
    NodeFlag.FROZEN: Reason("a case has frozen its stake", "see `ionet case list`"),
    NodeFlag.PAUSED: Reason("its owner has paused it", "`ionet node resume`"),
    NodeFlag.ABSENT: Reason("it was not ready in time for a lease", "start its agent, or `ionet node return`"),
}
"""The gravest first."""


def reasons(node: Node, model: DeviceModel, network: Network, lacking: int) -> list[Reason]:
    """All that keeps it from being booked now, the gravest first. lacking: stake, IO base units; none from 0 down."""
    found = [reason for flag, reason in FLAGS.items() if node.flags & flag]
    if not model.enabled:
        found.append(Reason("its device model is switched off", "only the network's authority can switch it on"))
    if network.pause_bits & Pause.ADD_LEASE:
        found.append(Reason("the network takes no bookings now", "wait until its pauser ends that"))
    if lacking > 0:
        io = f"{lacking / 10**8:g}"
        found.append(Reason(f"its stake counts for {io} IO too little", f"`ionet stake add NODE {io}` by its owner"))
    if node.current_lease != Pubkey.default():
        found.append(Reason(f"it is leased ({node.current_lease})", "it is free when that ends"))
    return found


def risks(node: Node, params: Params, needed: int, now: int) -> list[Risk]:
    """What is taken of its stake for what, at most. needed: the stake that is required now.

    Leases keep the parameters that they were booked with; this is what the next one is booked with.
    """
    held = node.bonded.amount + node.unbonding.amount

    def part(bps: int, of: int) -> int:
        return min(held, of * bps // BPS)

    lengths = (params.tier1_intervals * params.interval_secs, *params.tier_secs)
    found = [
        Risk(f"an outage of {span(secs)}, all in all", part(bps, needed))
        for secs, bps in zip(lengths, params.tier_bps, strict=True)
    ]
    since = now - params.promise_window_secs
    broken = sum(at > since for at in node.promises_broken_at)
    promises = f"{params.promise_limit} leases for which it is not ready in time ({broken} lately)"
    return [
        *found,
        Risk(promises, part(params.promise_bps, needed)),
        Risk("quitting a lease", part(params.quit_bps, needed)),
        Risk("the arbiter's cases of one window", part(params.case_cap_bps, held)),
    ]


async def heard(indexer: str, node: Pubkey) -> Heard:
    """The indexer's part. Raises ApiError."""
    async with asking(indexer) as http:
        days, score = await days_of(http, node), await score_of(http, node)
        try:
            advert = (await get(http, f"/v1/nodes/{node}/advert", _Advertised, {})).item
        except Missing:
            advert = None
    return Heard(days, score, advert)


async def days_of(http: httpx2.AsyncClient, node: Pubkey) -> list[Day]:
    """The last `KEPT_DAYS`. Raises ApiError."""
    return (await get(http, f"/v1/nodes/{node}/days", _Days, {"days": str(KEPT_DAYS)})).items


async def score_of(http: httpx2.AsyncClient, node: Pubkey) -> Score:
    """Raises ApiError."""
    return (await get(http, f"/v1/nodes/{node}/reputation", _Scored, {})).item


async def founded_score(http: httpx2.AsyncClient, node: Pubkey) -> Founded:
    """Raises ApiError."""
    return (await get(http, f"/v1/nodes/{node}/reputation", _Founded, {})).item


async def heard_or_why(indexer: str, node: Pubkey) -> tuple[Heard | None, str]:
    """The indexer's part, or why it is unknown."""
    try:
        return await heard(indexer, node), ""
    except ApiError as error:
        return None, error.detail
