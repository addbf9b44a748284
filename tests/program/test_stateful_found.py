"""Sequences that once failed, or that a run of `test_stateful.py` showed to be easily got wrong: replayed step by step
with everything checked after each, as the run prints them."""

from __future__ import annotations

from typing import Any

import pytest
from program.lives.truths import Truths

Steps = list[tuple[str, dict[str, Any]]]

FOUND: dict[str, Steps] = {
    "a settlement that pays nothing does not look at the owed account it is shown": [
        ("start", {"profile": 0, "intervals": 12}),
        ("outlast", {"pick": 0}),
        ("fall_through", {"by": 0, "pick": 1}),
        ("block", {"how": "give away", "mint": 1, "pick": 0}),
        ("lurk", {"slots": [(6, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]}),
        ("go_on", {"intervals": 1, "pick": 0}),
    ],
    "a dismissed case leaves the block that an earlier one put on the node": [
        ("start", {"profile": 1, "intervals": 900}),
        ("accuse", {"pick": 0, "bps": 1_000, "amount": 0, "early": False}),
        ("accuse", {"pick": 0, "bps": 500, "amount": 777, "early": False}),
        ("sleep", {"pick": 1, "days": 35}),
        ("wait", {"intervals": 12, "stalled": 1}),
        ("accuse", {"pick": 12, "bps": 0, "amount": 777, "early": False}),
        ("accuse", {"pick": 12, "bps": 0, "amount": 5_000_000, "early": True}),
    ],
    "a reporter without an account of their own still charges an outage": [
        ("start", {"profile": 0, "intervals": 900}),
        ("block", {"how": "give away", "mint": 0, "pick": 7}),
        ("wait", {"intervals": 350, "stalled": 1}),
        ("push", {"pick": 0, "name": "report_missed", "by": 7}),
    ],
    "a lease that was left is disputed before the intervals that it named": [
        ("start", {"profile": 0, "intervals": 60}),
        ("prove_and_dispute", {"pick": 8, "length": 3, "defended": True}),
        ("prove_and_leave", {"pick": 8, "length": 3, "later": True}),
        ("defend", {"pick": 8, "by": 0, "skip": 0, "times": 3}),
        ("outlast", {"pick": 8}),
    ],
    "the session key changes while a dispute is open, and the supplier still wins": [
        ("start", {"profile": 0, "intervals": 60}),
        ("prove_and_dispute", {"pick": 8, "length": 4, "defended": False}),
        ("rotate_session", {"pick": 8, "turn": 1, "secs": 10**8}),
        ("defend", {"pick": 8, "by": 1, "skip": 0, "times": 2}),
        ("progress", {"pick": 8, "intervals": 12}),
    ],
}


@pytest.mark.parametrize("name", FOUND)
def test_sequences_that_were_found(name: str) -> None:
    state = Truths()
    for step, arguments in FOUND[name]:
        getattr(state, step)(**arguments)
        state.all_is_well()
    state.teardown()
