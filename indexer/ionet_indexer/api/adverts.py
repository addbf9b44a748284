"""POST /v1/adverts, the API's second write: what nodes say of themselves, and which of them are online.

The length, the node and the signature over the bytes are checked before anything of a body is read as JSON.
"""

from __future__ import annotations

import asyncio
import logging
import time
from hashlib import sha256
from typing import Annotated, Any

import asyncpg
import msgspec
from ionet import advert as messages
from ionet.advert import MAX_BYTES, MAX_LIFETIME_SECS, MEDIA_TYPE, PATH, Advert, BadAdvert
from ionet.buckets import Buckets
from litestar import Request, get, post
from litestar.di import NamedDependency
from solders.pubkey import Pubkey

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.limits import SharedReader
from ionet_indexer.core.connection import CONNECTION_ERRORS
from ionet_indexer.core.paging import One
from ionet_indexer.core.parameters import A_HASH, ADDRESS, AN_ADDRESS, Key, header
from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.core.refusals import (
    BadValue,
    LengthRequired,
    NotFound,
    Refused,
    TooLarge,
    TooMuch,
    Unauthorized,
    WrongMedia,
)

# Of a node: one a minute is enough.
ADVERTS_PER_SECOND, ADVERTS_AT_ONCE = 1 / 20, 6
_BODY_SECS = 10.0
_SWEEP_SECS = 3.0
log = logging.getLogger(__name__)


class Taken(msgspec.Struct):
    """The advert is there. `new` is false when this very one was there before, which counts for no minute."""

    node: str
    seq: int
    new: bool


class AdvertChange(msgspec.Struct):
    """The first advert that said something else than the one before: when it came, its bytes, and the device key's
    signature of that time over `ionet:advert:v1`, a zero byte and these bytes, hex.
    """

    at: int
    seq: int
    body: str
    signature: str


class AdvertGpu(msgspec.Struct):
    """memory_mib: null where it is not known."""

    name: str
    memory_mib: int | None


class AdvertBandwidth(msgspec.Struct):
    """Megabits a second, as the node's agent measured them with `relay`, HOST:PORT, at `at`, unix seconds."""

    up_mbits: int
    down_mbits: int
    at: int
    relay: str


class AdvertLimits(msgspec.Struct):
    """What a lease gets of the machine, as far as its `isolation` holds it. `processes`: threads count."""

    cpus: int
    memory_mib: int
    disk_mib: int
    processes: int


class NodeAdvert(msgspec.Struct):
    """What a node said last. `seen_at`: when it came; `since`: when the first came that says the same. `body` are the
    very bytes that `device_key` signed, for whoever trusts no indexer. `changes`: the last ten, newest first.
    """

    node: str
    online: bool
    device_key: str
    seq: int
    expires: int
    seen_at: int
    since: int
    endpoints: list[str]
    relays: list[str]
    certificate: str
    ray: str
    cuda: str | None
    isolation: str
    isolation_reason: str | None
    gpus: list[AdvertGpu]
    bandwidth: AdvertBandwidth | None
    limits: AdvertLimits | None
    body: str
    signature: str
    changes: list[AdvertChange]


@post(PATH, status_code=201, operation_id="send_advert")
async def take_advert(
    request: Request[Any, Any, Any],
    database: NamedDependency[SharedReader],
    pace: NamedDependency[Buckets],
    node: Annotated[str, header("ionet-node", "Its address, base58.", AN_ADDRESS, told={"pattern": ADDRESS})],
    signature: Annotated[
        str,
        header(
            "ionet-signature",
            "ed25519 of the node's device key over the body, hex.",
            A_HASH * 2,
            told={"pattern": r"^[0-9a-f]{128}$"},
        ),
    ],
) -> Taken:
    """What a node says of itself, good for five minutes at most. Its number `seq` must be higher than the last."""
    body = await _body(request)
    async with database.snapshot() as snapshot:
        row = await snapshot.one(SQL["advert_node"], node)
    if row is None:
        raise NotFound(f"node {node} is not known at slot {snapshot.slot}")
    device = Pubkey.from_string(row["device_key"])
    if not messages.is_signed(device, body, signature):
        raise Unauthorized("not signed by the node's device key")
    if row["body"] is not None and row["body"].encode() == body:
        return Taken(node, row["seq"], False)
    # After the signature: nobody else uses up what a node may send.
    if wait := pace.take(node):
        raise TooMuch("this node sends too many adverts", wait)
    try:
        advert = messages.decode(body, node, device)
    except BadAdvert as error:
        raise BadValue(error.detail) from None
    now = int(time.time())
    if not now < advert.expires <= now + MAX_LIFETIME_SECS:
        raise Unauthorized(f"the advert must expire within {MAX_LIFETIME_SECS} s from now")
    if row["seq"] is not None and advert.seq <= row["seq"]:
        raise Refused(f"a later advert is there: {row['seq']}")
    if not await _store(database, advert, str(device), body.decode(), signature, now):
        raise Refused("a later advert is there")
    return Taken(node, advert.seq, True)


async def _body(request: Request[Any, Any, Any]) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise WrongMedia(f"an advert is sent as {MEDIA_TYPE}")
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise LengthRequired
    if int(length) > MAX_BYTES:
        raise TooLarge(f"an advert has {MAX_BYTES} bytes at most")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BYTES:
                    raise TooLarge
    except TimeoutError:
        raise BadValue(f"the advert did not arrive within {_BODY_SECS:.0f} s") from None
    return bytes(body)


async def _store(reader: SharedReader, advert: Advert, device: str, body: str, signature: str, now: int) -> bool:
    """Store it, with its minute; False where a later one came meanwhile."""
    places = msgspec.json.encode([*advert.endpoints, *advert.relays]).decode()
    says = messages.content(advert)
    row = (advert.node, device, advert.seq, advert.expires, now, sha256(says).digest(), places, body, signature)
    async with reader.writing() as connection:
        put = await connection.fetchrow(SQL["advert_put"], *row)
        if put is None:
            return False
        await connection.execute(SQL["advert_minute"], advert.node, now // 86400, now // 60 % 1440)
        if put["changed"]:
            await connection.execute(SQL["advert_change"], advert.node, now, advert.seq, body, signature)
            await connection.execute(SQL["advert_forget"], advert.node)
    return True


@get("/v1/nodes/{key:str}/advert", operation_id="get_node_advert")
async def node_advert(reader: NamedDependency[AskedReader], key: Key) -> One[NodeAdvert]:
    """What a node said of itself last, and its last changes."""
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(SQL["advert"], key)
        changes = await snapshot.fetch(SQL["advert_changes"], key)
    if row is None:
        raise NotFound(f"node {key} is not known at slot {snapshot.slot}")
    if row["body"] is None:
        raise NotFound(f"node {key} has not advertised itself")
    said = msgspec.json.decode(row["body"], type=Advert)
    item = NodeAdvert(
        online=row["online"],
        device_key=row["device_key"],
        seen_at=row["seen_at"],
        since=row["since"],
        body=row["body"],
        signature=row["signature"],
        changes=[AdvertChange(**dict(each)) for each in changes],
        gpus=[AdvertGpu(gpu.name, gpu.memory_mib) for gpu in said.gpus],
        bandwidth=None if said.bandwidth is None else AdvertBandwidth(**msgspec.structs.asdict(said.bandwidth)),
        limits=None if said.limits is None else AdvertLimits(**msgspec.structs.asdict(said.limits)),
        **{
            name: getattr(said, name)
            for name in Advert.__struct_fields__
            if name not in ("gpus", "bandwidth", "limits")
        },
    )
    return One(snapshot.slot, snapshot.finalized_slot, item)


async def sweep(reader: Reader) -> None:
    """Say again and again which nodes are online. Over a replica it does nothing: the primary's API does it."""
    while True:
        try:
            async with reader.writing() as connection:
                await connection.execute(SQL["adverts_sweep"], int(time.time()))
        except asyncpg.ReadOnlySQLTransactionError:
            return
        except (*CONNECTION_ERRORS, TimeoutError, asyncpg.PostgresError) as error:
            log.info("online nodes are told later: %s", error, extra={"action": "sweep_later"})
        await asyncio.sleep(_SWEEP_SECS)
