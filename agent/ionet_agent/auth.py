"""Who may ask the agent for what: the holder of a key that may act on the node's current lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ionet.agent_delegation import why_not
from ionet.agent_errors import ChainSilent, NotEntitled
from ionet.errors import IonetError
from ionet.lease_view import LeaseView, NodeView
from solders.pubkey import Pubkey


class Gate:
    """Checks callers of one node. `view` gives the node as the chain has it, read again when asked to.

    Time is the chain's, so that a machine whose clock is wrong serves like any other.
    """

    def __init__(self, view: Callable[[bool], Awaitable[NodeView]]) -> None:
        self._view = view
        self.now: int | None = None
        """The chain's unix seconds as last read. It never goes back: what has expired stays so."""

    async def admit(self, key: Pubkey, delegation: str | None) -> LeaseView:
        """The current lease, for the holder of `key`, which the caller has proven. delegation: the header that names
        it as the renter's. Raises NotEntitled unless the key may act for the lease's renter; ChainSilent.
        """
        reason: str | None = None
        for fresh in (False, True):
            try:
                view = await self._view(fresh)
            except IonetError as error:
                raise ChainSilent(str(error)) from error
            self.now = max(self.now or 0, view.now)
            if view.lease is None or (parent := view.lease.parent) is None:
                continue
            if view.lease.session_acts(key, self.now):
                return view.lease
            if delegation is not None:
                reason = why_not(delegation, parent.renter, view.lease.cluster, key, self.now)
                if reason is None:
                    return view.lease
        raise NotEntitled(reason or "")
