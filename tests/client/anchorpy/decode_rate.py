"""Decoding rate of our codec against anchorpy's, on the same bytes in one run.

Use: PYTHONPATH=tests python -m client.anchorpy.decode_rate. Prints JSON: decodes per CPU second, and the ratios.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client.anchorpy.environment import ask
from ionet import idl
from ionet.generated.classes import CLASSES
from ionet.program import PROGRAM
from solders.pubkey import Pubkey

LEGACY = Path(idl.__file__).parent.parent / "artifacts" / "ionet.legacy.json"
ACCOUNTS = ("Node", "Lease", "Cluster", "StakePosition")
EVENTS = ("ProofAppended", "LeaseSettled", "LeaseBooked", "NodeRegistered")


def filled(name: str) -> bytes:
    """An account or event of this name whose every byte after the discriminator is small but not zero."""
    codec = PROGRAM.codec
    for kinds, encode in ((codec.idl.accounts, codec.encode_account), (codec.idl.events, codec.encode_event)):
        if name in {item.name for item in kinds}:
            return encode(_value(CLASSES[name]))
    raise KeyError(name)


def _value(kind: Any) -> Any:
    """One value of a generated class, by the annotations of its fields."""
    return kind(*[_field(kind, name, text) for name, text in kind.__annotations__.items()])


def _field(kind: Any, name: str, text: str) -> Any:
    if text == "Pubkey":
        return Pubkey(bytes(range(1, 33)))
    if text == "bool":
        return True
    if text == "bytes":
        return bytes(range(1, 4 if name == "income_vault_bumps" else 33))
    if text in CLASSES:
        return _value(CLASSES[text])
    if text.startswith("tuple["):
        item = text.removeprefix("tuple[").removesuffix(", ...]")
        counts = {"ring": 16, "tickets": 8, "tier_bps": 4}
        count = counts.get(name, 3)  # by currency, or between tiers
        return tuple(_field(kind, name, item) for _ in range(count))
    return 7


def _rate(items: list[bytes], rounds: int, decode: Callable[[bytes], object]) -> float:
    start = time.process_time()
    for _ in range(rounds):
        for item in items:
            decode(item)
    return len(items) * rounds / (time.process_time() - start)


def measure(rounds: int = 400) -> dict[str, float]:
    """Decodes per second and ratios; anchorpy does a tenth of the rounds."""
    accounts, events = [filled(name) for name in ACCOUNTS], [filled(name) for name in EVENTS]
    task = {
        "do": "decode",
        "idl": str(LEGACY),
        "rounds": max(rounds // 10, 1),
        "accounts": [b64encode(item).decode() for item in accounts],
        "events": [b64encode(item).decode() for item in events],
    }
    theirs = ask(task)
    ours = {
        "accounts": _rate(accounts, rounds, PROGRAM.codec.decode_any_account),
        "events": _rate(events, rounds, PROGRAM.codec.decode_event),
    }
    return {
        f"{kind}_{label}": round(value, 1)
        for kind in ("accounts", "events")
        for label, value in (
            ("per_s", ours[kind]),
            ("per_s_anchorpy", theirs[kind]),
            ("ratio", ours[kind] / theirs[kind]),
        )
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
