"""How somebody tends: what may be spent, how often they look, what of all that is due they want done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.duties import Duty, Habits, Reward, Seen
from ionet.generated.enums import IO_UNIT
from ionet.rpc import Rpc
from ionet.rules.restarts import Moment

LAMPORTS = 10**9


@dataclass(frozen=True)
class Limits:
    """What may be spent, in lamports.

    hourly: in any hour. floor: balance below which nothing is sent. each: for one action, rents included.
    """

    hourly: int = LAMPORTS // 20
    floor: int = LAMPORTS // 100
    each: int = 5_000_000


@dataclass(frozen=True, kw_only=True)
class Manner:
    """window: seconds over which all who tend spread what is due. idle_secs: between looks when nothing is due soon.
    heal_secs: between comparisons of everything. sol_price: micro-dollars per SOL, to compare gains with fees."""

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


class Interest(Protocol):
    """What somebody wants done."""

    async def wants(self, client: Client, duty: Duty, seen: Seen, at: Moment, reward: Reward, fee: int) -> bool:
        """Whether this is worth its fee (lamports at most) now that it is due. Raises IonetError."""


class Source(Protocol):
    """Which accounts somebody tends. Everything raises RpcError where nobody answered.

    vaults: whether token accounts of the network and of nodes are among them.
    """

    vaults: bool

    async def start(self, rpc: Rpc) -> None:
        """What changes from now on is asked for next."""

    async def changed(self, rpc: Rpc) -> set[Pubkey] | None:
        """The accounts that may have changed since the last time; None where all have to be compared."""

    async def versions(self, rpc: Rpc) -> dict[Pubkey, bytes]:
        """All accounts, each with what is another whenever the account is."""


class Tally:
    """Counts what happens, by name; this one keeps nothing."""

    def acted(self, name: str, outcome: str) -> None:
        """What came of an action: done; raced (somebody else was first, nothing was sent); wasted (the same, but it
        landed); refused; expired; too_dear; failed (it could not be built)."""

    def count(self, what: str, by: int = 1) -> None:
        """transactions; spent (lamports); earned (IO, base units); rpc_errors; heals."""

    def show(self, what: str, value: int) -> None:
        """unread; backing_off; balance (lamports); paused; slot."""

    def watched_of(self, noun: str, number: int) -> None:
        """How many accounts of a kind are looked after."""
