"""The index of a device model a second time, in fractions and by search; makes the vectors."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent / "client/rules/price_index.json"


def most(by_owner: dict[str, int]) -> int:
    """By search: what counts falls behind ten times the most from some number on."""
    low, high = 0, max(by_owner.values(), default=0) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if 10 * middle <= sum(min(secs, middle) for secs in by_owner.values()):
            low = middle
        else:
            high = middle
    return low


def index(leases: list[tuple[str, int, int]], before: int | None, days: int) -> dict[str, Any]:
    """Weights, median and value. leases: owner, processor-seconds, price."""
    by_owner: dict[str, int] = {}
    for owner, secs, _ in leases:
        by_owner[owner] = by_owner.get(owner, 0) + secs
    limit = most(by_owner)
    weights = [floor(Fraction(secs * min(limit, by_owner[owner]), by_owner[owner])) for owner, secs, _ in leases]
    half = Fraction(sum(weights), 2)
    prices = sorted({price for _, _, price in leases})
    reached = [
        price
        for price in prices
        if sum(weight for weight, lease in zip(weights, leases, strict=True) if lease[2] <= price) >= half > 0
    ]
    middle = reached[0] if reached else None
    return {"weights": weights, "median": middle, "value": bound(middle, before, days)}


def bound(middle: int | None, before: int | None, days: int) -> int | None:
    if middle is None or before is None:
        return middle
    low = high = before
    for _ in range(days):
        low, high = ceil(low * Fraction(19, 20)), floor(high * Fraction(21, 20))
    return sorted((low, middle, high))[1]


def drawn(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    owners = draw.choice((1, 9, 10, 11, 15, 40))
    biggest = draw.choice((10, 10_000, 1 << 40))
    leases = [
        (
            f"owner {draw.randrange(owners) if number >= owners else number}",
            draw.randint(1, biggest) * (100 if number < draw.randrange(4) else 1),
            draw.choice((0, 1, 20, 2_000_000)) + draw.randint(0, 3_000_000),
        )
        for number in range(draw.randint(owners, 3 * owners))
    ]
    before = draw.choice((None, 1, 19, 1_500_000, 3_000_000, 10**12))
    return {"leases": leases, "before": before, "days": draw.choice((1, 1, 2, 14))}


def vectors() -> list[dict[str, Any]]:
    cases = [drawn(seed) for seed in range(49)] + [{"leases": [], "before": 5, "days": 1}]
    return [case | index(case["leases"], case["before"], case["days"]) for case in cases]


if __name__ == "__main__":
    VECTORS.write_text("[\n" + ",\n".join(json.dumps(case) for case in vectors()) + "\n]\n")
