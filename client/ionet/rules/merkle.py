"""Merkle trees over the results of one lease interval: what an agent proves, an indexer stores and anyone verifies.

A leaf binds a result to its lease, interval, place and task; leaves and inner nodes hash under different first bytes,
so neither can pass for the other. A node without a sibling moves up unchanged, hence a path has no entry for that
level and `verify` needs the number of leaves. Leaf 0 always has a sibling until the root, so its path is plain.

All hashes, keys and ids are 32 bytes. The root over no leaves is `EMPTY_ROOT`; nothing can be proven against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ionet.errors import IonetError

HASH_LEN = 32
EMPTY_ROOT = bytes(HASH_LEN)


class MerkleError(IonetError):
    """not a tree of hashes like the program's"""


def _hash_of_32(name: str, value: bytes) -> bytes:
    if len(value) != HASH_LEN:
        raise MerkleError(f"{name} must be {HASH_LEN} bytes, got {len(value)}")
    return value


def result_hash(result: bytes) -> bytes:
    """sha256 of a task's result bytes: the name under which a result can be traced."""
    return sha256(result).digest()


def leaf(lease: bytes, interval: int, index: int, task_id: bytes, result_sha256: bytes) -> bytes:
    """Hash of result number `index` (u32) in `interval` (u64) of `lease`. Raises MerkleError on bad input."""
    if not 0 <= interval < 1 << 64:
        raise MerkleError(f"interval {interval} is not a u64")
    if not 0 <= index < 1 << 32:
        raise MerkleError(f"leaf index {index} is not a u32")
    return sha256(
        b"\x00"
        + _hash_of_32("lease", lease)
        + interval.to_bytes(8, "little")
        + index.to_bytes(4, "little")
        + _hash_of_32("task id", task_id)
        + _hash_of_32("result hash", result_sha256)
    ).digest()


def inner(left: bytes, right: bytes) -> bytes:
    """Hash of two sibling nodes."""
    return sha256(b"\x01" + left + right).digest()


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    above = [inner(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes in order; `EMPTY_ROOT` for none."""
    level: Sequence[bytes] = [_hash_of_32("leaf", hashed) for hashed in leaves]
    while len(level) > 1:
        level = _level_above(level)
    return level[0] if level else EMPTY_ROOT


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings of leaf `index` from the bottom up. Raises MerkleError when there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise MerkleError(f"no leaf {index} among {len(leaves)}")
    siblings = []
    level: Sequence[bytes] = [_hash_of_32("leaf", hashed) for hashed in leaves]
    while len(level) > 1:
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        level, index = _level_above(level), index // 2
    return siblings


def verify(leaf_hash: bytes, index: int, count: int, siblings: Sequence[bytes], expected_root: bytes) -> bool:
    """True when `leaf_hash` is leaf `index` of the `count` leaves under `expected_root`. Never raises on bad input."""
    hashes = (leaf_hash, expected_root, *siblings)
    if expected_root == EMPTY_ROOT or not 0 <= index < count or any(len(h) != HASH_LEN for h in hashes):
        return False
    node, remaining, width = leaf_hash, list(siblings), count
    while width > 1:
        if index ^ 1 < width:
            if not remaining:
                return False
            sibling = remaining.pop(0)
            node = inner(sibling, node) if index % 2 else inner(node, sibling)
        index, width = index // 2, (width + 1) // 2
    return not remaining and node == expected_root
