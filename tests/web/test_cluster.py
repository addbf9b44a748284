"""A cluster's page: what its nodes do now, what it has cost, and its receipt."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from indexer.api_server import items
from indexer.recording import STORIES
from ionet.rules.pricing import earned
from ionet_web.pages import cluster as made
from web.conftest import pages
from web.test_pages import Read


def words(text: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Read(text).text))


@pytest.mark.parametrize("name", STORIES)
def test_every_settled_lease_is_in_the_receipt(apis: dict[str, httpx2.Client], name: str) -> None:
    told, seen = apis[name], 0
    with pages(str(told.base_url)) as client:
        for cluster in items(told, "clusters"):
            answer = client.get(f"/clusters/{cluster['cluster']}")
            assert answer.status_code == 200, words(answer.text)
            over = [
                each
                for each in items(told, "leases", cluster=cluster["cluster"])
                if each["status"] in ("closed", "cancelled")
            ]
            shown = words(answer.text)
            settled = "one settled lease." if len(over) == 1 else f"{len(over)} settled leases."
            assert (f"in all, of {settled}" in shown) is bool(over)
            assert ("Cost so far" in shown) is (cluster["closed_at"] is None)
            assert ("data-again" in answer.text) is (cluster["closed_at"] is None)
            for each in over:
                total = sum(int(each[field] or 0) for field in ("paid", "renter_fee", "burned"))
                assert made._row(each, 25, 0)["cost"] == total
            seen += len(over)
    assert seen


@pytest.mark.parametrize(
    ("now", "ran"),
    [(500, 0), (1_000, 0), (1_900, 900), (4_600, 3_600), (9_999, 3_600)],
)
def test_what_runs_costs_by_the_second_and_with_the_fee(now: int, ran: int) -> None:
    lease: dict[str, Any] = {
        **dict.fromkeys(("served_secs", "paid", "renter_fee", "burned"), "0"),
        "status": "active",
        "price": "2000000",
        "processors": 2,
        "started_at": 1_000,
        "ends_at": 4_600,
    }
    row = made._row(lease, 25, now)
    before_fee = earned(2_000_000, 2, ran)
    assert row["served"] == ran
    assert row["cost"] == before_fee + -(-before_fee * 25 // 10_000)
    assert (row["next"], row["until"]) == ("its end", 4_600)
