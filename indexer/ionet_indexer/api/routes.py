"""The read endpoints. Each answer is one consistent state of the database and names its slot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, PathParameter, QueryParameter

from ionet_indexer.api import listings, models
from ionet_indexer.api.lists import Listing
from ionet_indexer.api.paging import MAX_LIMIT, One, Page
from ionet_indexer.api.problems import NotFound
from ionet_indexer.reader import SQL, Reader

T = TypeVar("T", bound=msgspec.Struct)

Key = Annotated[str, PathParameter(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$", description="An address, base58.")]
OptionalKey = Annotated[
    str | None, QueryParameter(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$", description="An address, base58.")
]
Amount = Annotated[str | None, QueryParameter(pattern=r"^[0-9]{1,20}$", description="Base units, a decimal string.")]
Currency = Annotated[Literal["IOSD", "USDC", "IO"] | None, QueryParameter(description="What was paid with.")]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before.")]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="Most items on a page.")]


async def page_of(
    reader: Reader, listing: Listing[T], filters: Mapping[str, Any], cursor: str | None, limit: int
) -> Page[T]:
    """One page of a list, from one state of the database."""
    async with reader.snapshot() as snapshot:
        return await listing.page(snapshot, filters, cursor, limit)


async def _one(reader: Reader, listing: Listing[T], key: str) -> One[T]:
    async with reader.snapshot() as snapshot:
        return await listing.one(snapshot, key)


@get("/network")
async def network(reader: NamedDependency[Reader]) -> One[models.Network]:
    """The network, its books and totals."""
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(SQL["network"])
        if row is None:
            raise NotFound("there is no network on this chain yet")
        totals = SQL["node_totals"].format(source=listings.NODES_SOURCE, hireable=listings.HIREABLE)
        parts = [row, *await snapshot.fetch(totals), *await snapshot.fetch(SQL["lease_totals"])]
        values = {name: value for part in parts for name, value in part.items()}
        for name in ("params", "pending_params"):
            values[name] = msgspec.json.decode(values[name] or b"null")
        currencies = [models.CurrencyTotals(**each) for each in await snapshot.fetch(SQL["currency_totals"])]
        return One(snapshot.slot, snapshot.finalized_slot, models.Network(**values, currencies=currencies))


@get("/models")
async def device_models(
    reader: NamedDependency[Reader],
    kind: FromQuery[Literal["gpu", "cpu"] | None] = None,
    pool: FromQuery[Literal["enterprise", "community"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.Model]:
    """Kinds of processors, by code."""
    return await page_of(reader, listings.MODELS, {"kind": kind, "pool": pool}, cursor, limit)


@get("/nodes")
async def nodes(
    reader: NamedDependency[Reader],
    model: Annotated[str | None, QueryParameter(max_length=32, description="Code or name of a device model.")] = None,
    country: Annotated[int | None, QueryParameter(ge=1, le=999, description="ISO 3166-1 numeric.")] = None,
    tier: Annotated[int | None, QueryParameter(ge=0, le=4)] = None,
    max_price: Amount = None,
    min_processors: Annotated[int | None, QueryParameter(ge=1, le=8)] = None,
    hireable: FromQuery[bool | None] = None,
    owner: OptionalKey = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.Node]:
    """Machines, cheapest first. `max_price` is micro-dollars per processor-hour."""
    filters = {
        "model": model,
        "country": country,
        "tier": tier,
        "max_price": max_price,
        "min_processors": min_processors,
        "hireable": hireable,
        "owner": owner,
    }
    return await page_of(reader, listings.NODES, filters, cursor, limit)


@get("/nodes/{key:str}")
async def node(reader: NamedDependency[Reader], key: Key) -> One[models.Node]:
    """One machine."""
    return await _one(reader, listings.NODES, key)


@get("/clusters")
async def clusters(
    reader: NamedDependency[Reader],
    renter: OptionalKey = None,
    status: FromQuery[Literal["open", "closed"] | None] = None,
    currency: Currency = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.Cluster]:
    """Clusters, newest first."""
    filters = {"renter": renter, "status": status, "currency": currency}
    return await page_of(reader, listings.CLUSTERS, filters, cursor, limit)


@get("/clusters/{key:str}")
async def cluster(reader: NamedDependency[Reader], key: Key) -> One[models.Cluster]:
    """One cluster."""
    return await _one(reader, listings.CLUSTERS, key)


@get("/leases")
async def leases(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    cluster: OptionalKey = None,
    status: FromQuery[Literal["booked", "ready", "active", "ended", "cancelled", "closed"] | None] = None,
    currency: Currency = None,
    disputed: FromQuery[bool | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.Lease]:
    """Leases, newest booking first. `disputed`: whether a dispute is open."""
    filters = {"node": node, "cluster": cluster, "status": status, "currency": currency, "disputed": disputed}
    return await page_of(reader, listings.LEASES, filters, cursor, limit)


@get("/leases/{key:str}")
async def lease(reader: NamedDependency[Reader], key: Key) -> One[models.Lease]:
    """One lease."""
    return await _one(reader, listings.LEASES, key)


@get("/stakes")
async def stakes(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    staker: OptionalKey = None,
    owner: FromQuery[bool | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.Stake]:
    """Stake positions. `owner`: the nodes' owners (true) or their co-stakers (false)."""
    return await page_of(reader, listings.STAKES, {"node": node, "staker": staker, "owner": owner}, cursor, limit)


@get("/cases")
async def cases(
    reader: NamedDependency[Reader],
    node: OptionalKey = None,
    status: FromQuery[Literal["open", "appealed", "decided", "dismissed"] | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.Case]:
    """Arbiter cases, newest first."""
    return await page_of(reader, listings.CASES, {"node": node, "status": status}, cursor, limit)


@get("/cases/{key:str}")
async def case(reader: NamedDependency[Reader], key: Key) -> One[models.Case]:
    """One case."""
    return await _one(reader, listings.CASES, key)


@get("/owed-balances")
async def owed_balances(
    reader: NamedDependency[Reader],
    owner: OptionalKey = None,
    currency: Currency = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[models.OwedBalance]:
    """What waits for owners who could not receive it."""
    return await page_of(reader, listings.OWED_BALANCES, {"owner": owner, "currency": currency}, cursor, limit)


ROUTER = Router(
    path="/v1",
    route_handlers=[
        *(network, device_models, nodes, node, clusters, cluster, leases, lease, stakes, cases, case),
        owed_balances,
    ],
)
