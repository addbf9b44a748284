"""The read endpoints of single events: what happened, newest first."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from ionet_indexer.api import facts, listings
from ionet_indexer.api.paging import Page
from ionet_indexer.api.routes import Currency, Cursor, Limit, OptionalKey, page_of
from ionet_indexer.reader import Reader

_KINDS = Literal["params-proposed", "params-changed", "role-proposed", "role-changed", "model-changed", "paused"]
ChangeKind = Annotated[_KINDS | None, QueryParameter(description="What happened.")]


@get("/proofs")
async def proofs(
    reader: NamedDependency[Reader],
    lease: OptionalKey = None,
    node: OptionalKey = None,
    interval: Annotated[int | None, QueryParameter(ge=0, lt=1 << 32)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Proof]:
    """Proofs, newest first."""
    return await page_of(reader, listings.PROOFS, {"lease": lease, "node": node, "interval": interval}, cursor, limit)


@get("/payments")
async def payments(
    reader: NamedDependency[Reader],
    lease: OptionalKey = None,
    node: OptionalKey = None,
    cluster: OptionalKey = None,
    currency: Currency = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Payment]:
    """Settlements, newest first."""
    filters = {"lease": lease, "node": node, "cluster": cluster, "currency": currency}
    return await page_of(reader, listings.PAYMENTS, filters, cursor, limit)


@get("/stake-moves")
async def stake_moves(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    staker: OptionalKey = None,
    kind: FromQuery[Literal["stake", "refill", "unbond", "withdraw"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.StakeMove]:
    """Stake put in, asked out and taken out, newest first."""
    return await page_of(reader, listings.STAKE_MOVES, {"node": node, "staker": staker, "kind": kind}, cursor, limit)


@get("/slashes")
async def slashes(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    lease: OptionalKey = None,
    reason: FromQuery[Literal["missed", "quit", "promise", "case"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Slash]:
    """Slashes, newest first."""
    return await page_of(reader, listings.SLASHES, {"node": node, "lease": lease, "reason": reason}, cursor, limit)


@get("/mints")
async def mints(
    reader: NamedDependency[Reader], wallet: OptionalKey = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[facts.Mint]:
    """IOSD minted by burning IO, newest first."""
    return await page_of(reader, listings.MINTS, {"wallet": wallet}, cursor, limit)


@get("/burns")
async def burns(
    reader: NamedDependency[Reader], mint: OptionalKey = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[facts.Burn]:
    """Tokens burned from the burn vaults, newest first."""
    return await page_of(reader, listings.BURNS, {"mint": mint}, cursor, limit)


@get("/approvals")
async def approvals(
    reader: NamedDependency[Reader],
    lease: OptionalKey = None,
    node: OptionalKey = None,
    cluster: OptionalKey = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Approval]:
    """Intervals that the renter let be paid at once, newest first."""
    filters = {"lease": lease, "node": node, "cluster": cluster}
    return await page_of(reader, listings.APPROVALS, filters, cursor, limit)


@get("/disputes")
async def disputes(
    reader: NamedDependency[Reader],
    lease: OptionalKey = None,
    node: OptionalKey = None,
    cluster: OptionalKey = None,
    outcome: FromQuery[Literal["open", "defended", "refunded"] | None] = None,
    currency: Currency = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Dispute]:
    """Disputes and what came of them, newest first."""
    filters = {"lease": lease, "node": node, "cluster": cluster, "outcome": outcome, "currency": currency}
    return await page_of(reader, listings.DISPUTES, filters, cursor, limit)


@get("/defences")
async def defences(
    reader: NamedDependency[Reader],
    lease: OptionalKey = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Defence]:
    """Steps of defences, newest first."""
    filters = {"lease": lease}
    return await page_of(reader, listings.DEFENCES, filters, cursor, limit)


@get("/co-stake-terms")
async def co_stake_terms(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.CoStakeTerms]:
    """Terms for co-stakers, newest first."""
    filters = {"node": node}
    return await page_of(reader, listings.CO_STAKE_TERMS, filters, cursor, limit)


@get("/rewards")
async def rewards(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    wallet: OptionalKey = None,
    kind: FromQuery[Literal["added", "claimed"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Reward]:
    """Rewards given and claimed, newest first."""
    filters = {"node": node, "wallet": wallet, "kind": kind}
    return await page_of(reader, listings.REWARDS, filters, cursor, limit)


@get("/redemptions")
async def redemptions(
    reader: NamedDependency[Reader],
    wallet: OptionalKey = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Redemption]:
    """IOSD redeemed for IO, newest first."""
    filters = {"wallet": wallet}
    return await page_of(reader, listings.REDEMPTIONS, filters, cursor, limit)


@get("/buybacks")
async def buybacks(
    reader: NamedDependency[Reader],
    seller: OptionalKey = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Buyback]:
    """IO bought with USDC fees and burned, newest first."""
    filters = {"seller": seller}
    return await page_of(reader, listings.BUYBACKS, filters, cursor, limit)


@get("/prices")
async def prices(
    reader: NamedDependency[Reader],
    kind: FromQuery[Literal["mint", "redeem", "refresh", "buyback"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Price]:
    """Every price of IO that the program used, newest first."""
    filters = {"kind": kind}
    return await page_of(reader, listings.PRICES, filters, cursor, limit)


@get("/owed")
async def owed(
    reader: NamedDependency[Reader],
    owner: OptionalKey = None,
    currency: Currency = None,
    kind: FromQuery[Literal["owed", "claimed"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.Owed]:
    """Payments that wait for owners who could not receive them, and their claims, newest first."""
    filters = {"owner": owner, "currency": currency, "kind": kind}
    return await page_of(reader, listings.OWED, filters, cursor, limit)


@get("/network-changes")
async def network_changes(
    reader: NamedDependency[Reader],
    kind: ChangeKind = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[facts.NetworkChange]:
    """Proposals and changes of parameters and roles, models, pauses, migrations, newest first."""
    filters = {"kind": kind}
    return await page_of(reader, listings.NETWORK_CHANGES, filters, cursor, limit)


ROUTER = Router(
    path="/v1",
    route_handlers=[
        *(proofs, payments, stake_moves, slashes, mints, burns, approvals, disputes, defences, co_stake_terms, rewards),
        *(redemptions, buybacks, prices, owed, network_changes),
    ],
)
