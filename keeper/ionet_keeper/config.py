"""What a keeper is told: whom it serves, what it may spend, where it looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ionet.duties import Habits, Reward
from ionet.generated.enums import IO_UNIT
from solders.pubkey import Pubkey

LAMPORTS = 10**9


class Policy(StrEnum):
    """What is done: what pays more than it costs, everything, or nothing but what concerns the keys that are named.

    What concerns these keys is done in any case.
    """

    PAYS = "pays"
    ALL = "all"
    OWN = "own"


@dataclass(frozen=True)
class Limits:
    """What may be spent, in lamports.

    hourly: in any hour. floor: balance below which nothing is sent. each: for one action, rents included.
    """

    hourly: int = LAMPORTS // 20
    floor: int = LAMPORTS // 100
    each: int = 5_000_000


@dataclass(frozen=True)
class Config:
    """window: seconds over which keepers spread what is due. idle_secs: between looks when nothing is due soon.
    heal_secs: between comparisons of everything. sol_price: micro-dollars per SOL, to compare rewards with fees."""

    urls: tuple[str, ...]
    policy: Policy = Policy.ALL
    own: frozenset[Pubkey] = frozenset()
    habits: Habits = field(default_factory=Habits)
    limits: Limits = field(default_factory=Limits)
    window: float = 10.0
    busy_secs: float = 1.0
    idle_secs: float = 10.0
    heal_secs: float = 600.0
    sol_price: int = 200_000_000
    max_priority_fee: int = 20_000


def worth(reward: Reward, io_price: int, sol_price: int) -> int:
    """Lamports that a reward is worth. io_price, sol_price: micro-dollars."""
    return reward.lamports + reward.io * io_price * LAMPORTS // (IO_UNIT * max(1, sol_price))
