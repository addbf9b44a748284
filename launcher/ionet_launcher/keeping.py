"""What a launcher keeps of its clusters: the same steps work on PostgreSQL (`store`) and on a file (`own_store`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec
from ionet.launcher_advert import Signed

from ionet_launcher.phases import ClusterPhase, Reason


class Row(msgspec.Struct, frozen=True):
    """A cluster that is due.

    age: seconds since it entered its phase; trouble: since its trouble began, 0 without. seen_slot, booked_slot: the
    newest change of its leases, and the newest booking, that the step knows of. leases: addresses of those that are not
    closed, as the indexer has them. troubles: lease → for how many seconds every look has found its node in trouble.
    opened: lease → seconds since its member was asked to start; phases: what was noted of the member last. offers:
    lease → how its node is joined to the cluster's network, as JSON, and since how many seconds that is so. head: the
    lease that is to be the head, if that is decided.
    """

    cluster: str
    phase: ClusterPhase
    reason: Reason
    seen_slot: int
    booked_slot: int
    age: float
    trouble: float
    leases: list[str]
    troubles: dict[str, float]
    opened: dict[str, float]
    phases: dict[str, str | None]
    offers: dict[str, tuple[str, float]] = {}
    head: str | None = None


class Move(msgspec.Struct, frozen=True):
    """What a step decided: the phase, why, and after how many seconds to look again.

    in_trouble: whether the look found a trouble; None where it could not tell.
    """

    phase: ClusterPhase
    again_secs: float = 0.0
    reason: Reason = Reason.NONE
    detail: str = ""
    in_trouble: bool | None = False


class Replacement(msgspec.Struct, frozen=True):
    """A node booked, or about to be, in the place of a lost one.

    lease: what the node's next lease is called; arrived: it has been seen on the chain. duration: that of the lost
    lease, until: chain time at which it would have ended, None when it had not begun; price: what was paid for it, and
    the most that is paid now. age: seconds since this was decided.
    """

    lost: str
    lost_node: str
    price: int
    duration: int
    until: int | None
    node: str = ""
    lease: str = ""
    arrived: bool = False
    age: float = 0


class Booked(msgspec.Struct, frozen=True):
    """What a check compares with. report_hash: of the node's report, as on the chain, in hex; None before readiness.

    throughput: of the node's model, multiplications a second; 0 where none is known.
    """

    report_hash: str | None
    throughput: int


class Overview(msgspec.Struct, frozen=True):
    """One cluster as `ionet launcher status` shows it."""

    cluster: str
    phase: str
    reason: str
    detail: str
    live: int
    members: int
    entered_at: datetime
    trouble_since: datetime | None
    decided_at: datetime | None
    joined_at: datetime | None
    running_at: datetime | None


class Work(Protocol):
    """One cluster, claimed by this process until it moves, is released, or is not renewed in time.

    Nothing is held open meanwhile. live: leases whose node has to be up, once the step has read them from the chain.
    """

    row: Row
    live: int | None

    async def leaf_zeros(self, leases: Sequence[str]) -> dict[str, dict[int, set[bytes]]]:
        """lease → interval → result hashes that agents published as its leaf 0, under roots that the chain holds."""

    async def members(self) -> dict[str, str]:
        """lease → node of the members that were asked to start."""

    async def add_members(self, nodes: Mapping[str, str]) -> None:
        """Note that these members (lease → node) are asked to start."""

    async def note_phases(self, phases: Mapping[str, str]) -> None:
        """Note what these members' agents say (lease → phase)."""

    async def note_checks(self, findings: Mapping[str, str], problems: Mapping[str, str]) -> None:
        """Note what the check found of these members (lease → JSON), and what is wrong with some (lease → text)."""

    async def opened_by(self) -> str | None:
        """Signature of the transaction that opened the cluster; None while that is not known."""

    async def booked(self, leases: Sequence[str]) -> dict[str, Booked]:
        """What is known of these leases' nodes; a lease that was not seen is missing."""

    async def remove_members(self, leases: Sequence[str]) -> None:
        """Forget members that are known to have stopped."""

    async def set_offers(self, offers: Mapping[str, str]) -> None:
        """How the nodes of these leases are joined (lease → JSON); others of the cluster are forgotten."""

    async def set_head(self, lease: str) -> None:
        """The lease that is to be the head, as long as it lives."""

    async def set_troubles(self, found: Sequence[tuple[str, str, Reason, str]]) -> None:
        """The leases whose nodes are in trouble now, each with node, reason and detail; the others are well."""

    async def replacements(self) -> list[Replacement]:
        """Nodes that take the place of lost ones."""

    async def replace(self, wish: Replacement) -> None:
        """Note that a node is about to be booked in the place of a lost one."""

    async def arrived(self, lost: Sequence[str]) -> None:
        """Note that what takes the place of these has been seen on the chain."""

    async def move(self, to: Move) -> None:
        """Record what the step decided, and for how many live leases; nothing if another process has it by now."""

    async def release(self) -> None:
        """Let go of it as it is, if it was not moved."""


class Store(Protocol):
    """All clusters that name the key that a launcher acts with."""

    def listening(self, wake: Callable[[], None], lost: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Within the block every change of what is to be done calls `wake`; `lost` is called if none will any more."""

    async def plan(self) -> int:
        """Take up clusters that are new or changed. Returns how many."""

    async def claim(self, most: int) -> Sequence[Work]:
        """Up to this many clusters that are due, the longest waiting first."""

    async def renew(self, clusters: Sequence[str]) -> None:
        """Keep clusters whose steps go on."""

    async def own(self) -> dict[str, int]:
        """Open clusters that name the launcher's key, and their leases; each with a number that changes with it."""

    async def note_purse(self, lamports: int, warning: str | None) -> None:
        """What the session key has."""

    async def note_advert(self, signed: Signed) -> None:
        """What the launcher says of itself from now on."""
