"""Accounts as Solana's JSON-RPC shows them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import base58
import zstandard
from solders.account import Account
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from ionet_localnet.execution import TOKEN_PROGRAM, TOKEN_PROGRAMS, is_mint, is_token_account
from ionet_localnet.rpc.params import Config, RpcError, invalid

ENCODINGS = ("binary", "base58", "base64", "base64+zstd", "jsonParsed")
# Longer data is refused in base58, whose cost grows with the square of the length.
_BASE58_LIMIT = 128
_BASE58 = ("binary", "base58")

_NO_KEY = Pubkey.default()
_STATES = ("uninitialized", "initialized", "frozen")
Read = Callable[[Pubkey], Account | None]


class AccountView:
    """How a caller wants accounts: encoding and slice.

    Data too long for base58 is an error, or with `tolerant` a sentence in its place: a notification has nobody to
    refuse to.
    """

    def __init__(self, config: Config, read: Read, *, tolerant: bool = False) -> None:
        self._tolerant = tolerant
        self.encoding = config.choice("encoding", ENCODINGS, "binary")
        self._read = read
        self._slice: tuple[int, int] | None = None
        if (cut := config.get("dataSlice")) is not None:
            if not isinstance(cut, dict):
                raise invalid("dataSlice must be an object")
            part = Config(cut)
            self._slice = (part.u64("offset"), part.u64("length"))

    def show(self, account: Account | None) -> dict[str, Any] | None:
        if account is None:
            return None
        return {
            "lamports": account.lamports,
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": account.rent_epoch,
            "space": len(account.data),
            "data": self._data(account),
        }

    def _data(self, account: Account) -> Any:
        if self.encoding == "jsonParsed":
            parsed = parse_account(account, self._read)
            if parsed is not None:
                return parsed
        data = account.data
        if self._slice:
            offset, length = self._slice
            data = data[offset : offset + length]
        if self._tolerant and self.encoding in _BASE58 and len(data) > _BASE58_LIMIT:
            return "error: data too large for bs58 encoding"
        return encode_data(data, self.encoding)


def encode_data(data: bytes, encoding: str) -> Any:
    if encoding in _BASE58:
        if len(data) > _BASE58_LIMIT:
            message = (
                f"Encoded binary (base 58) data should be less than {_BASE58_LIMIT} bytes, please use Base64 encoding."
            )
            raise RpcError(-32600, message)
        text = base58.b58encode(data).decode()
        return text if encoding == "binary" else [text, "base58"]
    if encoding == "base64+zstd":
        return [base64.b64encode(zstandard.ZstdCompressor(level=1).compress(data)).decode(), encoding]
    return [base64.b64encode(data).decode(), "base64"]


def token_amount(amount: int, decimals: int) -> dict[str, Any]:
    """An amount of base units with its decimal form; `uiAmount` is a float and only for display."""
    whole, part = divmod(amount, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    return {"amount": str(amount), "decimals": decimals, "uiAmount": amount / 10**decimals, "uiAmountString": text}


def parse_account(account: Account, read: Read) -> dict[str, Any] | None:
    """The jsonParsed form of token accounts, mints and nonces; None for everything else, which is shown as base64.

    Extensions of Token-2022 are not listed.
    """
    if account.owner in TOKEN_PROGRAMS:
        program = "spl-token" if account.owner == TOKEN_PROGRAM else "spl-token-2022"
        if is_token_account(account):
            parsed = _parse_token_account(account.data, read)
            return parsed and {"program": program, "parsed": parsed, "space": len(account.data)}
        if is_mint(account):
            return {"program": program, "parsed": _parse_mint(account.data), "space": len(account.data)}
    if account.owner == SYSTEM_PROGRAM and len(account.data) == 80:
        return {"program": "nonce", "parsed": _parse_nonce(account.data), "space": 80}
    return None


def _key(data: bytes, offset: int) -> str:
    return str(Pubkey.from_bytes(data[offset : offset + 32]))


def _option_key(data: bytes, offset: int) -> str | None:
    return _key(data, offset + 4) if data[offset] else None


def _parse_token_account(data: bytes, read: Read) -> dict[str, Any] | None:
    mint = read(Pubkey.from_bytes(data[:32]))
    if mint is None or not is_mint(mint):
        return None
    decimals = mint.data[44]
    info: dict[str, Any] = {
        "mint": _key(data, 0),
        "owner": _key(data, 32),
        "tokenAmount": token_amount(int.from_bytes(data[64:72], "little"), decimals),
        "state": _STATES[data[108]],
        "isNative": bool(data[109]),
    }
    if (delegate := _option_key(data, 72)) is not None:
        info["delegate"] = delegate
        info["delegatedAmount"] = token_amount(int.from_bytes(data[121:129], "little"), decimals)
    if data[109]:
        info["rentExemptReserve"] = token_amount(int.from_bytes(data[113:121], "little"), decimals)
    if (close_authority := _option_key(data, 129)) is not None:
        info["closeAuthority"] = close_authority
    return {"type": "account", "info": info}


def _parse_mint(data: bytes) -> dict[str, Any]:
    info = {
        "mintAuthority": _option_key(data, 0),
        "supply": str(int.from_bytes(data[36:44], "little")),
        "decimals": data[44],
        "isInitialized": bool(data[45]),
        "freezeAuthority": _option_key(data, 46),
    }
    return {"type": "mint", "info": info}


def _parse_nonce(data: bytes) -> dict[str, Any]:
    if int.from_bytes(data[4:8], "little") == 0:
        return {"type": "uninitialized"}
    fee = str(int.from_bytes(data[72:80], "little"))
    info = {"authority": _key(data, 8), "blockhash": _key(data, 40), "feeCalculator": {"lamportsPerSignature": fee}}
    return {"type": "initialized", "info": info}
