"""What the agent needs of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from ionet.defence import Step
from ionet.generated.types import ProofEntry
from ionet.rules.disputes import Dispute
from ionet.rules.lease_time import LeaseView, NodeView
from solders.pubkey import Pubkey


class Signed(msgspec.Struct, frozen=True):
    """A signed transaction. Sent again it is the same transaction, so it takes effect once at most."""

    raw: bytes
    last_valid_block_height: int


class ChainError(Exception):
    """The chain gave no useful answer; trying again later may help."""


class RefusedError(ChainError):
    """The program refused the transaction; the same one will be refused again."""


class ExpiredError(ChainError):
    """The transaction did not land in its time and never will."""


class Chain(Protocol):
    """One node's side of the program. Everything raises ChainError."""

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        """The node now, and those of the leases `others` (base58) that are still on the chain."""

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed: ...

    async def sign_proof(self, lease: LeaseView, interval: int, served_secs: int, root: bytes, gpu_ms: int) -> Signed:
        """A proof of one interval, not sent yet."""

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        """A step of a dispute's defence, not sent yet."""

    async def proofs(self, lease: Pubkey) -> Sequence[ProofEntry]:
        """All proofs of a lease, oldest first, from the chain's history."""

    async def send(self, signed: Signed) -> None:
        """Send and wait until it landed. Raises RefusedError, ExpiredError."""
