"""Keys and names as the API shows them."""

from __future__ import annotations

from ionet.generated.enums import NetworkRole
from solders.pubkey import Pubkey

_NOBODY = Pubkey.default()


def key_or_none(key: Pubkey) -> str | None:
    """Base58, or None for the all-zero key that the program writes for nobody."""
    return None if key == _NOBODY else str(key)


def role_value(role: int, value: bytes) -> str | None:
    """Who holds a role, as base58 or None for nobody; a feed is hex."""
    return value.hex() if role == NetworkRole.FEED else key_or_none(Pubkey.from_bytes(value))


def readable(name: bytes) -> str:
    """A padded name as text. What a column cannot hold, zero bytes inside and broken UTF-8, becomes U+FFFD."""
    return name.rstrip(b"\0").decode(errors="replace").replace("\0", "\ufffd")
