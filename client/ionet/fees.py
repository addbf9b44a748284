"""What the chain takes for transactions, in lamports. Pure."""

from __future__ import annotations

from ionet.budget import MARGIN_PERCENT, MARGIN_UNITS, OVERHEAD, measured

BASE_FEE = 5_000
"""Of each signature."""
LEAST_RENT = 890_880
"""What the smallest account there is has to keep."""
MAX_PRIORITY_FEE = 100_000
"""Most micro-lamports per compute unit that are offered unless the caller says otherwise."""
DAY_SECS = 86_400
_PROOFS_AN_INTERVAL = 2


def proving_a_day(interval_secs: int) -> int:
    """The most that a node pays for the proofs of a day in which it is leased all the time.

    interval_secs: of the network's parameters.
    """
    units = OVERHEAD + measured()["append_proof"] * MARGIN_PERCENT // 100 + MARGIN_UNITS
    each = BASE_FEE - (-units * MAX_PRIORITY_FEE // 1_000_000)
    return -(-DAY_SECS // interval_secs) * _PROOFS_AN_INTERVAL * each
