"""The network as a whole: its roles, its books, and the totals of every topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.core.paging import One
from ionet_indexer.core.reader import SQL
from ionet_indexer.core.refusals import NotFound


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
    nodes_listed: int
    nodes_hireable: int
    nodes_hired: int
    processors: int
    processors_listed: int
    processors_hireable: int
    processors_hired: int
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
    nodes_online: int
    """With a valid advert."""
    processors_online: int
    nodes_rentable: int
    """That can be hired now and are online."""
    processors_rentable: int


# Totals of the network by name: those that are numbers of things, and those that are amounts.
_COUNTS = (
    *("nodes", "nodes_hireable", "processors", "processors_hireable", "cases_open", "clusters_open"),
    *("nodes_listed", "nodes_hired", "processors_listed", "processors_hired"),
    *("nodes_online", "nodes_rentable", "processors_online", "processors_rentable"),
    *("leases", "leases_active", "disputes_open", "proofs"),
)
_AMOUNTS = ("bonded", "unbonding", "slashed", "rewards_unclaimed", "served_secs")
_OF_CURRENCIES = ("deposit", "escrow", "locked", "paid", "fees", "burned", "refunded", "owed", "income_unclaimed")


class Latest:
    """The network as it was last asked for; nothing of it changes while the version of the database stays."""

    def __init__(self) -> None:
        self._version: tuple[int, int, int] | None = None
        self._network: Network | None = None

    async def get(self, reader: AskedReader) -> One[Network]:
        """The network and its totals. Raises NotFound before there is one."""
        state = await reader.state()
        if self._network is None or self._version != state.version:
            async with reader.snapshot() as snapshot:
                row = await snapshot.one(SQL["network"])
                totals = await snapshot.fetch(SQL["totals"])
            if row is None:
                raise NotFound("there is no network on this chain yet")
            state, self._version, self._network = snapshot.state, snapshot.state.version, _network(row, totals)
        return One(state.slot, state.finalized_slot, self._network)


def _network(row: Any, totals: Sequence[Any]) -> Network:
    kept: dict[tuple[str, str], str] = {(each["name"], each["key"]): each["value"] for each in totals}
    clusters = {key: int(value) for (name, key), value in kept.items() if name == "clusters" and int(value)}
    values: dict[str, Any] = dict(row)
    for name in ("params", "pending_params"):
        values[name] = msgspec.json.decode(values[name] or b"null")
    values |= {name: int(kept.get((name, ""), 0)) for name in _COUNTS}
    values |= {name: kept.get((name, ""), "0") for name in _AMOUNTS}
    return Network(
        **values,
        clusters=sum(clusters.values()),
        currencies=[
            CurrencyTotals(
                currency=currency,
                clusters=clusters[currency],
                **{name: kept.get((name, currency), "0") for name in _OF_CURRENCIES},
            )
            for currency in sorted(clusters)
        ],
    )


@get("/v1/network", operation_id="get_network")
async def network(reader: NamedDependency[AskedReader], latest: NamedDependency[Latest]) -> One[Network]:
    """The network, its books and totals."""
    return await latest.get(reader)
