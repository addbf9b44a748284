"""Turns uptime and results into one proof per interval, in order, each landed once.

An interval gets a first proof at half time (so that a crash in its second half does not lose the first) and the final
one when it is over, inside its grace. A proof is on disk, signed, before it is sent; after a crash the same bytes are
sent again, or the lease's proof chain shows that they landed.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from ionet.errors import ChainRefused, NotEnough, TransactionExpired
from ionet.generated.types import ProofEntry
from ionet.lease_view import LeaseView
from ionet.rules import challenges, merkle
from ionet.rules.disputes import next_head
from ionet.rules.lease_time import interval_end, interval_start, intervals, proof_deadline
from solders.pubkey import Pubkey

from ionet_agent import spool
from ionet_agent.journal import Journal, Leaf, Proof
from ionet_agent.node_chain import NodeChain

# Utilisation is not measured: nothing on this path reads the device. It moves no money.
GPU_MS = 0
_log = logging.getLogger(__name__)


class Prover:
    """Proves the leases of one node. `folder` holds a spool file per lease."""

    def __init__(self, chain: NodeChain, journal: Journal, folder: Path) -> None:
        self._chain, self._journal, self._folder = chain, journal, folder

    async def step(self, lease: LeaseView, now: int) -> None:
        """Send what is due for a lease: at most one proof. Raises IonetError when the chain does not answer."""
        if lease.started_at == 0:
            return
        pending = self._journal.open_proof(str(lease.address))
        if pending is not None:
            await self._send(pending, lease)
            return
        due = self._due(lease, now)
        if due is None:
            return
        interval, final = due
        self._fold(lease, interval, now)
        until = min(now, interval_end(lease, interval))
        served = self._journal.up_secs(str(lease.address), interval_start(lease, interval), until)
        leaves = interval_leaves(self._journal, lease.address, interval)
        root = merkle.root(leaf_hashes(lease.address, interval, leaves))
        last = self._journal.last_landed(str(lease.address))
        if last is not None and (last.interval, last.served_secs, last.root) == (interval, served, root):
            self._journal.finish(last)  # the first proof said it all
            return
        await self._send(await self._sign(lease, interval, final, served, root, len(leaves)), lease)

    def _due(self, lease: LeaseView, now: int) -> tuple[int, bool] | None:
        """The interval to prove now and whether that proof is final."""
        name = str(lease.address)
        last = self._journal.last_landed(name)
        interval = lease.ring_next if last is None else last.interval + last.final
        while interval < intervals(lease) and now >= interval_end(lease, interval):
            served = self._journal.up_secs(name, interval_start(lease, interval), interval_end(lease, interval))
            if served > 0 and now < proof_deadline(lease, interval):
                return interval, True
            # Too late, or nothing was served: what no proof of this interval covers goes to the next.
            covered = last.leaves - 1 if last is not None and last.interval == interval else 0
            self._journal.move_leaves(name, interval, interval + 1, keep=covered)
            interval += 1
        if interval >= intervals(lease) or (last is not None and last.interval == interval):
            return None
        start = interval_start(lease, interval)
        half_time = start + (interval_end(lease, interval) - start + 1) // 2
        if now >= half_time and self._journal.up_secs(name, start, now) > 0:
            return interval, False
        return None

    def _fold(self, lease: LeaseView, interval: int, now: int) -> None:
        name = str(lease.address)
        if not self._journal.has_room():
            return  # what is kept for proofs is not for results: they go to a later interval
        # The spool carries this machine's clock, intervals the chain's.
        before = time.time_ns() - (now - min(now, interval_end(lease, interval))) * 1_000_000_000
        offset = self._journal.spool_read(name)
        leaves, read = spool.read(self._folder / name, offset, before)
        if read > offset:
            self._journal.add_leaves(name, interval, leaves, read)
            spool.release(self._folder / name, read)

    async def _sign(self, lease: LeaseView, interval: int, final: bool, served: int, root: bytes, leaves: int) -> Proof:
        signed = await self._chain.sign_proof(lease, interval, served, root, GPU_MS)
        head = next_head(lease.proof_head, ProofEntry(interval, served, GPU_MS, root))
        proof = Proof(str(lease.address), interval, final, served, root, leaves, head, signed)
        self._journal.put_proof(proof)
        return proof

    async def _send(self, proof: Proof, lease: LeaseView) -> None:
        if lease.proof_head != proof.head:
            try:
                await self._chain.send(proof.signed)
            except (TransactionExpired, ChainRefused) as error:
                after = (await self._chain.view([proof.lease])).find(proof.lease)
                if after is None or after.proof_head != proof.head:
                    self._journal.drop(proof)
                    if isinstance(error, NotEnough):
                        raise  # an alarm, for as long as it is so
                    text = "proof of interval %d was not taken: %s"
                    _log.warning(text, proof.interval, error, extra={"action": "proof_refused"})
                    return
        self._journal.landed(proof)
        text = "interval %d: %d s proven with %d leaves"
        _log.info(text, proof.interval, proof.served_secs, proof.leaves, extra={"action": "proven"})


def _leaf_0(signature: bytes) -> Leaf:
    return Leaf(challenges.TASK_ID, merkle.result_hash(signature))


def interval_leaves(journal: Journal, lease: Pubkey, interval: int, count: int | None = None) -> list[Leaf]:
    """All leaves of an interval: the answer to the challenge as leaf 0, then the results. `count`: the first ones.

    Where no challenge came, leaf 0 is the hash of nothing, which no signature can match.
    """
    signature = journal.challenge(str(lease), interval) or b""
    return [_leaf_0(signature), *journal.leaves(str(lease), interval, None if count is None else count - 1)]


def proven_leaves(journal: Journal, lease: Pubkey, proof: Proof) -> list[Leaf]:
    """The leaves under a proof's root. A challenge that came after the proof was signed is not among them."""
    leaves = interval_leaves(journal, lease, proof.interval, proof.leaves)
    if merkle.root(leaf_hashes(lease, proof.interval, leaves)) == proof.root:
        return leaves
    return [_leaf_0(b""), *leaves[1:]]


def leaf_hashes(lease: Pubkey, interval: int, leaves: list[Leaf]) -> list[bytes]:
    """The hashes over which the interval's root is built."""
    return [merkle.leaf(bytes(lease), interval, i, leaf.task, leaf.result) for i, leaf in enumerate(leaves)]
