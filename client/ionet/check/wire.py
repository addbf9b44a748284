"""What launcher and member say to each other in a check: frames of u32 length (little-endian) and content.

A question is JSON. An answer begins with a byte: 0, then what was asked for; 1, then why there is no answer, as text; 2
when another check goes on, of another launcher with the same key.
What is asked for is JSON for `Show`, and else bytes whose number the asker knows; they are read up to that number only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from ionet.check.devices import Device
from ionet.errors import IonetError

VERSION = 1
LAUNCHER = "ionet launcher"
"""Common name of the certificate with which the launcher connects; no member of a cluster is called so."""
MAX_QUESTION = 64 * 1024
MAX_TEXT = 1024
_PIECE = 64 * 1024
BUSY = b"\2"
_RIGHT, _FAILED = b"\0", b"\1"


class Begin(msgspec.Struct, frozen=True, tag="begin", forbid_unknown_fields=True):
    """Opens a check; the answer is empty, and comes at once. witness: what a Ray task on the member is to tell, hex."""

    version: int
    witness: str


class Show(msgspec.Struct, frozen=True, tag="show", forbid_unknown_fields=True):
    """Asks for the devices that the booked processors are: `Shown`."""

    processors: int


class Fill(msgspec.Struct, frozen=True, tag="fill", forbid_unknown_fields=True):
    """Compute blocks 0..rounds of the product on each device, keep the results, answer their receipts under `key`."""

    seed: str
    size: int
    rounds: int
    key: str


class Again(msgspec.Struct, frozen=True, tag="again", forbid_unknown_fields=True):
    """Answer the receipts of the results that were kept, under another key."""

    key: str


class Open(msgspec.Struct, frozen=True, tag="open", forbid_unknown_fields=True):
    """Answer one result of the device with this number."""

    number: int
    block: int


Question = Begin | Show | Fill | Again | Open


class Shown(msgspec.Struct, frozen=True):
    """The devices that a member computes on. backend: numpy or torch. Of NumPy's, each stands for a processor.

    system, fault, late: the GPUs that the machine shows, as `devices.find` has them.
    """

    backend: str
    devices: list[Device]
    system: list[Device] = []
    fault: str | None = None
    late: bool = False


class CheckFailed(IonetError):
    """the hardware check failed"""


class CheckGoesOn(CheckFailed):
    """another check of the same member goes on"""


def device_seed(seed: bytes, number: int) -> bytes:
    """The seed of one device's product: no two devices compute the same."""
    return sha256(seed + number.to_bytes(4, "little")).digest()


def encode(question: Question) -> bytes:
    return msgspec.json.encode(question)


def decode(content: bytes) -> Question:
    """Raises CheckFailed."""
    try:
        question: Question = msgspec.json.decode(content, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckFailed(f"not a question: {error}") from None
    return question


def right(content: bytes) -> bytes:
    return _RIGHT + content


def failed(why: str) -> bytes:
    return _FAILED + why.encode()[:MAX_TEXT]


def answer(frame: bytes) -> bytes:
    """What an answer's frame brings. Raises CheckFailed with the reason it gives."""
    if frame[:1] == BUSY:
        raise CheckGoesOn
    if frame[:1] != _RIGHT:
        raise CheckFailed(frame[1 : MAX_TEXT + 1].decode(errors="replace") or "an empty answer")
    return frame[1:]


def frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


async def read_parts(reader: asyncio.StreamReader, length: int, places: Sequence[int], size: int) -> list[bytes]:
    """Of an answer of `length` bytes `size` from each of some places, in order; what is between is never kept.

    Raises CheckFailed, also with the reason that another answer gives.
    """
    try:
        came = int.from_bytes(await reader.readexactly(4), "little") - 1
        kind = await reader.readexactly(1) if came >= 0 else b""
        if kind != _RIGHT:
            answer(kind + await reader.readexactly(max(0, min(came, MAX_TEXT))))
        if came != length:
            raise CheckFailed(f"{came} bytes came, {length} were expected")
        parts, at = [], 0
        for place in places:
            await _skip(reader, place - at)
            parts.append(await reader.readexactly(size))
            at = place + size
        await _skip(reader, length - at)
    except asyncio.IncompleteReadError:
        raise CheckFailed("it broke off") from None
    except OSError as error:
        raise CheckFailed(f"it broke off: {error.strerror or error}") from None
    return parts


async def _skip(reader: asyncio.StreamReader, count: int) -> None:
    while count:
        dropped = len(await reader.read(min(count, _PIECE)))
        if not dropped:
            raise CheckFailed("it broke off")
        count -= dropped


async def read(reader: asyncio.StreamReader, most: int) -> bytes:
    """The next frame. Raises CheckFailed when it has more than `most` bytes or does not come to its end."""
    try:
        length = int.from_bytes(await reader.readexactly(4), "little")
        if length > most:
            raise CheckFailed(f"{length} bytes came, at most {most} were expected")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise CheckFailed("it broke off") from None
    except OSError as error:
        raise CheckFailed(f"it broke off: {error.strerror or error}") from None
