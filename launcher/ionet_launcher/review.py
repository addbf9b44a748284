"""What a renter's launcher thinks of proven intervals: approve, dispute, or leave to time.

The only thing it judges is the challenge: the session key's signatures are the same whenever they are made, so the
launcher knows what leaf 0 of every interval must be. Results are the renters' to judge; they dispute by themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ionet.errors import IonetError
from ionet.lease_view import LeaseView
from ionet.rules.challenges import challenge_answer
from ionet.rules.disputes import closed_proofs, first_undecided, is_disputed, is_open
from ionet.rules.lease_time import proof_deadline
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.keeping import Work
from ionet_launcher.session_chain import SessionChain

# Calls without an answer in one interval after which a node counts as silent.
_MIN_CALLS = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Policy:
    """What the launcher may do on the renter's behalf.

    approve: let intervals be paid at once whose published leaf 0 is the answer to their challenge. dispute: hold
    intervals in which the node did not answer: it published something else as leaf 0, or it was called and neither
    answered nor published anything. Nothing is disputed that this process has no record of having challenged.
    """

    approve: bool = False
    dispute: bool = False


NEITHER = Policy()


class Verdict(Enum):
    ANSWERED = "answered"
    SILENT = "silent"
    UNKNOWN = "unknown"
    DECIDED = "decided"
    """Not proven, or disputed before."""


class Challenges:
    """Which intervals were challenged, and answered, as far as this process remembers."""

    def __init__(self) -> None:
        self._calls: dict[Pubkey, dict[int, int]] = {}
        self._answered: dict[Pubkey, set[int]] = {}

    def called(self, lease: Pubkey, interval: int) -> None:
        """The node was asked to answer."""
        calls = self._calls.setdefault(lease, {})
        calls[interval] = calls.get(interval, 0) + 1

    def answered(self, lease: Pubkey, interval: int) -> None:
        """It took the challenge."""
        self._answered.setdefault(lease, set()).add(interval)

    def is_answered(self, lease: Pubkey, interval: int) -> bool:
        return interval in self._answered.get(lease, ())

    def forget(self, lease: Pubkey, before: int | None = None) -> None:
        """Drop a lease, or its intervals before one."""
        if before is None:
            self._calls.pop(lease, None)
            self._answered.pop(lease, None)
            return
        self._calls[lease] = {at: count for at, count in self._calls.get(lease, {}).items() if at >= before}
        self._answered[lease] = {at for at in self._answered.get(lease, ()) if at >= before}

    def verdict(self, lease: Pubkey, interval: int, published: bool | None) -> Verdict:
        """published: whether the leaf 0 that the node published is the answer, None when it published nothing."""
        if published:
            return Verdict.ANSWERED
        calls = self._calls.get(lease, {}).get(interval, 0)
        took = self.is_answered(lease, interval)
        if published is False:
            return Verdict.SILENT if calls > 0 else Verdict.UNKNOWN
        return Verdict.SILENT if calls >= _MIN_CALLS and not took else Verdict.UNKNOWN


def verdicts(lease: LeaseView, now: int, memory: Challenges, published: Mapping[int, bool]) -> dict[int, Verdict]:
    """Of every closed interval that can still be approved or disputed.

    Where nothing is published yet, a node gets half of the dispute window to do so.
    """
    found = {}
    for interval in range(first_undecided(lease), closed_proofs(lease, now)):
        if not is_open(lease, interval):
            found[interval] = Verdict.DECIDED
            continue
        patience = proof_deadline(lease, interval) + lease.dispute_window_secs // 2
        if interval in published or now >= patience:
            found[interval] = memory.verdict(lease.address, interval, published.get(interval))
    return found


def to_approve(lease: LeaseView, found: Mapping[int, Verdict]) -> int | None:
    """Through which interval to approve: all from the first open one on are answered, or decided already."""
    through = start = first_undecided(lease)
    while found.get(through) in (Verdict.ANSWERED, Verdict.DECIDED):
        through += 1
    return through if through > start and not is_disputed(lease) else None


def to_dispute(lease: LeaseView, found: Mapping[int, Verdict]) -> tuple[int, int] | None:
    """The first silent intervals in a row, end excluded; None while another dispute is open."""
    silent = sorted(interval for interval, verdict in found.items() if verdict is Verdict.SILENT)
    if not silent or is_disputed(lease):
        return None
    end = silent[0] + 1
    while end in silent:
        end += 1
    return silent[0], end


class Reviewer:
    """Acts on the verdicts about the leases of clusters that name `session`, as far as the policy goes."""

    def __init__(self, chain: SessionChain, session: Keypair, memory: Challenges, policy: Policy) -> None:
        self._chain, self._session, self._memory, self._policy = chain, session, memory, policy

    async def review(self, work: Work, leases: Sequence[LeaseView], now: int) -> None:
        """Approve and dispute what can be now. What the chain refuses is logged, and tried again while it is open."""
        metered = [lease for lease in leases if lease.started_at]
        for lease in metered:
            self._memory.forget(lease.address, lease.ring_base)
        if not (self._policy.approve or self._policy.dispute):
            return
        wanted = [lease for lease in metered if closed_proofs(lease, now) > first_undecided(lease)]
        published = await work.leaf_zeros([str(lease.address) for lease in wanted]) if wanted else {}
        for lease in wanted:
            shown = published.get(str(lease.address), {})
            right = {at: challenge_answer(self._session, lease.address, at) in hashes for at, hashes in shown.items()}
            found = verdicts(lease, now, self._memory, right)
            try:
                await self._act(lease, found)
            except IonetError as error:
                _log.warning("lease %s: %s", lease.address, error, extra={"action": "not_reviewed"})

    async def _act(self, lease: LeaseView, found: Mapping[int, Verdict]) -> None:
        held = to_dispute(lease, found) if self._policy.dispute else None
        if held is not None:
            await self._chain.dispute(lease, *held)
            text = "lease %s: disputed intervals %d to %d, not answered"
            _log.info(text, lease.address, held[0], held[1] - 1, extra={"action": "disputed"})
            return
        through = to_approve(lease, found) if self._policy.approve else None
        if through is not None:
            await self._chain.approve(lease, through)
