"""One node leased by one cluster, from booking to closing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.api.base import RoleApi
from ionet.defence import fits, step_instructions
from ionet.errors import InvalidInput
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.generated.events import LeaseClosed, ProofAppended
from ionet.generated.types import ProofEntry
from ionet.plan import Plan
from ionet.rules.disputes import (
    Evidence,
    challenge_key,
    closed_proofs,
    dispute_of,
    is_disputed,
    next_step,
    proofs_before,
)
from ionet.wallet import Signer


class LeaseApi(RoleApi):
    def address(self, node: Pubkey, number: int) -> Pubkey:
        return addresses.lease(self._id, node, number)

    async def get(self, lease: Pubkey) -> Lease:
        """One lease. Raises NotFound, and of one that was closed `Closed`, which says when."""
        found = await self._chain.find(Lease, lease)
        return found if found is not None else await self._gone("lease", lease, LeaseClosed)

    async def all(self, **fields: Any) -> list[tuple[Pubkey, Lease]]:
        """Open leases whose fields have the given values, e.g. cluster=…, node=…"""
        return await self._chain.fetch_all(Lease, **fields)

    # -- the supplier's side

    def mark_ready(self, lease: Pubkey, device: Signer, report_hash: bytes = bytes(32)) -> Plan:
        """Say that the node is reserved; the device key signs. report_hash: sha256 of what the device measured."""
        return self._of(
            lease,
            lambda found: self._ix.mark_ready(
                device_key=device.pubkey,
                node=found.node,
                lease=lease,
                report_hash=report_hash,
            ),
            device,
        )

    def append_proof(
        self, lease: Pubkey, device: Signer, *, node: Pubkey, interval: int, served_secs: int, root: bytes, gpu_ms: int
    ) -> Plan:
        """Prove one interval: seconds served, Merkle root (32 bytes) of its results, measured GPU milliseconds."""
        return self._single(
            lambda: self._ix.append_proof(
                device_key=device.pubkey,
                node=node,
                lease=lease,
                interval=interval,
                served_secs=served_secs,
                root=root,
                gpu_ms=gpu_ms,
            ),
            [device],
        )

    def quit(self, lease: Pubkey) -> Plan:
        """Leave a running lease for a charge; node owner."""

        async def build() -> list[Instruction]:
            found = await self.get(lease)
            cluster = await self._chain.fetch(Cluster, found.cluster)
            return [
                self._ix.quit_lease(
                    owner=self._chain.address,
                    cluster=found.cluster,
                    node=found.node,
                    lease=lease,
                    renter_io=addresses.token_account(cluster.renter, pdas.io_mint(self._id)),
                )
            ]

        return self._plan(build)

    def leave(self, lease: Pubkey) -> Plan:
        """Leave a running lease without a charge because no challenge came for two intervals; node owner or device key.

        The renter pays those intervals, and the supplier does not get them.
        """
        return self._of(
            lease,
            lambda found: self._ix.leave_lease(
                supplier=self._chain.address,
                cluster=found.cluster,
                node=found.node,
                lease=lease,
            ),
        )

    async def proofs(self, lease: Pubkey) -> list[ProofEntry]:
        """Every proof of a lease, oldest first, read from the chain's history and checked against the lease.

        Raises WrongChain when the node has not kept all of it.
        """
        found = await self.get(lease)
        return await self._proofs(lease, found, found.proof_head, found.synced_slot)

    async def _proofs(self, lease: Pubkey, found: Lease, head: bytes, last_slot: int) -> list[ProofEntry]:
        """The proofs that lead to `head`, which the lease's chain had reached in the slot given.

        Read from the newest to the first: what strangers' transactions named the lease before or after is not fetched.
        """
        appended: list[ProofAppended] = []
        async for event in self._chain.newest_events(lease, found.booked_slot, last_slot):
            if isinstance(event, ProofAppended) and event.lease == lease:
                appended.append(event)
                if event.proof_count == 1:
                    break
        entries = [
            ProofEntry(event.interval, event.served_secs, event.gpu_ms, event.root)
            for event in sorted(appended, key=lambda event: event.seq)
        ]
        return list(proofs_before(head, entries))

    def defend(
        self, lease: Pubkey, interval: int, evidence: Evidence, proofs: Sequence[ProofEntry] | None = None
    ) -> Plan:
        """Do the next step of defending a disputed interval; node owner or, as the client's wallet, the device key.

        A defence that is too long for a transaction takes several: repeat until the receipt's DisputeDefended event has
        `defended`. Later intervals that were not defended before are given up. proofs: the lease's, by default as the
        chain's history has them. Raises InvalidInput when there is nothing to defend.
        """

        async def build() -> list[Instruction]:
            found, defender = await self.get(lease), self._chain.address
            key = challenge_key(await self._chain.fetch(Cluster, found.cluster), found.disputed_at)
            dispute, step = dispute_of(lease, found), None
            if is_disputed(found):
                chain = proofs
                if chain is None:
                    chain = await self._proofs(lease, found, dispute.head, found.disputed_slot)
                fit = partial(fits, dispute, defender=defender, program=self._chain.program)
                step = next_step(dispute, chain, {interval: evidence}, fit)
            if step is None:
                raise InvalidInput(f"interval {interval} of {lease} is not in dispute, or was passed over")
            return step_instructions(dispute, step, defender=defender, challenged_by=key, program=self._chain.program)

        return self._plan(build)

    # -- the renter's side

    def approve(self, lease: Pubkey, through: int | None = None, authority: Signer | None = None) -> Plan:
        """Let the intervals before `through` be paid at once; by default all that can no longer be proven otherwise.

        The renter, or the cluster's session key as `authority`.
        """

        async def build() -> list[Instruction]:
            found = await self.get(lease)
            closed = closed_proofs(found, await self._chain.rpc.unix_time())
            return [
                self._ix.approve_lease(
                    authority=authority.pubkey if authority else self._chain.address,
                    cluster=found.cluster,
                    lease=lease,
                    through_interval=closed if through is None else through,
                    proof_head=found.proof_head,
                )
            ]

        return self._plan(build, [] if authority is None else [authority])

    def dispute(self, lease: Pubkey, first: int, end: int, authority: Signer | None = None) -> Plan:
        """Hold the payment of intervals first..end (end excluded) until they are defended; locks a bond.

        The renter, or the cluster's session key as `authority`.
        """
        return self._of(
            lease,
            lambda found: self._ix.dispute_lease(
                authority=authority.pubkey if authority else self._chain.address,
                cluster=found.cluster,
                lease=lease,
                from_interval=first,
                to_interval=end,
            ),
            authority,
        )

    def accept_ready(self, lease: Pubkey, authority: Signer | None = None) -> Plan:
        """Start the meter; the renter, or the cluster's session key as `authority`."""
        return self._of(
            lease,
            lambda found: self._ix.accept_ready(
                authority=authority.pubkey if authority else self._chain.address,
                cluster=found.cluster,
                lease=lease,
            ),
            authority,
        )

    def reject_ready(self, lease: Pubkey, authority: Signer | None = None) -> Plan:
        """Refuse a node that says it is ready; the renter, or the cluster's session key as `authority`.

        The time since it was ready has to be paid, and nobody gets it.
        """
        return self._of(
            lease,
            lambda found: self._ix.reject_ready(
                authority=authority.pubkey if authority else self._chain.address,
                cluster=found.cluster,
                node=found.node,
                lease=lease,
            ),
            authority,
        )

    def extend(self, lease: Pubkey, extra_secs: int) -> Plan:
        """Add time at the locked price; renter."""

        async def build() -> list[Instruction]:
            found = await self.get(lease)
            node = await self._chain.fetch(Node, found.node)
            return [
                self._ix.extend_lease(
                    renter=self._chain.address,
                    cluster=found.cluster,
                    node=found.node,
                    model=pdas.model(self._id, node.model),
                    lease=lease,
                    extra_secs=extra_secs,
                )
            ]

        return self._plan(build)

    def end(self, lease: Pubkey) -> Plan:
        """End early; the renter, or anyone once an outage lasts too long."""
        return self._of(
            lease,
            lambda found: self._ix.end_lease(
                authority=self._chain.address,
                cluster=found.cluster,
                node=found.node,
                lease=lease,
            ),
        )

    # -- anyone's

    def settle(self, lease: Pubkey) -> Plan:
        """Pay what is proven and past dispute, or was ready and not answered, to the node's payout wallet.

        Where the lease shares its income, the co-stakers' part goes to the node's income vault.
        """

        async def build() -> list[Instruction]:
            found = await self.get(lease)
            node = await self._chain.fetch(Node, found.node)
            cluster = await self._chain.fetch(Cluster, found.cluster)
            first, owed = await self._payee(node.payout, cluster.mint)
            vault, income_owed = None, None
            if found.income_share_bps:
                vault = pdas.income_vault(self._id, found.node, cluster.mint)
                opening, income_owed = await self._keeper(vault, found.node, cluster.mint)
                first = [*first, *opening]
            settle = self._ix.settle_lease(
                node=found.node,
                cluster=found.cluster,
                lease=lease,
                payout_account=addresses.token_account(node.payout, cluster.mint),
                owed=owed,
                income_vault=vault,
                income_owed=income_owed,
            )
            return [*first, settle]

        return self._plan(build)

    def cancel(self, lease: Pubkey) -> Plan:
        """Cancel a lease that was not ready, or not accepted, in time."""
        return self._of(
            lease,
            lambda found: self._ix.cancel_lease(cluster=found.cluster, node=found.node, lease=lease),
        )

    def report_missed(self, lease: Pubkey) -> Plan:
        """Charge the node for missed time; the wallet gets the reporter's part in its IO account, if it has one."""

        async def build() -> list[Instruction]:
            found = await self.get(lease)
            cluster = await self._chain.fetch(Cluster, found.cluster)
            own_io = addresses.token_account(self._chain.address, pdas.io_mint(self._id))
            # The renter's account may not be given twice, and they get no reward for reporting anyway.
            stranger = self._chain.address != cluster.renter
            rewarded = stranger and await self._chain.rpc.account(own_io) is not None
            return [
                self._ix.report_missed(
                    reporter=self._chain.address,
                    cluster=found.cluster,
                    node=found.node,
                    lease=lease,
                    renter_io=addresses.token_account(cluster.renter, pdas.io_mint(self._id)),
                    reporter_io=own_io if rewarded else None,
                )
            ]

        return self._plan(build)

    def close(self, lease: Pubkey) -> Plan:
        """Close a lease about which nothing can change any more; its rent goes back to the renter."""

        async def build() -> list[Instruction]:
            found = await self.get(lease)
            cluster = await self._chain.fetch(Cluster, found.cluster)
            return [
                self._ix.close_lease(
                    cluster=found.cluster,
                    node=found.node,
                    lease=lease,
                    renter=cluster.renter,
                )
            ]

        return self._plan(build)

    def _of(self, lease: Pubkey, build_one: Callable[[Lease], Instruction], signer: Signer | None = None) -> Plan:
        """A plan of one instruction that needs the lease's own fields."""

        async def build() -> list[Instruction]:
            return [build_one(await self.get(lease))]

        return self._plan(build, [] if signer is None else [signer])
