"""What an authority writes to change parameters and models: NAME=VALUE, in people's units; and what that changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ionet import resolve
from ionet.cli.parsing import amount
from ionet.cli.session import Preview
from ionet.cli.views import view
from ionet.errors import InvalidInput
from ionet.generated.enums import DevicePool
from ionet.generated.types import Params
from ionet.words import parse

_TOKENS = {
    **dict.fromkeys(("stake_per_processor", "reporter_cap", "case_network_cap"), "IO"),
    **dict.fromkeys(("mint_floor", "redeem_floor"), "IOSD"),
}


def parameter(text: str) -> tuple[str, Any]:
    """A parameter's name and value of NAME=VALUE; several values are separated by commas. Raises InvalidInput.

    NAME: with its unit or without, as `network show` has it. VALUE: a number of the program, or 90m, 0.5%, 1.5IO.
    """
    name, value = _parts(text)
    full = [known for known in Params.__struct_fields__ if known in (name, f"{name}_secs", f"{name}_bps")]
    name = full[0] if len(full) == 1 else name
    values = [_value(name, part.strip()) for part in value.split(",")]
    return name, values[0] if len(values) == 1 else tuple(values)


def term(text: str) -> tuple[str, int]:
    """A term of a device model and its value, of NAME=VALUE. Raises InvalidInput."""
    name, value = _parts(text)
    if name == "reference_price":
        return name, amount(value.removeprefix("$"), "dollars")
    if name == "pool" and not value.isdecimal():
        return name, parse(DevicePool, value, "pool")
    return name, _number(name, value)


def preview(kind: str, base: msgspec.Struct, wanted: Mapping[str, Any]) -> Preview:
    """What changes, in words. kind: what `view` calls it. base: what it changes."""
    known = {name: value for name, value in wanted.items() if hasattr(base, name)}  # others are refused when sent
    lines = [
        f"{name}: {_shown(kind, name, getattr(base, name))} → {_shown(kind, name, to)}" for name, to in known.items()
    ]
    return Preview(tuple(lines))


def _shown(kind: str, name: str, value: Any) -> str:
    return next(iter(view(kind, {name: value}).values()), "0")


def _parts(text: str) -> tuple[str, str]:
    name, given, value = text.partition("=")
    if not (given and name.strip() and value.strip()):
        raise InvalidInput(f"{text!r} is not NAME=VALUE")
    return name.strip().replace(" ", "_").replace("-", "_"), value.strip()


def _value(name: str, text: str) -> int:
    if name.endswith("_secs"):
        return resolve.duration(text)
    if name.endswith("_bps"):
        return resolve.share(text)
    token = _TOKENS.get(name)
    if token is not None and not (text.isascii() and text.isdecimal()):
        if not text.endswith(token):
            raise InvalidInput(f"{name}={text}: say 1.5{token}, or a number of base units")
        return amount(text.removesuffix(token).strip(), token)
    return _number(name, text)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InvalidInput(f"{name}={text}: a whole number is expected")
    return int(text)
