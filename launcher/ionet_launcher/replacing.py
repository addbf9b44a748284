"""Replaces nodes that are lost: ends their leases and books other nodes for the time that is left, within the budget.

Only with the renter's wallet, and only as far as their policy goes. What is decided is noted before it is done, so that
a step that was killed anywhere is simply done again: one node takes the place of one lost lease, never two.

A head is replaced whatever the policy says of numbers: without one a cluster is of no use. The chain makes the lease
accepted next the head. Where no node takes its place in time, the cluster is ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from ionet.errors import IonetError
from ionet.generated.enums import LeaseRole, LeaseStatus
from ionet.lease_view import LeaseView
from ionet.rules.lease_time import runs_at
from solders.pubkey import Pubkey

from ionet_launcher.keeping import Replacement, Work
from ionet_launcher.look import Look
from ionet_launcher.phases import DEAD_SECS, HEADLESS_SECS
from ionet_launcher.renter_chain import RenterChain
from ionet_launcher.session_chain import ClusterView

# A booking that is not on the chain after this can no longer land: another node is tried.
_LANDS_SECS = 120.0
# Nodes of others that are asked whether they can be reached, where nobody of the cluster can.
_ASKED = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replacing:
    """The renter's policy. at_least: as many nodes as the cluster is to keep; None for all that it had."""

    renter: RenterChain
    at_least: int | None = None


class Replacer:
    """agents: the nodes that can be asked to start anything. answers: whether one says anything."""

    def __init__(
        self, policy: Replacing, agents: Iterable[Pubkey], answers: Callable[[Pubkey], Awaitable[bool]]
    ) -> None:
        self._policy, self._renter, self._agents, self._answers = policy, policy.renter, agents, answers

    async def review(self, work: Work, look: Look) -> bool:
        """Replace what is lost: live leases whose nodes are dead, and those that were not ready or accepted in time.

        Returns whether the cluster was ended, because it has no head and none is to be had.
        """
        view, live = look.view, look.live
        if view.cluster.renter != self._renter.address:
            return False
        look.heard = look.heard or (look.is_lost(live[0]) and not look.statuses and await self._hears(view))
        dead = look.dead()
        known = {one.lost: one for one in await work.replacements()}
        on_chain = {str(lease.address) for lease in view.leases}
        if arrived := [one.lost for one in known.values() if not one.arrived and one.lease in on_chain]:
            await work.arrived(arrived)
        coming = [one for one in known.values() if not one.arrived and one.lease not in on_chain]
        serving = len(live) - len(dead) + len(coming)
        await self._replace_head(work, look, known)
        for lease in [*dead, *(lease for lease in view.leases if _is_late(lease, view.now))]:
            if str(lease.address) in known:
                await self._try(self._give_up(lease, view.now))  # perhaps it was not done then
            elif self._policy.at_least is None or serving < self._policy.at_least or _leads(look, lease):
                over = None if lease.address in look.rejected else lease
                serving += await self._try(self._replace(work, view, known, _of(lease), over))
        for one in coming:
            if one.age > _LANDS_SECS:
                await self._try(self._replace(work, view, known, one))
        return await self._end_headless(work, look, dead)

    async def _hears(self, view: ClusterView) -> bool:
        """Whether other nodes can be reached, so that the fault is not the launcher's own."""
        own = {lease.node for lease in view.leases}
        others = [node for node in self._agents if node not in own][:_ASKED]
        return any(await asyncio.gather(*map(self._answers, others)))

    async def _replace_head(self, work: Work, look: Look, known: Mapping[str, Replacement]) -> None:
        """Where the head's lease is over, whoever ended it; the renter may be about to end the others too."""
        if not (look.is_headless and _only_metered(look) and work.row.trouble > DEAD_SECS):
            return
        heads = [one for one in look.view.leases if one.role == LeaseRole.HEAD and one.status != LeaseStatus.ACTIVE]
        last = max(heads, key=lambda one: one.started_at, default=None)
        if last is not None and str(last.address) not in known:
            until = max(lease.ends_at for lease in look.live)
            wish = msgspec.structs.replace(_of(last), until=until)
            await self._try(self._replace(work, look.view, known, wish))

    async def _end_headless(self, work: Work, look: Look, dead: Sequence[LeaseView]) -> bool:
        head = look.live[0]
        gone = look.before.get(str(head.address), 0) if head in dead else work.row.trouble * look.is_headless
        if gone <= HEADLESS_SECS or not _only_metered(look):
            return False
        on_chain = {str(lease.address) for lease in look.view.leases}
        if any(one.lease not in on_chain for one in await work.replacements() if not one.arrived):
            return False
        text = "cluster %s is ended: no node takes its head's place"
        _log.warning(text, work.row.cluster, extra={"action": "no_head"})
        ended = [await self._try(self._give_up(lease, look.view.now)) for lease in look.live]
        return all(ended)

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


def _only_metered(look: Look) -> bool:
    return all(lease.status == LeaseStatus.ACTIVE for lease in look.live)


def _leads(look: Look, lease: LeaseView) -> bool:
    """Whether it is the head, or was to become the next."""
    return lease.is_head or look.is_headless


def _is_late(lease: LeaseView, now: int) -> bool:
    return lease.status in (LeaseStatus.BOOKED, LeaseStatus.READY) and not runs_at(lease, now)
