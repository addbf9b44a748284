from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ionet.rules import merkle

hashes = st.binary(max_size=8).map(lambda seed: sha256(seed).digest())
trees = st.lists(hashes, min_size=1, max_size=40)


def test_merkle_known_shapes() -> None:
    a, b, c = (sha256(name).digest() for name in (b"a", b"b", b"c"))
    ab = sha256(b"\x01" + a + b).digest()
    assert merkle.root([]) == bytes(32)
    assert merkle.root([a]) == a
    assert merkle.root([a, b, c]) == sha256(b"\x01" + ab + c).digest()
    assert merkle.path([a, b, c], 2) == [ab]
    assert merkle.path([a, b, c], 0) == [b, c]


def test_merkle_leaf_layout() -> None:
    lease, task, result = bytes(range(32)), bytes(32), merkle.result_hash(b"result")
    packed = b"\x00" + lease + (7).to_bytes(8, "little") + (3).to_bytes(4, "little") + task + sha256(b"result").digest()
    assert merkle.leaf(lease, 7, 3, task, result) == sha256(packed).digest()


@given(trees, st.data())
def test_merkle_every_path_verifies(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    siblings = merkle.path(leaves, index)
    assert merkle.verify(leaves[index], index, len(leaves), siblings, merkle.root(leaves))


@given(trees, st.data())
def test_merkle_any_change_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    other = data.draw(hashes.filter(lambda h: h != leaves[index]))
    siblings, root = merkle.path(leaves, index), merkle.root(leaves)
    assert not merkle.verify(other, index, len(leaves), siblings, root)
    assert not merkle.verify(leaves[index], index, len(leaves), [*siblings, other], root)
    if siblings:
        cut = data.draw(st.integers(0, len(siblings) - 1))
        swapped = data.draw(hashes.filter(lambda h: h != siblings[cut]))
        assert not merkle.verify(leaves[index], index, len(leaves), siblings[:cut] + siblings[cut + 1 :], root)
        assert not merkle.verify(
            leaves[index], index, len(leaves), [*siblings[:cut], swapped, *siblings[cut + 1 :]], root
        )


@given(hashes, st.integers(-2, 3))
def test_merkle_nothing_is_proven_against_the_empty_root(leaf: bytes, count: int) -> None:
    assert not merkle.verify(leaf, 0, count, [], merkle.EMPTY_ROOT)


def test_merkle_refuses_bad_input() -> None:
    with pytest.raises(merkle.MerkleError, match="lease must be 32 bytes"):
        merkle.leaf(b"short", 0, 0, bytes(32), bytes(32))
    with pytest.raises(merkle.MerkleError, match="not a u64"):
        merkle.leaf(bytes(32), 1 << 64, 0, bytes(32), bytes(32))
    with pytest.raises(merkle.MerkleError, match="not a u32"):
        merkle.leaf(bytes(32), 0, -1, bytes(32), bytes(32))
    with pytest.raises(merkle.MerkleError, match="no leaf 2"):
        merkle.path([bytes(32)], 2)
    with pytest.raises(merkle.MerkleError, match="leaf must be 32 bytes"):
        merkle.root([b"short"])
    assert not merkle.verify(b"short", 0, 1, [], b"short")
