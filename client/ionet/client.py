"""`Client`: the program's whole API over one RPC url and one wallet, one part per noun."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from solders.instruction import Instruction

from ionet import executor
from ionet.api.case import CaseApi
from ionet.api.cluster import ClusterApi
from ionet.api.iosd import IosdApi
from ionet.api.lease import LeaseApi
from ionet.api.lookup_tables import TableApi
from ionet.api.network import NetworkApi
from ionet.api.node import NodeApi
from ionet.api.nodes import NodesApi
from ionet.api.oracle import OracleApi
from ionet.api.owed import OwedApi
from ionet.api.stake import StakeApi
from ionet.api.tokens import TokenApi
from ionet.arguments import check_arguments
from ionet.chain import Chain
from ionet.executor import Progress
from ionet.plan import Receipt
from ionet.wallet import Signer


@check_arguments
class Client(Chain):
    """A `Chain` and what the program offers on it. Everything that changes the chain is a `Plan`."""

    @cached_property
    def network(self) -> NetworkApi:
        return NetworkApi(self)

    @cached_property
    def node(self) -> NodeApi:
        return NodeApi(self)

    @cached_property
    def nodes(self) -> NodesApi:
        return NodesApi(self)

    @cached_property
    def stake(self) -> StakeApi:
        return StakeApi(self)

    @cached_property
    def iosd(self) -> IosdApi:
        return IosdApi(self)

    @cached_property
    def cluster(self) -> ClusterApi:
        return ClusterApi(self)

    @cached_property
    def lease(self) -> LeaseApi:
        return LeaseApi(self)

    @cached_property
    def case(self) -> CaseApi:
        return CaseApi(self)

    @cached_property
    def owed(self) -> OwedApi:
        return OwedApi(self)

    @cached_property
    def oracle(self) -> OracleApi:
        return OracleApi(self)

    @cached_property
    def tokens(self) -> TokenApi:
        return TokenApi(self)

    @cached_property
    def tables(self) -> TableApi:
        return TableApi(self)

    async def send_all(
        self,
        instructions: Sequence[Instruction],
        *,
        signers: Sequence[Signer] = (),
        progress: Progress | None = None,
    ) -> list[Receipt]:
        """Send many instructions in as few transactions as fit; the first alone, then several at a time.

        The first failure is raised once nothing is under way any more. progress: called with the number of instructions
        that landed, and of all.
        """
        return await executor.send_all(self, instructions, signers=signers, progress=progress)
