"""The log of a lease: every interval with what it was paid, adding up to the lease and to each settlement."""

from __future__ import annotations

import itertools
from typing import Any

import httpx2
import pytest
from indexer.api_server import get
from indexer.recording import STORIES, ConflictRecording, EndingRecording, Recording
from market import IO, PRICE

HOURLY = 2 * PRICE  # of two processors


def log_of(api: httpx2.Client, lease: object) -> Any:
    return get(api, f"leases/{lease}/intervals", limit=200)


@pytest.mark.parametrize("story", STORIES)
def test_intervals_add_up_to_the_lease_and_to_each_settlement(story: str, apis: dict[str, httpx2.Client]) -> None:
    api = apis[story]
    leases = get(api, "leases", limit=200)["items"]
    assert len(leases) > 3
    for lease in leases:
        log = log_of(api, lease["lease"])
        assert (log["paid"], log["next"], log["intervals"]) == (lease["paid"], None, len(log["items"]))
        assert sum(int(each["paid"]) for each in log["items"]) + int(log["paid_beyond"]) == int(lease["paid"])
        payments = get(api, "payments", lease=lease["lease"], limit=200)["items"]
        for number, payment in enumerate(payments):
            settled = [
                each for each in log["items"] if (each["settlement"] or {}).get("signature") == payment["signature"]
            ]
            beyond = int(log["paid_beyond"]) if number == 0 else 0  # the newest payment has it
            assert sum(int(each["paid"]) for each in settled) + beyond == int(payment["amount"])
            assert {each["settlement"]["at"] for each in settled} <= {payment["at"]}


def test_each_interval_says_what_came_of_its_challenge(
    apis: dict[str, httpx2.Client], conflicts: ConflictRecording
) -> None:
    log = log_of(apis["conflicts"], conflicts.story.paid_in_io)
    words = ["approved", "defended", "undefended", "defended", "defended", None]
    assert [each["challenge"] for each in log["items"]] == words
    assert [each["secs"] for each in log["items"]] == [3, 3, 0, 3, 3, 3]
    # 2 IO an hour. Paid in the order 0, 1, 4, then 3 and 5 at once: sums of 3, 6, 9, 12 and 15 seconds, rounded down.
    sums = [2 * IO * secs // 3600 for secs in (0, 3, 6, 9, 12, 15)]
    parts = [after - before for before, after in itertools.pairwise(sums)]
    assert [int(each["paid"]) for each in log["items"]] == [parts[0], parts[1], 0, parts[3], parts[2], parts[4]]
    left = log_of(apis["conflicts"], conflicts.story.left)
    assert [each["challenge"] for each in left["items"]] == [None, "unchallenged", "unchallenged"]
    lost = log_of(apis["conflicts"], conflicts.story.refunded)
    assert [each["challenge"] for each in lost["items"]] == [None, "undefended", "undefended", None]
    held = log_of(apis["conflicts"], conflicts.story.disputed)["items"][:4]
    assert [each["challenge"] for each in held] == [None, "disputed", "defended", None]
    assert [(each["paid"], each["settlement"]) for each in held] == [("0", None)] * 4
    assert int(held[1]["amount"]) > 0


def test_time_without_an_interval_is_told_apart(apis: dict[str, httpx2.Client], endings: EndingRecording) -> None:
    early = log_of(apis["endings"], endings.story.early)
    run = sum(each["secs"] for each in early["items"])
    assert int(early["paid_beyond"]) == HOURLY * 6 // 3600 - HOURLY * run // 3600 > 0
    unanswered = log_of(apis["endings"], endings.story.unanswered)
    assert (unanswered["items"], unanswered["paid_beyond"]) == ([], str(HOURLY * 300 // 3600))
    rejected = log_of(apis["endings"], endings.story.rejected)
    assert (rejected["items"], rejected["paid_beyond"]) == ([], "0")


def test_proofs_stand_beside_their_intervals(apis: dict[str, httpx2.Client], recording: Recording) -> None:
    api, lease = apis["ordinary"], recording.story.served
    log, proofs = log_of(api, lease), get(api, "proofs", lease=str(lease))["items"]
    shared = ("signature", "slot", "at", "served_secs", "kept", "gpu_ms", "root", "proof_head", "leaves")
    assert [each["proof"] for each in reversed(log["items"])] == [{name: p[name] for name in shared} for p in proofs]
    item = get(api, f"leases/{lease}")["item"]
    bounds = [(each["starts_at"], each["ends_at"]) for each in log["items"]]
    assert bounds == [(item["started_at"] + 3 * i, item["started_at"] + 3 * i + 3) for i in range(3)]
    assert (bounds[-1][1], log["node"]) == (item["ends_at"], item["node"])
    missed = log_of(api, recording.story.missed)["items"]
    assert [(each["proof"], each["secs"], each["amount"]) for each in missed] == [(None, 0, "0")] * 2


def paged(api: httpx2.Client, path: str, limit: int, **asked: Any) -> list[Any]:
    found, cursor = list[Any](), dict[str, Any]()
    while True:
        page = get(api, path, limit=limit, **asked, **cursor)
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def test_a_log_can_be_of_a_time(apis: dict[str, httpx2.Client], conflicts: ConflictRecording) -> None:
    """By when intervals begin, pages within it too; what a lease was paid in all stays."""
    api, path = apis["conflicts"], f"leases/{conflicts.story.paid_in_io}/intervals"
    whole = get(api, path, limit=200)
    times = [each["starts_at"] for each in whole["items"]]
    assert len(times) > 3
    for since, until in (
        (times[1], None),
        (times[1] - 1, times[3]),
        (times[1] + 1, times[3] + 1),
        (None, times[0]),
        (0, times[2]),
        (times[-1] + 1, None),
        (times[2], times[1]),
    ):
        asked = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
        wanted = [
            each
            for each in whole["items"]
            if (since is None or each["starts_at"] >= since) and (until is None or each["starts_at"] < until)
        ]
        page = get(api, path, limit=200, **asked)
        assert (page["items"], page["next"], page["paid"]) == (wanted, None, whole["paid"])
        assert paged(api, path, 1, **asked) == wanted


def test_a_log_is_paged(apis: dict[str, httpx2.Client], conflicts: ConflictRecording) -> None:
    api, path = apis["conflicts"], f"leases/{conflicts.story.paid_in_io}/intervals"
    whole = get(api, path)["items"]
    assert (len(whole), paged(api, path, 2)) == (6, whole)
    assert get(api, path, 400, cursor="x")["type"] == "bad-cursor"
    assert get(api, path, 400, order="down")["type"] == "bad-request"
    assert get(api, f"leases/{'1' * 32}/intervals", 404)["type"] == "not-found"
