"""The agent's side of the chain over RPC, signing and paying with the device key."""

from __future__ import annotations

from collections.abc import Sequence

from ionet.client import Client
from ionet.defence import fits, step_instructions
from ionet.diagnosis import diagnosed
from ionet.errors import RpcError
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.generated.types import ProofEntry
from ionet.lease_view import NONE, LeaseView, NodeView, Reader
from ionet.refusals import PreflightFailed
from ionet.rules.disputes import Dispute, Step, challenge_key
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ionet_agent.node_chain import NodeUnusable, Signed

_TRIES = 4


class RpcNodeChain:
    """`NodeChain` of one node over `client`. `device` signs everything the agent sends and pays its fees."""

    def __init__(self, client: Client, node: Pubkey, device: Keypair) -> None:
        self._client, self._node, self._device = client, node, device
        self._reader = Reader(client)
        # Lease and cluster of the last view, read and written together: requests and the loop look at the same time.
        self._known = (NONE, NONE)

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        for _ in range(_TRIES):
            found = await self._view([Pubkey.from_string(name) for name in others])
            if found is not None:
                return found
        raise RpcError(f"the accounts of node {self._node} kept changing")

    async def _view(self, asked: Sequence[Pubkey]) -> NodeView | None:
        """One try with the addresses the last one found, so that all accounts are read at one slot."""
        lease_key, cluster_key = self._known
        at, accounts = await self._reader.snapshot([self._node, lease_key, cluster_key, *asked])
        node = self._reader.node(accounts, self._node)
        if node is None:
            raise NodeUnusable(f"{self._node} is not registered")
        if node.device_key != self._device.pubkey():
            raise NodeUnusable(f"the device key of {self._node} is {node.device_key}, not this one")
        found = [(key, self._reader.lease(accounts, key)) for key in asked if key != node.current_lease]
        others = tuple(LeaseView.of(key, lease, None, at) for key, lease in found if lease is not None)
        # A lease that has ended did so before now, even where the clock that was read lags behind.
        now = max([at.now, *(lease.ends_at for lease in others if lease.status == LeaseStatus.ENDED)])
        if node.current_lease == NONE:
            return NodeView(now, at.slot, None, node.flags, others)
        lease, cluster = self._reader.lease(accounts, lease_key), self._reader.cluster(accounts, cluster_key)
        if node.current_lease != lease_key or lease is None or cluster is None:
            booked = await self._client.find(Lease, node.current_lease)
            self._known = (node.current_lease, booked.cluster if booked is not None else NONE)
            return None
        return NodeView(now, at.slot, LeaseView.of(lease_key, lease, cluster, at), node.flags, others)

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed:
        return await self._sign(
            self._client.program.ix.mark_ready(
                device_key=self._device.pubkey(), node=self._node, lease=lease.address, report_hash=report_hash
            )
        )

    async def sign_return(self) -> Signed:
        return await self._sign(self._client.program.ix.return_node(supplier=self._device.pubkey(), node=self._node))

    async def sign_leave(self, lease: LeaseView) -> Signed:
        return await self._sign(
            self._client.program.ix.leave_lease(
                supplier=self._device.pubkey(), cluster=lease.cluster, node=self._node, lease=lease.address
            )
        )

    async def sign_proof(self, lease: LeaseView, interval: int, served_secs: int, root: bytes, gpu_ms: int) -> Signed:
        return await self._sign(
            self._client.program.ix.append_proof(
                device_key=self._device.pubkey(),
                node=self._node,
                lease=lease.address,
                interval=interval,
                served_secs=served_secs,
                root=root,
                gpu_ms=gpu_ms,
            )
        )

    def fits(self, dispute: Dispute, step: Step) -> bool:
        return fits(dispute, step, defender=self._device.pubkey(), program=self._client.program)

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        lease = await self._client.lease.get(dispute.lease)
        key = challenge_key(await self._client.cluster.get(dispute.cluster), lease.disputed_at)
        device, program = self._device.pubkey(), self._client.program
        return await self._sign(*step_instructions(dispute, step, defender=device, challenged_by=key, program=program))

    async def proofs(self, lease: Pubkey) -> Sequence[ProofEntry]:
        return await self._client.lease.proofs(lease)

    async def _sign(self, *wanted: Instruction) -> Signed:
        message, last_valid = await self._client.compile(wanted, payer=self._device.pubkey())
        return Signed(bytes(VersionedTransaction(message, [self._device])), last_valid)

    async def send(self, signed: Signed) -> None:
        transaction = VersionedTransaction.from_bytes(signed.raw)
        client = self._client
        try:
            landed = await client.rpc.send(transaction, signed.last_valid_block_height)
        except PreflightFailed as failure:
            refusal = client.program.explain(failure.error, failure.logs)
            raise await diagnosed(client.rpc, client.program, refusal, transaction.message) from None
        if landed.error is not None:
            refusal = client.program.explain(landed.error, ())
            raise await diagnosed(client.rpc, client.program, refusal, transaction.message)
