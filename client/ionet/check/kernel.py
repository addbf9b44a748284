"""The product C = A·B in 7-bit numbers from a seed: exact, the same on every device, and verified in O(n²).

Lines are the rows of A (matrix 0) and the columns of B (matrix 1). A line is a stream of splitmix64, its state the
first 8 bytes (little-endian) of sha256(seed ‖ round u32 LE ‖ matrix u8 ‖ line u32 LE); each word gives eight entries
`& 0x7f`, lowest byte first. So C[i, j] is the sum of products of two lines, below 2³¹ for every n allowed here. A
*block* is the next n entries of every line: another product from the same states.

A **result** is C mod 127, one byte an entry. Freivalds' check multiplies it by vectors that were drawn after it was
committed to: a wrong result passes one with probability at most 1/127, twenty with at most 127⁻²⁰.

A **receipt** is 64 bytes that nobody has without the result: every entry passes through
Q(c) = ((177·c + key) mod 256) >> 4, which is not linear, before it is summed with weights drawn from the key. There is
one right result, so a receipt need not resist collisions: whoever was sent the result computes it too.
"""

from __future__ import annotations

import secrets
import struct
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

PRIME = 127
VECTORS = 20
LEFT, RIGHT, WEIGHTS = 0, 1, 2
RECEIPT_LEN = 64
MIN_SIZE, MAX_SIZE = 8, 8192
SEED_LEN = 32
GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MULTIPLIER = 177
WEIGHT_COUNT = RECEIPT_LEN // 8
# This many products of two 7-bit numbers sum up exactly in float32: 1,024 · 127² < 2²⁴.
EXACT_TERMS = 1024


def states(seed: bytes, round_: int, matrix: int, lines: int) -> Words:
    """Where the streams of a matrix's lines begin: uint64 of shape (lines,)."""
    prefix = sha256(seed + struct.pack("<IB", round_, matrix))
    found = np.empty(lines, np.uint64)
    for line in range(lines):
        whole = prefix.copy()
        whole.update(line.to_bytes(4, "little"))
        found[line] = int.from_bytes(whole.digest()[:8], "little")
    return found


def words(begin: Words, first: int, count: int) -> Words:
    """Words `first` to `first + count` of each stream: uint64 of shape (lines, count)."""
    steps = np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(GAMMA)
    mixed: Words = begin[:, None] + steps[None, :]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(FIRST)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(SECOND)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def entries(begin: Words, width: int, block: int = 0) -> Bytes:
    """`width` entries of each line, those of `block`: uint8 of shape (lines, width), each below 128."""
    count = width // 8
    mixed = words(begin, block * count, count).astype("<u8", copy=False)
    return mixed.view(np.uint8) & np.uint8(0x7F)


def sums(left: Bytes, right: Bytes) -> NDArray[np.int64]:
    """Row by row of `left` with row by row of `right`, exactly. Entries are below 128."""
    total = np.zeros((left.shape[0], right.shape[0]), np.int64)
    for start in range(0, left.shape[1], EXACT_TERMS):
        part = slice(start, start + EXACT_TERMS)
        total += (left[:, part].astype(np.float32) @ right[:, part].astype(np.float32).T).astype(np.int64)
    return total


def product(left: Bytes, right: Bytes) -> Bytes:
    """The result, from the lines of A and B: C mod 127."""
    return (sums(left, right) % PRIME).astype(np.uint8)


def weights(key: bytes, size: int) -> Bytes:
    """Weights of a receipt: eight for each column of the result."""
    return entries(states(key, 0, WEIGHTS, size), WEIGHT_COUNT)


def quantum_key(key: bytes) -> int:
    """What Q adds."""
    return key[0]


def receipt(result: Bytes, key: bytes, drawn: Bytes) -> bytes:
    """Eight sums of the result's quanta, i64 little-endian. drawn: `weights` of the same key."""
    every = (np.arange(PRIME + 1) * MULTIPLIER + quantum_key(key)) % 256 // 16
    quanta = every.astype(np.uint8)[result]
    rows = sums(quanta, np.ascontiguousarray(drawn.T))
    numbers = 2 * np.arange(len(result), dtype=np.int64) + 1
    found: NDArray[np.int64] = (rows * numbers[:, None]).sum(axis=0)
    return found.astype("<i8").tobytes()


def draw_vectors(size: int, count: int = VECTORS) -> Bytes:
    """`count` random vectors over the integers modulo 127: uint8 of shape (count, size)."""
    wanted, drawn = size * count, np.empty(0, np.uint8)
    while len(drawn) < wanted:
        fresh = np.frombuffer(secrets.token_bytes(wanted + 64), np.uint8) & np.uint8(0x7F)
        drawn = np.concatenate([drawn, fresh[fresh < PRIME]])
    return drawn[:wanted].reshape(count, size)


def holds(left: Bytes, right: Bytes, result: Bytes, vectors: Bytes) -> bool:
    """Freivalds' check: whether the result times each vector is A·(B·vector), modulo 127.

    False too for a result of another shape or with entries that are not residues.
    """
    if result.shape != (len(left), len(right)) or result.dtype != np.uint8 or bool((result >= PRIME).any()):
        return False
    inner = (sums(np.ascontiguousarray(right.T), vectors) % PRIME).astype(np.uint8)
    expected = sums(left, np.ascontiguousarray(inner.T)) % PRIME
    return bool((sums(result, vectors) % PRIME == expected).all())
