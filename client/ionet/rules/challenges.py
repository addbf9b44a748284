"""The challenge of an interval: what the session key signs, and the leaf 0 with which a node answers it. Pure.

ed25519 signatures are the same whenever they are made, so the holder of the session key knows every answer in advance.
"""

from __future__ import annotations

from hashlib import sha256

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.rules.merkle import leaf, result_hash

TASK_ID = sha256(b"ionet:challenge").digest()
"""Task id of leaf 0: its result is the session key's 64-byte signature over the interval's challenge."""


def challenge_message(lease: Pubkey, interval: int) -> bytes:
    """What the session key signs in every interval (u64) of a lease; 32 bytes."""
    return sha256(b"ionet:challenge" + bytes(lease) + interval.to_bytes(8, "little")).digest()


def sign_challenge(key: Keypair, lease: Pubkey, interval: int) -> bytes:
    """The session key's signature over one interval, 64 bytes."""
    return bytes(key.sign_message(challenge_message(lease, interval)))


def is_signed_by(key: Pubkey, lease: Pubkey, interval: int, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is the key's over the interval's challenge."""
    return Signature.from_bytes(signature).verify(key, challenge_message(lease, interval))


def challenge_answer(key: Keypair, lease: Pubkey, interval: int) -> bytes:
    """The result hash (32 bytes) that leaf 0 of an interval must hold."""
    return result_hash(sign_challenge(key, lease, interval))


def leaf_zero(lease: Pubkey, interval: int, signature: bytes) -> bytes:
    """The hash of leaf 0 that answers a challenge; an empty signature where none came."""
    return leaf(bytes(lease), interval, 0, TASK_ID, result_hash(signature))
