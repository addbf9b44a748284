"""What anyone may do on the chain, as data: when it is due, how it is sent, what it pays the sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.generated.accounts import Lease
from ionet.generated.types import Params
from ionet.plan import Plan
from ionet.rules.restarts import Moment, recovery_left


@dataclass(frozen=True)
class Habits:
    """How often what may be done at any time is done.

    settle_secs: a running lease is settled once this much proven time waits to be paid. burn_secs: a burn vault is
    emptied at most this often.
    """

    settle_secs: int = 86_400
    burn_secs: int = 3_600


@dataclass(frozen=True)
class Seen:
    """An account as it was read, with what else decides about it.

    account: of the duty's noun; of a vault, its amount. node: of a position; of a device model, the network.
    vault_open: of a node, whether its stake vault still exists. mint, owner: of a vault. usable: of an owed account,
    whether the vault behind it can take the tokens.
    """

    address: Pubkey
    account: Any
    params: Params
    habits: Habits = Habits()
    node: Any = None
    vault_open: bool = False
    mint: Pubkey | None = None
    owner: Pubkey | None = None
    usable: bool = True


@dataclass(frozen=True)
class Reward:
    """What the sender gets. io: base units; lamports: rent of an account that is closed."""

    io: int = 0
    lamports: int = 0


NOTHING = Reward()


def _nothing(_seen: Seen, _at: Moment) -> Reward:
    return NOTHING


@dataclass(frozen=True)
class Duty:
    """One thing that anyone may do.

    name: of its instruction. noun: what it is about; a list of them is `ionet.duties.reading`. due: unix seconds from
    which it may be done as far as is seen now, None for as long as nothing changes. plan: how to do it. pays: what it
    pays when it is due. every: seconds after which it is done again at the earliest.
    """

    name: str
    noun: str
    due: Callable[[Seen, Moment], int | None]
    plan: Callable[[Client, Seen, Moment], Plan]
    pays: Callable[[Seen, Moment], Reward] = _nothing
    every: Callable[[Habits], int] = lambda _habits: 0


def first(at: Moment, slot_ms: int, times: Iterable[int], holds: Callable[[Moment], bool]) -> int | None:
    """The first of the times (now at the earliest) at which something holds, if the chain does not halt meanwhile."""
    for time in sorted({max(time, at.now) for time in times}):
        if holds(at.later(time - at.now, slot_ms)):
            return time
    return None


def overdue_at(lease: Lease, at: Moment, time: int, slot: int, secs: int) -> int:
    """When `secs` will be over since a moment, by the clock and by slots, and nobody is excused by a restart."""
    by_slots = -(-secs * 1_000 // max(1, lease.slot_ms)) - (at.slot - slot)
    left = max(secs - (at.now - time), -(-by_slots * lease.slot_ms // 1_000), recovery_left(lease, at))
    return at.now + max(0, left)
