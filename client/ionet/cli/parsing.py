"""What people type: addresses, hashes, amounts."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from pathlib import Path

from solders.pubkey import Pubkey

from ionet.errors import InvalidInput
from ionet.generated.enums import IO_DECIMALS, USD_DECIMALS

# What amounts are counted in, with their decimals; dollars are what prices and limits are in.
DECIMALS = {"IO": IO_DECIMALS, "IOSD": USD_DECIMALS, "USDC": USD_DECIMALS, "SOL": 9, "dollars": USD_DECIMALS}
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


def pubkey(text: str) -> Pubkey:
    """An address. Raises InvalidInput."""
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a valid address") from None


def hash32(text: str) -> bytes:
    """32 bytes in hex. Raises InvalidInput."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != 32:
        raise InvalidInput(f"{text!r} is not 32 bytes in hex")
    return data


def file_hash(name: str | Path) -> bytes:
    """sha256 of a file. Raises InvalidInput when it cannot be read."""
    try:
        return hashlib.sha256(Path(name).read_bytes()).digest()
    except OSError as error:
        raise InvalidInput(f"cannot read {name}: {error.strerror}") from None


def hash_of(text: str) -> bytes:
    """32 bytes in hex, or the sha256 of the file of that name. Raises InvalidInput when it is neither."""
    if Path(text).is_file():
        return file_hash(text)
    try:
        return hash32(text)
    except InvalidInput:
        raise InvalidInput(f"{text!r} is neither a file nor 32 bytes in hex") from None


def amount(text: str, token: str) -> int:
    """Base units of a decimal number of tokens. Raises InvalidInput when it is none, negative, or too fine."""
    decimals = DECIMALS[token]
    if not (text.isascii() and _PLAIN.fullmatch(text)):
        raise InvalidInput(f"{text!r} is no amount of {token}; write it like 1.5")
    if text.startswith("-"):
        raise InvalidInput(f"amounts are positive, {text} is not")
    units = Decimal(text).scaleb(decimals)
    if units >= 2**64:
        raise InvalidInput(f"{text} {token} are more than there can be: 2^64 base units and above")
    if units != units.to_integral_value():
        raise InvalidInput(f"{token} {'have' if token == 'dollars' else 'has'} {decimals} decimals, {text} has more")
    return int(units)


def tokens(units: int, token: str) -> str:
    """A decimal number of tokens, without trailing zeros."""
    text = f"{Decimal(units).scaleb(-DECIMALS[token]):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
