"""The index of a device model: fifty vectors, a second implementation, and what it promises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from index_again import VECTORS, drawn, index, most, vectors
from ionet.rules.price_index import Settled, median, moved, price_in_dollars, weights

pytestmark = pytest.mark.matrix


def computed(case: dict[str, Any]) -> dict[str, Any]:
    leases = [Settled(*lease) for lease in case["leases"]]
    found = median(leases)
    value = found if found is None or case["before"] is None else moved(case["before"], found, case["days"])
    return {"weights": weights(leases), "median": found, "value": value}


def test_the_rule_is_that_of_the_vectors() -> None:
    cases = json.loads(VECTORS.read_text())
    assert len(cases) == 50
    for case in cases:
        assert computed(case) == {name: case[name] for name in ("weights", "median", "value")}


def test_the_vectors_are_those_of_the_second_implementation() -> None:
    assert json.loads(VECTORS.read_text()) == json.loads(json.dumps(vectors()))


@pytest.mark.parametrize("seed", range(1_000, 1_300))
def test_both_implementations_agree(seed: int) -> None:
    case = drawn(seed)
    assert computed(case) == index(case["leases"], case["before"], case["days"])


@pytest.mark.parametrize("seed", range(200))
def test_no_owner_counts_for_more_than_a_tenth(seed: int) -> None:
    """But for the seconds that rounding takes from others, less than one a lease."""
    leases = [Settled(*lease) for lease in drawn(seed)["leases"]]
    weighed = weights(leases)
    by_owner: dict[str, int] = {}
    for lease, weight in zip(leases, weighed, strict=True):
        by_owner[lease.owner] = by_owner.get(lease.owner, 0) + weight
    assert all(10 * weight <= sum(weighed) + len(leases) for weight in by_owner.values())


def ten(**special: int) -> list[Settled]:
    """Ten owners with 100 processor-seconds each, at 1 … 10."""
    return [Settled(f"owner {n}", special.get(f"secs_{n}", 100), n) for n in range(1, 11)]


def test_the_median_is_over_processor_seconds_not_leases() -> None:
    # Eleven owners of 100 seconds, c = 110: nobody is capped, so 550 of 1,100 seconds are reached at 6.
    assert median([*ten(), Settled("eleventh", 100, 11)]) == 6
    # Ten owners: each counts for exactly a tenth, whatever they have more.
    assert weights(ten(secs_10=10_000)) == [100] * 10
    assert median(ten(secs_10=10_000)) == 5


def test_an_owner_with_most_of_the_hours_counts_for_a_tenth() -> None:
    small = [Settled(f"owner {n}", 100, 10) for n in range(18)]
    whale = [Settled("whale", 1_000_000, 99), Settled("whale", 1_000_000, 99)]
    # 18 · 100 = 9 · c: c = 200, half of it for each of the two leases.
    assert weights([*small, *whale]) == [100] * 18 + [100, 100]
    assert median([*small, *whale]) == 10
    assert most({f"owner {n}": 100 for n in range(18)} | {"whale": 2_000_000}) == 200


def test_fewer_than_ten_owners_make_no_index() -> None:
    assert median(ten()[:9]) is None
    assert median([]) is None


def test_the_value_moves_five_percent_a_day_at_most() -> None:
    assert moved(1_000_000, 2_000_000, 1) == 1_050_000
    assert moved(1_000_000, 1, 1) == 950_000
    assert moved(1_000_000, 1_049_999, 1) == 1_049_999
    assert moved(1_000_000, 2_000_000, 2) == 1_102_500
    assert moved(1_000_000, 1, 14) == 487_678  # halving takes fourteen days
    assert moved(19, 1_000, 1) == 19
    assert moved(21, 1, 1) == 20


def test_a_price_in_io_counts_at_the_price_of_its_booking() -> None:
    assert price_in_dollars(150_000_000, 2_000_000) == 3_000_000  # 1.5 IO at $2
    assert price_in_dollars(1, 99_999_999) == 0
