"""Defends the disputed intervals of a lease with what the journal holds, from the last one to the first.

Nothing is remembered between steps: the chain says how far a defence has got, and takes each step once. A step that was
sent twice, because the agent was killed in between, is refused the second time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial

from ionet.errors import ChainRefused, InvalidInput, NotEnough
from ionet.generated.types import ProofEntry
from ionet.lease_view import LeaseView
from ionet.rules import merkle
from ionet.rules.disputes import (
    Dispute,
    Evidence,
    Step,
    WrongChain,
    can_defend,
    dispute_of,
    is_disputed,
    next_step,
    openings,
)
from solders.pubkey import Pubkey

from ionet_agent.journal import Journal, Proof
from ionet_agent.node_chain import NodeChain
from ionet_agent.prover import GPU_MS, leaf_hashes, proven_leaves

_RETRY_SECS = 5.0
_log = logging.getLogger(__name__)


class Defender:
    """Defends the leases of one node."""

    def __init__(self, chain: NodeChain, journal: Journal) -> None:
        self._chain, self._journal = chain, journal
        self._next_try: dict[Pubkey, float] = {}
        self._told: set[tuple[Pubkey, int]] = set()

    async def step(self, lease: LeaseView) -> None:
        """Do the next step of an open dispute, if there is one. Raises IonetError when the chain does not answer."""
        if not is_disputed(lease) or time.monotonic() < self._next_try.get(lease.address, 0.0):
            return
        dispute = dispute_of(lease.address, lease)
        try:
            proofs = await self._proofs(dispute)
            step = next_step(dispute, proofs, self.evidence(lease), partial(self._chain.fits, dispute))
        except InvalidInput as error:
            self._tell(lease, f"cannot be defended: {error}")
            self._wait(lease)
            return
        if step is None:
            self._tell(lease, "none of its disputed intervals has an answered challenge: nothing to show")
            return
        await self._send(lease, dispute, step)

    async def _send(self, lease: LeaseView, dispute: Dispute, step: Step) -> None:
        try:
            await self._chain.send(await self._chain.sign_defence(dispute, step))
        except NotEnough:
            raise  # an alarm, for as long as it is so
        except ChainRefused as error:
            text = "lease %s: a step of its defence was refused: %s"
            _log.warning(text, lease.address, error, extra={"action": "defence_refused"})
            self._wait(lease)
            return
        if step.evidence is not None:
            interval = step.entries[0].interval
            _log.info("lease %s: interval %d is defended", lease.address, interval, extra={"action": "defended"})

    def evidence(self, lease: LeaseView) -> dict[int, Evidence]:
        """What opens each disputed interval that was challenged in time."""
        name, found = str(lease.address), {}
        for proof in self._journal.landed_proofs(name):
            signature = self._journal.challenge(name, proof.interval)
            if signature is None or not can_defend(lease, proof.interval):
                continue
            opens = _evidence(self._journal, lease.address, proof, signature)
            if opens is not None:
                found[proof.interval] = opens
        return found

    async def _proofs(self, dispute: Dispute) -> Sequence[ProofEntry]:
        """The lease's proofs as the journal has them; from the chain's history where it does not have them all."""
        landed = self._journal.landed_proofs(str(dispute.lease))
        own = [ProofEntry(proof.interval, proof.served_secs, GPU_MS, proof.root) for proof in landed]
        try:
            openings(dispute, own, ())
        except WrongChain:
            return await self._chain.proofs(dispute.lease)
        return own

    def _tell(self, lease: LeaseView, what: str) -> None:
        """Log something about a dispute once."""
        mark = (lease.address, lease.disputed_at)
        if mark not in self._told:
            self._told.add(mark)
            _log.warning("lease %s: %s", lease.address, what, extra={"action": "no_defence"})

    def _wait(self, lease: LeaseView) -> None:
        self._next_try[lease.address] = time.monotonic() + _RETRY_SECS

    def forget(self, lease: str) -> None:
        """Drop what is known of a lease that is over."""
        self._next_try.pop(Pubkey.from_string(lease), None)
        self._told = {mark for mark in self._told if str(mark[0]) != lease}


def _evidence(journal: Journal, lease: Pubkey, proof: Proof, signature: bytes) -> Evidence | None:
    """What opens a proof; None when the challenge came after it was signed."""
    leaves = proven_leaves(journal, lease, proof)
    if not leaves or leaves[0].result != merkle.result_hash(signature):
        return None
    return Evidence(signature, tuple(merkle.path(leaf_hashes(lease, proof.interval, leaves), 0)))
