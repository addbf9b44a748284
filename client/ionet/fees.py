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


_SERVING = ("accept_ready", "end_lease", "report_missed", "settle_lease", "close_lease")
"""What a launcher sends for a lease at most; `reject_ready` or `cancel_lease` go in the place of more than one."""


def sending(instruction: str) -> int:
    """The most that a transaction of one instruction and one signature costs."""
    units = OVERHEAD + measured()[instruction] * MARGIN_PERCENT // 100 + MARGIN_UNITS
    return BASE_FEE - (-units * MAX_PRIORITY_FEE // 1_000_000)


def proving_a_day(interval_secs: int) -> int:
    """The most that a node pays for the proofs of a day in which it is leased all the time.

    interval_secs: of the network's parameters.
    """
    return -(-DAY_SECS // interval_secs) * _PROOFS_AN_INTERVAL * sending("append_proof")


def serving(nodes: int, lamports: int) -> int:
    """What a session key with that many lamports lacks to run and close a cluster of that size, at the most.

    It opens no account: what it has to keep is its own rent alone.
    """
    each = sum(map(sending, _SERVING))
    return nodes * each + sending("close_cluster") + max(LEAST_RENT - lamports, 0)
