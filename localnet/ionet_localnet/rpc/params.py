"""Parameters of a JSON-RPC call, validated and typed."""

from __future__ import annotations

from typing import Any

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_localnet.errors import LocalnetError
from ionet_localnet.timeline import Commitment

INVALID_PARAMS = -32602
_COMMITMENTS: dict[Any, Commitment] = {
    "processed": "processed",
    "confirmed": "confirmed",
    "finalized": "finalized",
    # Names that Agave still takes.
    "recent": "processed",
    "single": "confirmed",
    "singleGossip": "confirmed",
    "root": "finalized",
    "max": "finalized",
}


class RpcError(LocalnetError):
    """the request cannot be answered

    code and detail as JSON-RPC reports them; `data` is any JSON value.
    """

    def __init__(self, code: int, detail: str, data: Any = None) -> None:
        super().__init__(detail)
        self.code = code
        self.data = data

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"code": self.code, "message": self.detail}
        return body if self.data is None else {**body, "data": self.data}


def invalid(message: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {message}")


class Params:
    """Positional parameters; the last one may be a configuration object."""

    def __init__(self, values: Any) -> None:
        if values is None:
            values = []
        if not isinstance(values, list):
            raise invalid("expected an array")
        self._values: list[Any] = values

    def any(self, position: int) -> Any:
        return self._values[position] if position < len(self._values) else None

    def string(self, position: int) -> str:
        value = self.any(position)
        if not isinstance(value, str):
            raise invalid(f"parameter {position} must be a string")
        return value

    def u64(self, position: int, default: int | None = None) -> int:
        return as_u64(self.any(position), f"parameter {position}", default)

    def pubkey(self, position: int) -> Pubkey:
        return as_pubkey(self.string(position))

    def signature(self, position: int) -> Signature:
        return as_signature(self.string(position))

    def strings(self, position: int, limit: int) -> list[str]:
        values = self.any(position)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise invalid(f"parameter {position} must be an array of strings")
        if len(values) > limit:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {limit}")
        return values

    def config(self, position: int) -> Config:
        value = self.any(position)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise invalid(f"parameter {position} must be an object")
        return Config(value)


class Config:
    """A configuration object of a call, e.g. `{"commitment": "confirmed"}`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise invalid(f"{name} must be true or false")
        return value

    def u64(self, name: str, default: int | None = None) -> int:
        return as_u64(self.values.get(name), name, default)

    def optional_u64(self, name: str) -> int | None:
        return None if self.values.get(name) is None else self.u64(name)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.values.get(name)
        if value is None:
            return default
        if value not in choices:
            raise invalid(f"unknown {name} {value!r}, expected one of {', '.join(choices)}")
        return str(value)

    def optional_signature(self, name: str) -> Signature | None:
        value = self.values.get(name)
        return None if value is None else as_signature(value)

    def commitment(self, name: str = "commitment") -> Commitment:
        value = self.values.get(name)
        if value is None:
            return "finalized"
        if not isinstance(value, str) or value not in _COMMITMENTS:
            raise invalid(f"unknown commitment {value!r}")
        return _COMMITMENTS[value]


def as_u64(value: Any, name: str, default: int | None = None) -> int:
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**64:
        raise invalid(f"{name} must be an unsigned 64-bit integer")
    return value


def as_pubkey(value: Any) -> Pubkey:
    try:
        return Pubkey.from_string(value)
    except (ValueError, TypeError) as failure:
        raise invalid(f"{value!r} is not a public key") from failure


def as_signature(value: Any) -> Signature:
    try:
        return Signature.from_string(value)
    except (ValueError, TypeError) as failure:
        raise invalid(f"{value!r} is not a signature") from failure


def as_hash(value: Any) -> Hash:
    try:
        return Hash.from_string(value)
    except (ParseHashError, TypeError) as failure:
        raise invalid(f"{value!r} is not a hash") from failure
