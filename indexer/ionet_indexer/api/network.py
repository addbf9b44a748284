"""The network as a whole: its roles, its books, and the totals of every topic."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.core.paging import One
from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.core.refusals import NotFound
from ionet_indexer.topics import nodes


class CurrencyTotals(msgspec.Struct):
    """What the clusters of one currency came to; currencies are never added up.

    `deposit = escrow + paid + fees + burned + refunded`: `fees` are fees alone, `burned` is the price of time that
    renters owed and nobody got. `owed` waits for its owners, `income_unclaimed` in income vaults for co-stakers.
    """

    currency: str
    clusters: int
    deposit: str
    escrow: str
    locked: str
    paid: str
    fees: str
    burned: str
    refunded: str
    owed: str
    income_unclaimed: str


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


@get("/v1/network")
async def network(reader: NamedDependency[Reader]) -> One[Network]:
    """The network, its books and totals."""
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(SQL["network"])
        if row is None:
            raise NotFound("there is no network on this chain yet")
        totals = SQL["node_totals"].format(source=nodes.SOURCE, hireable=nodes.HIREABLE)
        parts = [row, *await snapshot.fetch(totals), *await snapshot.fetch(SQL["lease_totals"])]
        values = {name: value for part in parts for name, value in part.items()}
        for name in ("params", "pending_params"):
            values[name] = msgspec.json.decode(values[name] or b"null")
        currencies = [CurrencyTotals(**each) for each in await snapshot.fetch(SQL["currency_totals"])]
        return One(snapshot.slot, snapshot.finalized_slot, Network(**values, currencies=currencies))
