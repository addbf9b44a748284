"""What the agent needs of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from ionet.errors import IonetError
from ionet.generated.types import ProofEntry
from ionet.lease_view import LeaseView, NodeView
from ionet.rules.disputes import Dispute, Step
from solders.pubkey import Pubkey


class Signed(msgspec.Struct, frozen=True):
    """A signed transaction. Sent again it is the same transaction, so it takes effect at most once."""

    raw: bytes
    last_valid_block_height: int


class NodeUnusable(IonetError):
    """the node cannot be served"""


class NodeChain(Protocol):
    """One node's side of the program.

    Everything raises IonetError: ChainRefused when the program refuses, and would again; TransactionExpired when a
    transaction did not land in time and never will; anything else means that trying again later may help.
    """

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        """The node now, and those of the leases `others` (base58) that are still on the chain."""

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed:
        """That the node is reserved, not sent yet. report_hash: sha256 of what the device measured."""

    async def sign_return(self) -> Signed:
        """That a node which was not ready in time is there again, not sent yet."""

    async def sign_leave(self, lease: LeaseView) -> Signed:
        """That the lease is left because challenges did not come, not sent yet."""

    async def sign_proof(self, lease: LeaseView, interval: int, served_secs: int, root: bytes, gpu_ms: int) -> Signed:
        """A proof of one interval, not sent yet."""

    def fits(self, dispute: Dispute, step: Step) -> bool:
        """Whether a step of a dispute's defence fits into one transaction."""

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        """A step of a dispute's defence, not sent yet."""

    async def proofs(self, lease: Pubkey) -> Sequence[ProofEntry]:
        """All proofs of a lease, oldest first, from the chain's history."""

    async def send(self, signed: Signed) -> None:
        """Send and wait until it landed."""
