"""An interval's Merkle tree with one stored level: whoever asks for a path hashes 256 leaves, however many there are.

A node without a sibling moves up unchanged, so the tree over the blocks' roots has the root of the whole tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ionet.leaves import LEAF_LEN
from ionet.rules import merkle

BLOCK = 256  # leaves under one stored node


def hashes(lease: bytes, interval: int, body: bytes, first: int = 0) -> list[bytes]:
    """Hashes of the leaves in `body`, which begins with leaf number `first`: `merkle.leaf` of each, but faster."""
    prefix = b"\x00" + lease + interval.to_bytes(8, "little")
    return [
        sha256(prefix + (first + place).to_bytes(4, "little") + body[start : start + LEAF_LEN]).digest()
        for place, start in enumerate(range(0, len(body), LEAF_LEN))
    ]


def blocks(leaves: Sequence[bytes]) -> list[bytes]:
    """The stored nodes over leaf hashes."""
    return [merkle.root(leaves[start : start + BLOCK]) for start in range(0, len(leaves), BLOCK)]


def path(block: Sequence[bytes], stored: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings of leaf `index`, given the leaf hashes of its block and all stored nodes."""
    return merkle.path(block, index % BLOCK) + merkle.path(stored, index // BLOCK)
