"""What a launcher of one renter keeps, in memory and in a file: what has to be done it sees on the chain.

Lost, the file costs what was going on its history and the patience with it, and nothing else: agents run one member for
a lease however often they are asked, and the chain takes an acceptance once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from ionet.errors import IonetError
from ionet.generated.enums import LeaseStatus
from ionet.launcher_advert import Signed
from ionet.launcher_api import MOVES_KEPT, Event
from solders.pubkey import Pubkey

from ionet_launcher.keeping import Booked, Move, Replacement, Row
from ionet_launcher.own_chain import OwnChain, Seen
from ionet_launcher.phases import OVER, ClusterPhase, Reason

# Clusters that are over, of which it is still said how they ended.
_MOST_OVER = 64
# A detail may be a stranger's text.
_MOST_TEXT = 500
_log = logging.getLogger(__name__)


class KeptMember(msgspec.Struct):
    node: str
    started_at: float
    phase: str | None = None
    finding: str | None = None
    problem: str | None = None


class KeptTrouble(msgspec.Struct, frozen=True):
    node: str
    reason: Reason
    detail: str
    since: float


class Kept(msgspec.Struct, kw_only=True):
    """One cluster, as `launcher.cluster` and its tables have it. seen: the cluster's number of events; booked: leases
    that a phase has begun with. Times are unix seconds."""

    phase: ClusterPhase = ClusterPhase.PLANNED
    reason: Reason = Reason.NONE
    detail: str = ""
    seen: int
    booked: set[str]
    planned_at: float
    entered_at: float
    decided_at: float | None = None
    joined_at: float | None = None
    running_at: float | None = None
    trouble_since: float | None = None
    next_at: float = 0.0
    live: int = 0
    head: str | None = None
    members: dict[str, KeptMember] = {}
    troubles: dict[str, KeptTrouble] = {}
    offers: dict[str, tuple[str, float]] = {}
    replacements: dict[str, tuple[Replacement, float]] = {}
    moves: list[Event] = []


class OwnStore:
    """The clusters of one session key; one process at a time works on `path`.

    named: addresses of clusters that are to be looked at as soon as they are there.
    """

    def __init__(self, chain: OwnChain, path: Path, named: Callable[[], Sequence[Pubkey]]) -> None:
        self._chain, self._path, self._named = chain, path, named
        self._claimed: set[str] = set()
        self._written = b""
        self.kept: dict[str, Kept] = _read(path)
        self.seen: dict[str, Seen] = {}
        self.purse_now: tuple[int, str | None] | None = None
        self.signed: Signed | None = None
        self.looked_at = 0.0

    @asynccontextmanager
    async def listening(self, _wake: Callable[[], None], _lost: Callable[[], None]) -> AsyncIterator[None]:
        """Nobody tells: what changed is seen at the next look."""
        yield

    @property
    def is_needed(self) -> bool:
        """Whether a cluster names the key, or one is not over; until the chain has answered, nobody knows."""
        return bool(self.seen) or not self.looked_at or any(one.phase not in OVER for one in self.kept.values())

    def nodes(self) -> set[Pubkey]:
        """Those whose agents are asked for something."""
        return {lease.node for one in self.seen.values() for lease in one.live}

    async def plan(self) -> int:
        """Look at the chain, and take up what is new or changed, by the rules of `plan` in store.sql."""
        try:
            found = await self._chain.look(self._named())
        except IonetError as error:
            _log.warning("the chain does not answer: %s", error, extra={"action": "chain_later"})
            return 0
        self.seen = {str(key): one for key, one in found.items()}
        self.looked_at = time.monotonic()
        changed = sum(self._take_up(key, one) for key, one in self.seen.items())
        over = [key for key, kept in self.kept.items() if kept.phase in OVER and key not in self.seen]
        for key in over[:-_MOST_OVER]:
            del self.kept[key]
        self.save()
        return changed

    def _take_up(self, key: str, seen: Seen) -> bool:
        now, kept = time.time(), self.kept.get(key)
        booked = {str(lease) for lease, one in seen.leases.items() if one.status == LeaseStatus.BOOKED}
        if kept is None:
            if not seen.live:
                return False
            kept = self.kept[key] = Kept(seen=seen.cluster.seq, booked=booked, planned_at=now, entered_at=now)
            _moved(kept, now)
            return True
        if kept.phase in OVER:
            if not booked - kept.booked:
                return False
            kept.phase, kept.reason, kept.detail = ClusterPhase.PLANNED, Reason.NONE, ""
            kept.planned_at = kept.entered_at = now
            kept.joined_at = kept.running_at = kept.trouble_since = None
            _moved(kept, now)
        elif kept.seen >= seen.cluster.seq:
            return False
        kept.seen, kept.booked, kept.next_at = seen.cluster.seq, kept.booked | booked, now
        return True

    async def claim(self, most: int) -> list[OwnWork]:
        if not self.looked_at:
            return []  # what the file says of before is not what the chain says now
        now = time.time()
        due = [
            (kept.next_at, key)
            for key, kept in self.kept.items()
            if kept.phase not in OVER and kept.next_at <= now and key not in self._claimed
        ]
        names = [key for _, key in sorted(due)[:most]]
        self._claimed.update(names)
        return [OwnWork(self, key) for key in names]

    async def renew(self, clusters: Sequence[str]) -> None:
        """Nobody else has them."""

    async def own(self) -> dict[str, int]:
        found = {key: seen.cluster.seq for key, seen in self.seen.items()}
        return found | {str(key): one.seq for seen in self.seen.values() for key, one in seen.leases.items()}

    async def note_purse(self, lamports: int, warning: str | None) -> None:
        self.purse_now = lamports, warning

    async def note_advert(self, signed: Signed) -> None:
        self.signed = signed

    async def booked(self, leases: Sequence[str]) -> dict[str, Booked]:
        return await self._chain.booked(leases)

    def leave(self, cluster: str) -> None:
        self._claimed.discard(cluster)

    def save(self) -> None:
        """Replaced at once: whoever starts again never finds half of it."""
        body = msgspec.json.encode(self.kept)
        if body == self._written:
            return
        draft = self._path.with_suffix(".new")
        draft.write_bytes(body)
        os.replace(draft, self._path)
        self._written = body


class OwnWork:
    """One cluster, for a step."""

    def __init__(self, store: OwnStore, cluster: str) -> None:
        self._store, self._kept, self._name = store, store.kept[cluster], cluster
        self.live: int | None = None
        self._seen_before, now, kept = self._kept.seen, time.time(), self._kept
        seen = store.seen.get(cluster)
        booking = [wish.lease for wish, _ in kept.replacements.values()]
        self.row = Row(
            cluster=cluster,
            phase=kept.phase,
            reason=kept.reason,
            seen_slot=kept.seen,
            booked_slot=0,
            age=now - kept.entered_at,
            trouble=0.0 if kept.trouble_since is None else now - kept.trouble_since,
            leases=sorted({*map(str, seen.leases if seen else ()), *booking}),
            troubles={lease: now - one.since for lease, one in kept.troubles.items()},
            opened={lease: now - one.started_at for lease, one in kept.members.items()},
            phases={lease: one.phase for lease, one in kept.members.items()},
            offers={lease: (offer, now - since) for lease, (offer, since) in kept.offers.items()},
            head=kept.head,
        )

    async def leaf_zeros(self, leases: Sequence[str]) -> dict[str, dict[int, set[bytes]]]:  # noqa: ARG002
        """None: only indexers have what agents publish, so nothing is approved or disputed here."""
        return {}

    async def members(self) -> dict[str, str]:
        return {lease: one.node for lease, one in self._kept.members.items()}

    async def add_members(self, nodes: Mapping[str, str]) -> None:
        now = time.time()
        for lease, node in nodes.items():
            self._kept.members.setdefault(lease, KeptMember(node, now))
        self._store.save()

    async def note_phases(self, phases: Mapping[str, str]) -> None:
        for lease in phases.keys() & self._kept.members.keys():
            self._kept.members[lease].phase = phases[lease]

    async def note_checks(self, findings: Mapping[str, str], problems: Mapping[str, str]) -> None:
        for lease in (findings.keys() | problems.keys()) & self._kept.members.keys():
            member = self._kept.members[lease]
            member.finding = findings.get(lease, member.finding)
            member.problem = problems[lease][:_MOST_TEXT] if lease in problems else None

    async def opened_by(self) -> str | None:
        """Nobody pays a fee to themselves."""
        return None

    async def booked(self, leases: Sequence[str]) -> dict[str, Booked]:
        return await self._store.booked(leases)

    async def remove_members(self, leases: Sequence[str]) -> None:
        for lease in leases:
            self._kept.members.pop(lease, None)

    async def set_offers(self, offers: Mapping[str, str]) -> None:
        now, before = time.time(), self._kept.offers
        kept = {lease: before.get(lease, ("", now)) for lease in offers}
        self._kept.offers = {
            lease: (text, kept[lease][1] if kept[lease][0] == text else now) for lease, text in offers.items()
        }
        self._store.save()

    async def set_head(self, lease: str) -> None:
        self._kept.head = lease
        self._store.save()

    async def set_troubles(self, found: Sequence[tuple[str, str, Reason, str]]) -> None:
        now, before = time.time(), self._kept.troubles
        self._kept.troubles = {
            lease: KeptTrouble(node, reason, detail[:_MOST_TEXT], before[lease].since if lease in before else now)
            for lease, node, reason, detail in found
        }

    async def replacements(self) -> list[Replacement]:
        now = time.time()
        return [msgspec.structs.replace(one, age=now - at) for one, at in self._kept.replacements.values()]

    async def replace(self, wish: Replacement) -> None:
        self._kept.replacements[wish.lost] = wish, time.time()
        self._store.save()

    async def arrived(self, lost: Sequence[str]) -> None:
        for name in lost:
            wish, at = self._kept.replacements[name]
            self._kept.replacements[name] = msgspec.structs.replace(wish, arrived=True), at

    async def move(self, to: Move) -> None:
        """As `move` in store.sql."""
        kept, now = self._kept, time.time()
        before = kept.phase, kept.reason
        if kept.phase is not to.phase:
            kept.entered_at = now
        if to.phase is ClusterPhase.STARTING and kept.phase is ClusterPhase.PLANNED:
            kept.decided_at = now
        if to.phase in (ClusterPhase.READY, ClusterPhase.RUNNING) and kept.joined_at is None:
            kept.joined_at = now
        if to.phase is ClusterPhase.RUNNING and kept.running_at is None:
            kept.running_at = now
        if to.in_trouble is not None:
            kept.trouble_since = (kept.trouble_since or now) if to.in_trouble else None
        kept.phase, kept.reason, kept.detail = to.phase, to.reason, to.detail[:_MOST_TEXT]
        kept.next_at = now if kept.seen > self._seen_before else now + to.again_secs
        kept.live = kept.live if self.live is None else self.live
        if before != (kept.phase, kept.reason):
            _moved(kept, now)
        self._store.leave(self._name)
        self._store.save()

    async def release(self) -> None:
        self._store.leave(self._name)


def _moved(kept: Kept, now: float) -> None:
    number = kept.moves[-1].number + 1 if kept.moves else 1
    kept.moves = [*kept.moves, Event(number, int(now), kept.phase, kept.reason, kept.detail)][-MOVES_KEPT:]


def _read(path: Path) -> dict[str, Kept]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Kept])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s cannot be read, so it begins with nothing: %s", path, error, extra={"action": "file_lost"})
        return {}
