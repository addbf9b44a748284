"""Hands the leaves of landed proofs to an indexer, so that results can be traced. Money does not depend on it."""

from __future__ import annotations

import logging
import time

import httpx2
from ionet.leaves import UploadError, send_upload, sign_upload
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_agent.journal import Journal
from ionet_agent.prover import proven_leaves

_RETRY_SECS = 2.0
_TIMEOUT_SECS = 10.0
_log = logging.getLogger(__name__)


class LeafUploader:
    """Uploads to the indexer at `url`, signing with the device key; retries later when it does not take them."""

    def __init__(self, url: str, journal: Journal, device: Keypair) -> None:
        self._url, self._journal, self._device = url, journal, device
        self._http = httpx2.AsyncClient(timeout=_TIMEOUT_SECS, trust_env=False)
        self._next_try = 0.0

    async def close(self) -> None:
        await self._http.aclose()

    async def step(self) -> None:
        """Upload everything that is due, oldest first. An indexer behind the chain refuses until it has the proof."""
        if time.monotonic() < self._next_try:
            return
        for proof in self._journal.to_upload():
            lease = Pubkey.from_string(proof.lease)
            leaves = proven_leaves(self._journal, lease, proof)
            pairs = [(leaf.task, leaf.result) for leaf in leaves]
            try:
                await send_upload(
                    self._http, self._url, sign_upload(self._device, lease, proof.interval, proof.root, pairs)
                )
            except UploadError as error:
                _log.info("interval %d, later: %s", proof.interval, error, extra={"action": "upload_later"})
                self._next_try = time.monotonic() + _RETRY_SECS
                return
            self._journal.uploaded(proof)
