"""Words for the program's small numbers, as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping

from solders.pubkey import Pubkey

PROFILES = {0: "mainnet", 1: "local"}
DEVICE_KINDS = {0: "gpu", 1: "cpu"}
POOLS = {0: "enterprise", 1: "community"}
CURRENCIES = {1: "IOSD", 2: "USDC", 4: "IO"}
CLUSTER_KINDS = {0: "ray", 1: "mega-ray", 2: "kubernetes", 3: "container"}
ROLES = {0: "head", 1: "worker"}
END_REASONS = {
    1: "expired",
    2: "renter",
    3: "supplier-fault",
    4: "quit",
    5: "not-ready",
    6: "not-accepted",
    7: "unchallenged",
}
SLASH_REASONS = {1: "missed", 2: "quit", 3: "promise", 4: "case"}
CASE_REASONS = {1: "false-hardware", 2: "false-proofs", 3: "data-theft", 4: "other"}
NETWORK_ROLES = {1: "authority", 2: "pauser", 3: "arbiter", 4: "feed"}
_FEED = 4
FLAG_BLOCKED = 4

_NOBODY = Pubkey.default()


def word(names: Mapping[int, str], number: int) -> str:
    """The word for a number; a number this version does not know stays readable."""
    return names.get(number, f"unknown-{number}")


def key_or_none(key: Pubkey) -> str | None:
    """Base58, or None for the all-zero key that the program writes for nobody."""
    return None if key == _NOBODY else str(key)


def role_value(role: int, value: bytes) -> str | None:
    """Who holds a role, as base58 or None for nobody; a feed is hex."""
    return value.hex() if role == _FEED else key_or_none(Pubkey.from_bytes(value))
