"""POST /v1/leaves: an agent hands over the leaves under a root that the chain holds. The API's only write."""

from __future__ import annotations

import asyncio
import time

import msgspec
from ionet.leaves import MAX_LEAVES, MAX_LIFETIME_SECS, NONCE_LEN, PATH, Upload, signing_message
from ionet.rules import merkle
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.core.refusals import BadValue, NotFound, Refused, Unauthorized


class Stored(msgspec.Struct):
    """The leaves are there. `new` is false when they were there before."""

    lease: str
    interval: int
    root: str
    leaves: int
    new: bool


class _Parsed(msgspec.Struct):
    """An upload as bytes."""

    lease: bytes
    interval: int
    root: bytes
    pairs: list[tuple[bytes, bytes]]
    nonce: bytes
    expires_at: int
    signature: Signature


@post(PATH, status_code=201)
async def upload_leaves(reader: NamedDependency[Reader], data: JSONBody[Upload]) -> Stored:
    """Store the leaves of one interval. They must hash to a proven root; the node's device key signs the upload."""
    now = int(time.time())
    parsed = _parse(data)
    if not now < parsed.expires_at <= now + MAX_LIFETIME_SECS:
        raise Unauthorized(f"the upload must expire within {MAX_LIFETIME_SECS} s from now")
    async with reader.snapshot() as snapshot:
        lease = await snapshot.one(SQL["upload_lease"], data.lease, data.interval, data.root)
    if lease is None:
        raise NotFound(f"lease {data.lease} is not known at slot {snapshot.slot}")
    _check_signature(parsed, Pubkey.from_string(lease["device_key"]))
    if lease["position"] is None:
        raise Refused(f"at slot {snapshot.slot} no proof of interval {data.interval} has this root")
    if await asyncio.to_thread(_root, parsed) != parsed.root:
        raise Refused("the leaves do not hash to the root")
    new = await _store(reader, data, parsed, now, lease["device_key"])
    return Stored(data.lease, data.interval, data.root, len(parsed.pairs), new)


async def _store(reader: Reader, data: Upload, parsed: _Parsed, now: int, device_key: str) -> bool:
    place = (data.lease, data.interval, data.root)
    async with reader.writing() as connection:
        await connection.execute(SQL["upload_nonces_expire"], now)
        fresh = await connection.fetchval(SQL["upload_nonce"], device_key, data.nonce, parsed.expires_at)
        if fresh is None:
            raise Unauthorized("this nonce was used before")
        new = await connection.fetchval(SQL["upload_set"], *place, len(parsed.pairs), now)
        if new is not None:
            tasks, results = [task for task, _ in parsed.pairs], [result for _, result in parsed.pairs]
            await connection.execute(SQL["upload_leaves"], *place, tasks, results)
            await connection.execute(SQL["upload_superseded"], data.lease, data.interval)
    return new is not None


def _parse(data: Upload) -> _Parsed:
    if not 0 <= data.interval < 1 << 32:
        raise BadValue("interval is not a u32")
    if not 1 <= len(data.leaves) <= MAX_LEAVES:
        raise BadValue(f"an upload has 1 to {MAX_LEAVES} leaves")
    if not 0 <= data.expires_at < 1 << 63:
        raise BadValue("expires_at is not a time")
    try:
        lease = bytes(Pubkey.from_string(data.lease))
    except ValueError:
        raise BadValue("lease is not an address") from None
    pairs = [(_hex("leaves", task, 32), _hex("leaves", result, 32)) for task, result in data.leaves]
    signature = Signature.from_bytes(_hex("signature", data.signature, 64))
    nonce = _hex("nonce", data.nonce, NONCE_LEN)
    return _Parsed(lease, data.interval, _hex("root", data.root, 32), pairs, nonce, data.expires_at, signature)


def _hex(name: str, text: str, length: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    # fromhex also takes spaces and capitals; one value must have one spelling, because it is stored as it came.
    if len(value) != length or value.hex() != text:
        raise BadValue(f"{name}: not {length} bytes in lower-case hex")
    return value


def _check_signature(parsed: _Parsed, device_key: Pubkey) -> None:
    message = signing_message(
        parsed.lease, parsed.interval, parsed.root, len(parsed.pairs), parsed.nonce, parsed.expires_at
    )
    if not parsed.signature.verify(device_key, message):
        raise Unauthorized("not signed by the node's device key")


def _root(parsed: _Parsed) -> bytes:
    pairs = enumerate(parsed.pairs)
    return merkle.root([merkle.leaf(parsed.lease, parsed.interval, number, *pair) for number, pair in pairs])
