"""POST /v1/leaves: an agent hands over the leaves under a root that the chain holds. The API's only write.

Everything that can refuse an upload is in its headers: nothing of the body is read before the device key's signature
over them, the root on the chain and the key's budget are checked.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

import msgspec
from ionet.buckets import Buckets
from ionet.leaves import LEAF_LEN, MAX_LEAVES, MAX_LIFETIME_SECS, MEDIA_TYPE, NONCE_LEN, PATH, signing_message
from ionet.rules import merkle
from litestar import Request, post
from litestar.di import NamedDependency
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_indexer.api import tree
from ionet_indexer.api.limits import SharedReader
from ionet_indexer.core.parameters import A_HASH, ADDRESS, AN_ADDRESS, MOST_TIME, header
from ionet_indexer.core.reader import SQL
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

# Bytes of leaves per device key: at once, and per second. The most that an hour's interval may have is 6.4 MB.
BYTES_AT_ONCE, BYTES_PER_SECOND = 16 << 20, 128 << 10
_BODY_SECS = 60.0  # that a body may take to arrive


class Stored(msgspec.Struct):
    """The leaves are there. `new` is false when they were there before."""

    lease: str
    interval: int
    root: str
    leaves: int
    new: bool


class _Announced(msgspec.Struct):
    """What the headers say of an upload, as bytes."""

    lease: bytes
    interval: int
    root: bytes
    count: int
    nonce: bytes
    expires_at: int
    signature: Signature

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.count * LEAF_LEN


def _bytes(length: int) -> dict[str, Any]:
    return {"pattern": rf"^[0-9a-f]{{{2 * length}}}$"}


def _up_to(least: int, most: int) -> dict[str, Any]:
    return {"minimum": least, "maximum": most}


@post(PATH, status_code=201, operation_id="upload_leaves")
async def upload_leaves(
    request: Request[Any, Any, Any],
    database: NamedDependency[SharedReader],
    budgets: NamedDependency[Buckets],
    lease: Annotated[str, header("ionet-lease", "Its address, base58.", AN_ADDRESS, told={"pattern": ADDRESS})],
    interval: Annotated[int, header("ionet-interval", "Number of the interval.", 4, told=_up_to(0, (1 << 32) - 1))],
    root: Annotated[str, header("ionet-root", "Of the tree, hex.", A_HASH, told=_bytes(32))],
    count: Annotated[int, header("ionet-count", "Leaves in the body.", 1, told=_up_to(1, MAX_LEAVES))],
    nonce: Annotated[str, header("ionet-nonce", "16 bytes, hex; taken once.", A_HASH[:32], told=_bytes(NONCE_LEN))],
    expires_at: Annotated[
        int,
        header("ionet-expires-at", "Unix seconds, at most 120 s ahead.", 1_790_000_000, told=_up_to(0, MOST_TIME - 1)),
    ],
    signature: Annotated[
        str, header("ionet-signature", "ed25519 of the node's device key, hex.", A_HASH * 2, told=_bytes(64))
    ],
) -> Stored:
    """Store the leaves of one interval. They must hash to a proven root; the node's device key signs the headers.

    The body is task id and sha256 of the result of each leaf, in order, 64 bytes each.
    """
    now = int(time.time())
    announced = _announced(lease, interval, root, count, nonce, expires_at, signature)
    if not now < expires_at <= now + MAX_LIFETIME_SECS:
        raise Unauthorized(f"the upload must expire within {MAX_LIFETIME_SECS} s from now")
    _check_body(request, announced)
    async with database.snapshot() as snapshot:
        row = await snapshot.one(SQL["upload_lease"], lease, interval, root, nonce)
    if row is None:
        raise NotFound(f"lease {lease} is not known at slot {snapshot.slot}")
    _check_signature(announced, Pubkey.from_string(row["device_key"]))
    if row["used"]:
        raise Unauthorized("this nonce was used before")
    if row["position"] is None:
        raise Refused(f"at slot {snapshot.slot} no proof of interval {interval} has this root, or a later one has not")
    if wait := budgets.take(row["device_key"], announced.size):
        raise TooMuch("this device key uploaded too much", wait)
    body = await _read(request, announced)
    blocks = await database.computed(_blocks, announced, body)
    new = await _store(database, (lease, interval, root), announced, body, blocks, row["device_key"], nonce)
    return Stored(lease, interval, root, count, new)


def _announced(
    lease: str, interval: int, root: str, count: int, nonce: str, expires_at: int, signature: str
) -> _Announced:
    if not 0 <= interval < 1 << 32:
        raise BadValue("interval is not a u32")
    if not 1 <= count <= MAX_LEAVES:
        raise BadValue(f"an upload has 1 to {MAX_LEAVES} leaves")
    if not 0 <= expires_at < MOST_TIME:
        raise BadValue("expires_at is not a time")
    try:
        address = bytes(Pubkey.from_string(lease))
    except ValueError:
        raise BadValue("lease is not an address") from None
    signed = Signature.from_bytes(_hex("signature", signature, 64))
    return _Announced(
        address, interval, _hex("root", root, 32), count, _hex("nonce", nonce, NONCE_LEN), expires_at, signed
    )


def _hex(name: str, text: str, length: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    # fromhex also takes spaces and capitals; one value must have one spelling, because it is stored as it came.
    if len(value) != length or value.hex() != text:
        raise BadValue(f"{name}: not {length} bytes in lower-case hex")
    return value


def _check_body(request: Request[Any, Any, Any], announced: _Announced) -> None:
    """What the headers say of the body itself."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise WrongMedia(f"leaves are sent as {MEDIA_TYPE}")
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise LengthRequired
    if int(length) != announced.size:
        raise (TooLarge if int(length) > announced.size else BadValue)(
            f"{announced.count} leaves are {announced.size} bytes, not {length}"
        )


def _check_signature(announced: _Announced, device_key: Pubkey) -> None:
    message = signing_message(
        announced.lease,
        announced.interval,
        announced.root,
        announced.count,
        announced.nonce,
        announced.expires_at,
    )
    if not announced.signature.verify(device_key, message):
        raise Unauthorized("not signed by the node's device key")


async def _read(request: Request[Any, Any, Any], announced: _Announced) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECS):
            async for part in request.stream():
                body += part
                if len(body) > announced.size:
                    raise TooLarge
    except TimeoutError:
        raise BadValue(f"the leaves did not arrive within {_BODY_SECS:.0f} s") from None
    if len(body) != announced.size:
        raise BadValue("the body ends too early")
    return bytes(body)


def _blocks(announced: _Announced, body: bytes) -> bytes:
    """The stored nodes of the tree. Raises Refused when the leaves are not those of the root."""
    blocks = tree.blocks(tree.hashes(announced.lease, announced.interval, body))
    if merkle.root(blocks) != announced.root:
        raise Refused("the leaves do not hash to the root")
    return b"".join(blocks)


async def _store(
    reader: SharedReader,
    place: tuple[str, int, str],
    announced: _Announced,
    body: bytes,
    blocks: bytes,
    device_key: str,
    nonce: str,
) -> bool:
    """Store the leaves unless they are there; whether they were new."""
    now = int(time.time())
    async with reader.writing() as connection:
        await connection.execute(SQL["upload_nonces_expire"], now)
        if await connection.fetchval(SQL["upload_nonce"], device_key, nonce, announced.expires_at) is None:
            raise Unauthorized("this nonce was used before")
        number = await connection.fetchval(SQL["upload_set"], *place, announced.count, now, body, blocks)
        if number is not None:
            await connection.execute(SQL["upload_leaves"], number, body, announced.count)
            await connection.execute(SQL["upload_superseded"], *place[:2])
    return number is not None
