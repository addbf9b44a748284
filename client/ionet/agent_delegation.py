"""How a renter speaks to agents without their wallet's key in a program: the wallet signs for another key, for hours.

The message names the cluster, the key that callers show in TLS and when it ends. An agent knows the first two itself,
so what is sent is the rest: `ionet-delegation: EXPIRES:SIGNATURE`, unix seconds and 64 bytes in hex.
"""

from __future__ import annotations

from typing import NamedTuple

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

DELEGATION_HEADER = "ionet-delegation"
MAX_SECS = 24 * 3600
"""How far ahead, by the chain's clock, a delegation may end."""
_DOMAIN = b"ionet:agent-delegation:v1\0"


class Delegated(NamedTuple):
    """A key for one cluster, and the header that shows whose it is."""

    key: Keypair
    header: str


def message(cluster: Pubkey, key: Pubkey, expires: int) -> bytes:
    """The bytes that the wallet signs; every part has a fixed length."""
    return _DOMAIN + bytes(cluster) + bytes(key) + expires.to_bytes(8, "little")


def delegate(wallet: Keypair, cluster: Pubkey, now: float, secs: float = MAX_SECS / 2) -> Delegated:
    """A new key that speaks for `wallet`, the renter of `cluster`, for `secs` from `now` (unix seconds) on.

    Half of what is allowed by default: the machine's clock may differ from the chain's by the other half.
    """
    key, expires = Keypair(), int(now + secs)
    signature = wallet.sign_message(message(cluster, key.pubkey(), expires))
    return Delegated(key, f"{expires}:{bytes(signature).hex()}")


def why_not(header: str, renter: Pubkey, cluster: Pubkey, key: Pubkey, now: int) -> str | None:
    """Why `key` may not speak for `renter`; None when it may. header: as it was sent. now: the chain's clock."""
    end, _, text = header.partition(":")
    # A fixed width keeps the number inside the eight bytes that are signed.
    if not (end.isascii() and end.isdecimal() and len(end) <= 12):
        return "the delegation does not say when it ends"
    try:
        signature = Signature.from_bytes(bytes.fromhex(text))
    except ValueError:
        return "the delegation has no signature of 64 bytes in hex"
    expires = int(end)
    if expires <= now:
        return f"the delegation ended {now - expires} s ago, by the chain's clock"
    if expires > now + MAX_SECS:
        return f"the delegation lasts longer than {MAX_SECS} s"
    if not signature.verify(renter, message(cluster, key, expires)):
        return "the delegation is not signed by the cluster's renter for this key"
    return None
