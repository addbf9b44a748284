"""The agent's side of the chain over several RPC nodes: one is asked, and another when it fails, hangs or stands still.

A node that hangs or gives the same slot for ever looks like a chain on which nothing is due. So an answer has a few
seconds, and the slots that were seen are compared with the clock of this machine. No answer is taken that is older than
an earlier one: a node that lags behind does not know of a booking yet, and the agent would end what it has started.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ionet.errors import RpcError, RpcUnreachable
from ionet.generated.types import ProofEntry
from ionet.lease_view import LeaseView, NodeView
from ionet.rules.disputes import Dispute, Step
from solders.pubkey import Pubkey

from ionet_agent.alarms import Alarms
from ionet_agent.node_chain import NodeChain, Signed

FROZEN_SECS = 5.0
"""A slot that does not rise for so long is a reason to ask another node, and to say so."""
_VIEW_SECS, _SIGN_SECS, _SEND_SECS, _HISTORY_SECS = 5.0, 10.0, 30.0, 60.0
# After that a chain that has gone back is believed: it was restored from an earlier state.
_BEHIND_SECS = 15.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


class SpreadChain:
    """`NodeChain` over those of several RPC nodes, by url.

    One that does not serve is left for the next in order, and comes again after the last.
    """

    def __init__(
        self,
        chains: dict[str, NodeChain],
        alarms: Alarms,
        *,
        frozen_secs: float = FROZEN_SECS,
        view_secs: float = _VIEW_SECS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chains, self._urls, self._alarms = chains, list(chains), alarms
        self._frozen_secs, self._view_secs, self._clock = frozen_secs, view_secs, clock
        self._slot, self._risen_at = -1, clock()

    @property
    def _now(self) -> NodeChain:
        return self._chains[self._urls[0]]

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        best: NodeView | None = None
        failure: RpcError | None = None
        for _ in self._urls:
            try:
                found = await self._bounded(self._now.view(others), self._view_secs)
            except RpcError as error:
                failure = error
                self._turn(str(error))
                continue
            if best is None or found.slot > best.slot:
                best = found
            if best.slot > self._slot or not self._stands_still():
                break
            self._turn("its slot stands still")
        if best is None:
            assert failure is not None
            raise failure
        return self._taken(best)

    def _taken(self, view: NodeView) -> NodeView:
        """Note how far the chain is. Raises RpcError for an answer that is older than an earlier one."""
        now = self._clock()
        if view.slot > self._slot:
            self._slot, self._risen_at = view.slot, now
        elif view.slot < self._slot:
            if now - self._risen_at < _BEHIND_SECS:
                raise RpcError(f"{self._urls[0]} is {self._slot - view.slot} slots behind what was seen before")
            self._slot, self._risen_at = view.slot, now
        still = now - self._risen_at
        text = f"the chain stands still at slot {self._slot} for {still:.0f} s, by every RPC node"
        self._alarms.put("slot", text if self._stands_still() else None)
        return view

    def _stands_still(self) -> bool:
        return self._clock() - self._risen_at > self._frozen_secs

    def _turn(self, why: str) -> None:
        """Ask the next RPC node from now on."""
        if len(self._urls) > 1:
            self._urls.append(self._urls.pop(0))
            _log.warning("%s: asking %s instead", why, self._urls[0], extra={"action": "rpc_turn"})

    async def _bounded(self, call: Coroutine[Any, Any, T], secs: float) -> T:
        """A call that has some seconds. Raises RpcUnreachable when they are over."""
        try:
            async with asyncio.timeout(secs):
                return await call
        except TimeoutError:
            raise RpcUnreachable(f"{self._urls[0]} (no answer in {secs:g} s)") from None

    async def _ask(self, call: Coroutine[Any, Any, T], secs: float) -> T:
        """The same, and the next try goes to another node when there was no answer."""
        try:
            return await self._bounded(call, secs)
        except RpcUnreachable as error:
            self._turn(str(error))
            raise

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed:
        return await self._ask(self._now.sign_ready(lease, report_hash), _SIGN_SECS)

    async def sign_return(self) -> Signed:
        return await self._ask(self._now.sign_return(), _SIGN_SECS)

    async def sign_leave(self, lease: LeaseView) -> Signed:
        return await self._ask(self._now.sign_leave(lease), _SIGN_SECS)

    async def sign_proof(self, lease: LeaseView, interval: int, served_secs: int, root: bytes, gpu_ms: int) -> Signed:
        return await self._ask(self._now.sign_proof(lease, interval, served_secs, root, gpu_ms), _SIGN_SECS)

    def fits(self, dispute: Dispute, step: Step) -> bool:
        return self._now.fits(dispute, step)

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        return await self._ask(self._now.sign_defence(dispute, step), _SIGN_SECS)

    async def proofs(self, lease: Pubkey) -> Sequence[ProofEntry]:
        return await self._ask(self._now.proofs(lease), _HISTORY_SECS)

    async def send(self, signed: Signed) -> None:
        # On a node that stands still no transaction lands and none expires.
        await self._ask(self._now.send(signed), _SEND_SECS)
