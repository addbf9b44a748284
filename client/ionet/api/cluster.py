"""Renters' clusters: a budget in escrow and the leases paid from it. Amounts are base units of IOSD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import instructions, pda
from ionet.api.base import RoleApi
from ionet.errors import InvalidInput, NotFound
from ionet.plan import Plan, Receipt
from ionet.types import Cluster, Node, Renter

KINDS = {"ray": 0, "mega-ray": 1, "kubernetes": 2, "container": 3}


class ClusterApi(RoleApi):
    def address(self, renter: Pubkey, cluster_id: int) -> Pubkey:
        return pda.cluster(self._id, renter, cluster_id)

    async def get(self, cluster: Pubkey) -> Cluster:
        return await self._client.fetch(Cluster, cluster)

    async def all(self, **fields: Any) -> list[tuple[Pubkey, Cluster]]:
        """Open clusters whose fields have the given values, e.g. renter=…"""
        return await self._client.fetch_all(Cluster, **fields)

    async def next_id(self, renter: Pubkey | None = None) -> int:
        """The id that the renter's next cluster gets."""
        account = await self._client.find(Renter, pda.renter(self._id, renter or self._client.address))
        return 0 if account is None else account.next_cluster_id

    def open(
        self,
        deposit: int,
        *,
        kind: str = "ray",
        session_key: Pubkey | None = None,
        session_expires_at: int = 0,
        config_hash: bytes = bytes(32),
    ) -> Plan:
        """Deposit a budget. Its address is in the receipt's ClusterOpened event.

        session_key: may accept readiness until session_expires_at. config_hash: sha256 of the wanted configuration.
        """
        if kind not in KINDS:
            raise InvalidInput(f"cluster kind {kind!r}; known are {', '.join(KINDS)}")

        async def build() -> list[Instruction]:
            return [
                instructions.open_cluster(
                    renter=self._client.address,
                    id=await self.next_id(),
                    kind=KINDS[kind],
                    deposit=deposit,
                    session_key=session_key or Pubkey.default(),
                    session_expires_at=session_expires_at,
                    config_hash=config_hash,
                    program=self._program,
                )
            ]

        return self._plan(build)

    def add_lease(self, cluster: Pubkey, *nodes: Pubkey, duration: int, max_price: int | None = None) -> Plan:
        """Book nodes for `duration` seconds in one transaction; the first of a cluster becomes its head.

        max_price: micro-dollars per processor-hour that no node may ask more of; by default what each asks now.
        """

        async def build() -> list[Instruction]:
            found = await self._client.fetch_many(Node, nodes)
            missing = [str(key) for key, node in zip(nodes, found, strict=True) if node is None]
            if missing:
                raise NotFound(f"node {', '.join(missing)}")
            pairs = [(key, node) for key, node in zip(nodes, found, strict=True) if node is not None]
            return [self._book(cluster, key, node, duration, max_price) for key, node in pairs]

        return self._plan(build)

    def _book(self, cluster: Pubkey, key: Pubkey, node: Node, duration: int, max_price: int | None) -> Instruction:
        return instructions.add_lease(
            renter=self._client.address,
            cluster=cluster,
            node=key,
            model=pda.model(self._id, node.model),
            lease=pda.lease(self._id, key, node.next_lease_number),
            duration=duration,
            max_price=node.price if max_price is None else max_price,
            terms_seq=node.terms_seq,
            program=self._program,
        )

    async def add_leases(
        self,
        cluster: Pubkey,
        nodes: Sequence[Pubkey],
        *,
        duration: int,
        max_price: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Receipt]:
        """Book any number of nodes, as many per transaction as fit; the first becomes the head of a new cluster."""
        plan = self.add_lease(cluster, *nodes, duration=duration, max_price=max_price)
        return await self._client.send_all(await plan.instructions(), progress=progress)

    def set_session_key(self, cluster: Pubkey, session_key: Pubkey | None, expires_at: int = 0) -> Plan:
        """Rotate the session key, or revoke it with None."""
        return self._single(
            lambda: instructions.set_session_key(
                renter=self._client.address,
                cluster=cluster,
                session_key=session_key or Pubkey.default(),
                expires_at=expires_at,
                program=self._program,
            )
        )

    def withdraw_budget(self, cluster: Pubkey, amount: int) -> Plan:
        """Take back budget that no lease has locked."""

        async def build() -> list[Instruction]:
            renter = self._client.address
            return [
                *await self._token_account(renter, pda.iosd_mint(self._id)),
                instructions.withdraw_budget(renter=renter, cluster=cluster, amount=amount, program=self._program),
            ]

        return self._plan(build)

    def close(self, cluster: Pubkey) -> Plan:
        """Close a cluster without open leases. As its renter at any time, as anyone once it has been idle."""

        async def build() -> list[Instruction]:
            found = await self.get(cluster)
            close = instructions.close_cluster(renter=found.renter, cluster=cluster, program=self._program)
            if found.renter == self._client.address:
                close = self._program.builder.also_signs("close_cluster", close, "renter")
            return [*await self._token_account(found.payer, found.mint), close]

        return self._plan(build)
