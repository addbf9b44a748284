"""The agent's side of the chain over RPC, signing and paying with the device key."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence

from ionet.client import Client
from ionet.defence import Step, step_instructions
from ionet.errors import ChainRefused, IonetError, TransactionExpired
from ionet.generated.accounts import Lease
from ionet.generated.types import ProofEntry
from ionet.lease_view import NONE, Reader, lease_view
from ionet.rpc import PreflightFailed
from ionet.rules.disputes import Dispute, challenge_key
from ionet.rules.lease_time import LeaseStatus, LeaseView, NodeView
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ionet_agent.chain import ChainError, ExpiredError, RefusedError, Signed

_TRIES = 4


class RpcChain:
    """`Chain` of one node over `client`. `device` signs readiness and proofs and pays their fees."""

    def __init__(self, client: Client, node: Pubkey, device: Keypair) -> None:
        self._client, self._node, self._device = client, node, device
        self._reader = Reader(client)
        # Lease and cluster of the last view, read and written together: requests and the loop look at the same time.
        self._known = (NONE, NONE)

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        try:
            for _ in range(_TRIES):
                found = await self._view([Pubkey.from_string(name) for name in others])
                if found is not None:
                    return found
        except IonetError as error:
            raise ChainError(str(error)) from error
        raise ChainError(f"the accounts of node {self._node} kept changing")

    async def _view(self, asked: Sequence[Pubkey]) -> NodeView | None:
        """One try with the addresses the last one found, so that all accounts are read at one slot."""
        lease_key, cluster_key = self._known
        now, slot, accounts = await self._reader.snapshot([self._node, lease_key, cluster_key, *asked])
        node = self._reader.node(accounts, self._node)
        if node is None:
            raise ChainError(f"node {self._node} is not registered")
        if node.device_key != self._device.pubkey():
            raise ChainError(f"the device key of node {self._node} is {node.device_key}, not this one")
        found = [(key, self._reader.lease(accounts, key)) for key in asked if key != node.current_lease]
        others = tuple(lease_view(key, lease, None) for key, lease in found if lease is not None)
        # A lease that has ended did so before now, even where the clock that was read lags behind.
        now = max([now, *(lease.ends_at for lease in others if lease.status is LeaseStatus.ENDED)])
        if node.current_lease == NONE:
            return NodeView(now, slot, None, others)
        lease, cluster = self._reader.lease(accounts, lease_key), self._reader.cluster(accounts, cluster_key)
        if node.current_lease != lease_key or lease is None or cluster is None:
            booked = await self._client.find(Lease, node.current_lease)
            self._known = (node.current_lease, booked.cluster if booked is not None else NONE)
            return None
        return NodeView(now, slot, lease_view(lease_key, lease, cluster), others)

    async def sign_ready(self, lease: LeaseView, report_hash: bytes) -> Signed:
        device, node = self._device.pubkey(), self._node
        return await self._sign(
            self._client.program.ix.mark_ready(
                device_key=device, node=node, lease=lease.address, report_hash=report_hash
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

    async def sign_defence(self, dispute: Dispute, step: Step) -> Signed:
        try:
            lease, cluster = (
                await self._client.lease.get(dispute.lease),
                await self._client.cluster.get(dispute.cluster),
            )
        except IonetError as error:
            raise ChainError(str(error)) from error
        key = challenge_key(cluster, lease.disputed_at)
        return await self._sign(*step_instructions(dispute, step, defender=self._device.pubkey(), key=key))

    async def proofs(self, lease: Pubkey) -> Sequence[ProofEntry]:
        try:
            return await self._client.lease.proofs(lease)
        except IonetError as error:
            raise ChainError(str(error)) from error

    async def _sign(self, *wanted: Instruction) -> Signed:
        try:
            empty = await self._client.unsigned(wanted, payer=self._device.pubkey())
        except ChainRefused as error:
            raise RefusedError(str(error)) from error
        except IonetError as error:
            raise ChainError(str(error)) from error
        message = VersionedTransaction.from_bytes(b64decode(empty.transaction)).message
        return Signed(bytes(VersionedTransaction(message, [self._device])), empty.last_valid_block_height)

    async def send(self, signed: Signed) -> None:
        transaction = VersionedTransaction.from_bytes(signed.raw)
        try:
            landed = await self._client.rpc.send(transaction, signed.last_valid_block_height)
        except PreflightFailed as failure:
            raise RefusedError(str(self._client.program.explain(failure.error, failure.logs))) from failure
        except TransactionExpired as error:
            raise ExpiredError(str(error)) from error
        except IonetError as error:
            raise ChainError(str(error)) from error
        if landed.error is not None:
            raise RefusedError(str(self._client.program.explain(landed.error, ())))
