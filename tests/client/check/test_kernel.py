"""The arithmetic of the hardware check, against plain Python numbers; and that no wrong result passes."""

from __future__ import annotations

import struct
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ionet.check import kernel

SEED, KEY = bytes(range(32)), b"k" * 32
sizes = st.sampled_from([8, 16, 24, 40, 64])
seeds = st.binary(min_size=32, max_size=32)


def line(seed: bytes, matrix: int, number: int, width: int) -> list[int]:
    """One line by the definition, in Python's own numbers."""
    state = int.from_bytes(sha256(seed + struct.pack("<IBI", 0, matrix, number)).digest()[:8], "little")
    found: list[int] = []
    while len(found) < width:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        word = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
        found += [byte & 0x7F for byte in (word ^ (word >> 31)).to_bytes(8, "little")]
    return found[:width]


def matrices(seed: bytes, size: int, block: int = 0) -> tuple[kernel.Bytes, kernel.Bytes]:
    left, right = (
        kernel.entries(kernel.states(seed, 0, matrix, size), size, block) for matrix in (kernel.LEFT, kernel.RIGHT)
    )
    return left, right


@given(seeds)
def test_lines_and_products_are_those_of_the_definition(seed: bytes) -> None:
    rows, columns = ([line(seed, matrix, number, 16) for number in range(16)] for matrix in (0, 1))
    left, right = matrices(seed, 16)
    assert (left.tolist(), right.tolist()) == (rows, columns)
    whole = [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in rows]
    assert kernel.sums(left, right).tolist() == whole
    assert kernel.product(left, right).tolist() == [[entry % 127 for entry in row] for row in whole]


def test_blocks_are_the_next_entries_of_the_same_lines() -> None:
    begin = kernel.states(SEED, 0, kernel.LEFT, 16)
    whole = [line(SEED, 0, number, 48) for number in range(16)]
    assert [row[32:] for row in whole] == kernel.entries(begin, 16, block=2).tolist()


def test_splitmix64_is_the_known_one() -> None:
    # The first three outputs of the reference implementation for the seed 1234567.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert kernel.words(np.array([1234567], np.uint64), 0, 3).tolist() == [known]


@pytest.mark.parametrize("size", [1024, 2048])
def test_sums_are_exact_where_every_entry_is_the_largest(size: int) -> None:
    """Longer than what float32 sums exactly at once."""
    full = np.full((8, size), 127, np.uint8)
    assert (kernel.sums(full, full) == size * 127 * 127).all()


@given(seeds, sizes)
def test_a_right_result_always_passes(seed: bytes, size: int) -> None:
    left, right = matrices(seed, size)
    assert kernel.holds(left, right, kernel.product(left, right), kernel.draw_vectors(size))


@given(seeds, sizes, st.data())
def test_an_error_in_any_single_entry_is_caught(seed: bytes, size: int, data: st.DataObject) -> None:
    left, right = matrices(seed, size)
    result = kernel.product(left, right)
    place = data.draw(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)))
    result[place] = (int(result[place]) + data.draw(st.integers(1, 126))) % 127
    assert not kernel.holds(left, right, result, kernel.draw_vectors(size))


def test_one_vector_of_127_lets_an_error_slip_and_no_more() -> None:
    """The bound for one vector, over every value that decides about an error: so twenty let 127⁻²⁰ slip."""
    left, right = matrices(SEED, 16)
    result = kernel.product(left, right)
    result[3, 5] = (int(result[3, 5]) + 1) % 127
    slipped = []
    for value in range(127):
        vector = kernel.draw_vectors(16, 1)
        vector[0, 5] = value
        if kernel.holds(left, right, result, vector):
            slipped.append(value)
    assert slipped == [0]
    assert kernel.VECTORS == 20
    assert kernel.draw_vectors(16).shape == (20, 16)


def test_vectors_are_spread_evenly_over_the_residues() -> None:
    counts = np.bincount(kernel.draw_vectors(4096).reshape(-1), minlength=127)
    assert len(counts) == 127
    assert counts.min() > 400  # 645 are expected, with a deviation of 25
    assert counts.max() < 900


@pytest.mark.parametrize("shape", [(16, 15), (15, 16), (17, 16), (256,), (0, 16)])
def test_a_result_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    left, right = matrices(SEED, 16)
    assert not kernel.holds(left, right, np.zeros(shape, np.uint8), kernel.draw_vectors(16))


def test_a_residue_written_as_127_is_refused() -> None:
    left, right = matrices(SEED, 40)
    result = kernel.product(left, right)
    row, column = np.argwhere(result == 0)[0]
    result[row, column] = 127
    assert not kernel.holds(left, right, result, kernel.draw_vectors(40))


@given(seeds, st.data())
def test_a_receipt_changes_with_any_entry_that_falls_into_another_quantum(seed: bytes, data: st.DataObject) -> None:
    left, right = matrices(seed, 16)
    result, drawn = kernel.product(left, right), kernel.weights(KEY, 16)
    before = kernel.receipt(result, KEY, drawn)
    assert len(before) == kernel.RECEIPT_LEN
    row, column, entry = data.draw(st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 126)))
    quanta = [((177 * c + KEY[0]) % 256) >> 4 for c in range(127)]
    same = quanta[int(result[row, column])] == quanta[entry]
    result[row, column] = entry
    assert (kernel.receipt(result, KEY, drawn) == before) == same


def test_a_receipt_is_no_linear_function_of_the_result() -> None:
    """Or it could be had in O(n²), as A·(B·weights), without the result."""
    drawn = kernel.weights(KEY, 16)
    one, two = (matrices(bytes([number] * 32), 16)[0] % 63 for number in (1, 2))
    parts = [np.frombuffer(kernel.receipt(item, KEY, drawn), "<i8") for item in (one, two, one + two, 0 * one)]
    assert (parts[0] + parts[1] != parts[2] + parts[3]).all()


def test_another_key_is_another_receipt() -> None:
    result = kernel.product(*matrices(SEED, 16))
    assert len({kernel.receipt(result, key, kernel.weights(key, 16)) for key in (KEY, SEED, bytes(32))}) == 3
