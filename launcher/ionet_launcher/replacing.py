"""Replaces workers that are lost: ends their leases and books other nodes for the time that is left, within the budget.

Only with the renter's wallet, and only as far as their policy goes. What is decided is noted before it is done, so that
a step that was killed anywhere is simply done again: one node takes the place of one lost lease, never two.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from ionet.errors import IonetError
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet.rules.lease_time import runs_at
from solders.pubkey import Pubkey

from ionet_launcher.renter_chain import RenterChain
from ionet_launcher.session_chain import ClusterView
from ionet_launcher.store import Replacement, Work

# A booking that is not on the chain after this can no longer land: another node is tried.
_LANDS_SECS = 120.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replacing:
    """The renter's policy. at_least: as many nodes as the cluster is to keep; None for all that it had."""

    renter: RenterChain
    at_least: int | None = None


class Replacer:
    """agents: the nodes that can be asked to start anything."""

    def __init__(self, policy: Replacing, agents: Iterable[Pubkey]) -> None:
        self._policy, self._renter, self._agents = policy, policy.renter, agents

    async def review(self, work: Work, view: ClusterView, live: Sequence[LeaseView], dead: Sequence[LeaseView]) -> None:
        """Replace what is lost: the live leases in `dead`, and those that were not ready or accepted in time."""
        if view.cluster.renter != self._renter.address:
            return
        known = {one.lost: one for one in await work.replacements()}
        on_chain = {str(lease.address) for lease in view.leases}
        if arrived := [one.lost for one in known.values() if not one.arrived and one.lease in on_chain]:
            await work.arrived(arrived)
        coming = [one for one in known.values() if not one.arrived and one.lease not in on_chain]
        serving = len(live) - len(dead) + len(coming)
        for lease in [*dead, *(lease for lease in view.leases if _is_late(lease, view.now))]:
            if str(lease.address) in known:
                await self._try(self._give_up(lease, view.now))  # perhaps it was not done then
            elif self._policy.at_least is None or serving < self._policy.at_least:
                serving += await self._try(self._replace(work, view, known, _of(lease), lease))
        for one in coming:
            if one.age > _LANDS_SECS:
                await self._try(self._replace(work, view, known, one))

    async def _try(self, what: Awaitable[bool]) -> bool:
        """Whether it was done; what the chain refuses is tried again."""
        try:
            return await what
        except IonetError as error:
            _log.warning("not replaced: %s", error, extra={"action": "not_replaced"})
            return False

    async def _replace(
        self,
        work: Work,
        view: ClusterView,
        known: Mapping[str, Replacement],
        wish: Replacement,
        lost: LeaseView | None = None,
    ) -> bool:
        """Find a node for a wish, and book it. lost: the lease, where it has to be given up first."""
        duration = wish.duration if wish.until is None else wish.until - view.now
        taken = {str(lease.node) for lease in view.leases} | {one.lost_node for one in known.values()}
        taken |= {wish.lost_node} | {one.node for one in known.values() if not one.arrived and one.lost != wish.lost}
        nodes = [node for node in self._agents if str(node) not in taken]
        before = Pubkey.from_string(wish.lost_node)
        found = await self._renter.spare(before, view.cluster, duration, wish.price, nodes) if duration > 0 else None
        if found is None:
            _log.info("no node takes the place of %s", before, extra={"action": "no_spare"})
            return False
        await work.replace(msgspec.structs.replace(wish, node=str(found[0]), lease=str(found[1])))
        if lost is not None:
            await self._give_up(lost, view.now)
        await self._renter.book(Pubkey.from_string(work.row.cluster), found[0], duration, wish.price)
        _log.info("node %s takes the place of %s", found[0], before, extra={"action": "replaced"})
        return True

    async def _give_up(self, lost: LeaseView, now: int) -> bool:
        if runs_at(lost, now):
            await self._renter.end(lost)
        elif _is_late(lost, now):
            await self._renter.cancel(lost)
        return True


def _of(lost: LeaseView) -> Replacement:
    """What is wanted in its place, without the node yet."""
    return Replacement(
        lost=str(lost.address),
        lost_node=str(lost.node),
        price=lost.price,
        duration=lost.duration,
        until=lost.ends_at or None,
    )


def _is_late(lease: LeaseView, now: int) -> bool:
    return lease.status in (LeaseStatus.BOOKED, LeaseStatus.READY) and not runs_at(lease, now)
