"""Renters' clusters: a budget in escrow and the leases paid from it. Amounts are base units of its currency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses, booking
from ionet.api.base import RoleApi
from ionet.api.lookup_tables import TableApi
from ionet.api.network import NetworkApi
from ionet.booking import Booking, Wish
from ionet.errors import InvalidInput, NoHead, NotFound, RpcError, RpcUnreachable
from ionet.executor import Progress
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Lease, Renter
from ionet.generated.enums import ClusterKind, Currency, LeaseStatus
from ionet.generated.events import ClusterClosed
from ionet.lookup_tables import Table
from ionet.plan import Plan
from ionet.words import parse


class ClusterApi(RoleApi):
    def address(self, renter: Pubkey, cluster_id: int) -> Pubkey:
        return pdas.cluster(self._id, renter, cluster_id)

    async def get(self, cluster: Pubkey) -> Cluster:
        """One cluster. Raises NotFound, and of one that was closed `Closed`, which says when."""
        found = await self._chain.find(Cluster, cluster)
        return found if found is not None else await self._gone("cluster", cluster, ClusterClosed)

    async def head(self, cluster: Pubkey) -> Lease:
        """The lease whose node runs the cluster's head. Raises NoHead unless it is metered now."""
        found = await self.get(cluster)
        lease = await self._chain.find(Lease, found.head_lease)
        if lease is None or lease.status != LeaseStatus.ACTIVE:
            raise NoHead
        return lease

    async def all(self, **fields: Any) -> list[tuple[Pubkey, Cluster]]:
        """Open clusters whose fields have the given values, e.g. renter=…"""
        return await self._chain.fetch_all(Cluster, **fields)

    async def next_id(self, renter: Pubkey | None = None) -> int:
        """The id that the renter's next cluster gets."""
        account = await self._chain.find(Renter, pdas.renter_account(self._id, renter or self._chain.address))
        return 0 if account is None else account.next_cluster_id

    def open(
        self,
        deposit: int,
        *,
        currency: str = "IOSD",
        kind: str = "ray",
        session_key: Pubkey | None = None,
        session_expires_at: int = 0,
        config_hash: bytes = bytes(32),
        number: int | None = None,
    ) -> Plan:
        """Deposit a budget in IOSD, USDC or IO. The cluster's address is in the receipt's ClusterOpened event.

        session_key: may accept, reject, approve and dispute until session_expires_at. config_hash: sha256 of the wanted
        configuration. number: the renter's next id; the chain refuses the transaction where it is another by then.
        """
        wanted = parse(ClusterKind, kind, "cluster kind")

        async def build() -> list[Instruction]:
            return [
                self._ix.open_cluster(
                    renter=self._chain.address,
                    mint=await NetworkApi(self._chain).mint(currency),
                    id=await self.next_id() if number is None else number,
                    kind=wanted,
                    deposit=deposit,
                    session_key=session_key or Pubkey.default(),
                    session_expires_at=session_expires_at,
                    config_hash=config_hash,
                )
            ]

        return self._plan(build)

    def open_with(
        self,
        nodes: Sequence[Pubkey],
        *,
        duration: int,
        deposit: int,
        currency: str = "IOSD",
        session_key: Pubkey | None = None,
        session_expires_at: int = 0,
    ) -> Plan:
        """Open a cluster and book nodes for `duration` seconds, all or nothing: one transaction, with room for four.

        Each node at what it asks now. The rest as for `open`. Raises NotFound for a node that does not exist.
        """

        async def build() -> list[Instruction]:
            number = await self.next_id()
            opening = self.open(
                deposit,
                currency=currency,
                session_key=session_key,
                session_expires_at=session_expires_at,
                number=number,
            )
            cluster = self.address(self._chain.address, number)
            wish = Wish(cluster, duration, currency=parse(Currency, currency, "currency"))
            return [*await opening.instructions(), *await self._all_booked(wish, nodes)]

        return self._plan(build)

    def add_lease(self, cluster: Pubkey, *nodes: Pubkey, duration: int, max_price: int | None = None) -> Plan:
        """Book nodes for `duration` seconds in one transaction; the one accepted first becomes the cluster's head.

        max_price: micro-dollars per processor-hour that no node may ask more of; by default what each asks now.
        """

        async def build() -> list[Instruction]:
            return await self._all_booked(await self._wish(cluster, duration, max_price), nodes)

        return self._plan(build)

    async def _all_booked(self, wish: Wish, nodes: Sequence[Pubkey]) -> list[Instruction]:
        made = await self._bookings(wish, nodes)
        missing = [str(key) for key in nodes if key not in made]
        if missing:
            raise NotFound(f"node {', '.join(missing)}")
        return list(made.values())

    async def _bookings(self, wish: Wish, nodes: Sequence[Pubkey]) -> dict[Pubkey, Instruction]:
        """Bookings of the nodes that exist."""
        found = await booking.read_nodes(self._chain, nodes)
        wish = await booking.priced(self._chain, wish, found)
        pairs = zip(nodes, found, strict=True)
        return {key: booking.add_lease(self._chain, wish, key, node) for key, node in pairs if node is not None}

    async def _wish(self, cluster: Pubkey, duration: int, max_price: int | None = None) -> Wish:
        return Wish(cluster, duration, max_price, currency=(await self.get(cluster)).currency)

    async def add_leases(
        self,
        cluster: Pubkey,
        nodes: Sequence[Pubkey],
        *,
        duration: int,
        max_price: int | None = None,
        tables: Sequence[Table] = (),
        at_once: int = 32,
        progress: Progress | None = None,
    ) -> Booking:
        """Book any number of nodes, as many per transaction as fit.

        A node that cannot be booked is left out, and the result says why. tables: lookup tables that may be used, see
        `tables_for`; one that is gone or too new costs transactions, nothing else. at_once: transactions under way at
        the same time. progress: called with the number of nodes that are done, and of all. Raises BookingStopped.
        """
        slot = await TableApi(self._chain).wait_usable(tables) if tables else 0
        usable = [found for table in tables if (found := table.usable(slot)) is not None]
        wish = await self._wish(cluster, duration, max_price)
        return await booking.book(self._chain, wish, nodes, tables=usable, at_once=at_once, progress=progress)

    async def tables_for(
        self, cluster: Pubkey, nodes: Sequence[Pubkey], *, make: bool = False, progress: Progress | None = None
    ) -> list[Table]:
        """The wallet's lookup tables that hold some of these nodes. make: new ones for those that none holds.

        New ones also hold the cluster and whatever else its bookings name; they serve other clusters as well, with one
        node less per transaction now and then. `client.tables.close` gets their rent back.
        """
        wanted = set(nodes)
        try:
            own = [
                table for table in await TableApi(self._chain).all() if table.active and wanted & set(table.addresses)
            ]
        except RpcUnreachable:
            raise
        except RpcError:
            own = []  # many public nodes do not list this program's accounts
        held = {key for table in own for key in table.addresses}
        rest = [key for key in dict.fromkeys(nodes) if key not in held]
        if not make or not rest:
            return own
        bookings = await self._bookings(await self._wish(cluster, 0), rest)
        common = booking.common_accounts(list(bookings.values()))
        keys = await TableApi(self._chain).make(bookings, common=common, progress=progress)
        return own + [table for table in await TableApi(self._chain).get(keys) if table is not None]

    def set_session_key(self, cluster: Pubkey, session_key: Pubkey | None, expires_at: int = 0) -> Plan:
        """Rotate the session key, or revoke it with None."""
        return self._single(
            lambda: self._ix.set_session_key(
                renter=self._chain.address,
                cluster=cluster,
                session_key=session_key or Pubkey.default(),
                expires_at=expires_at,
            )
        )

    def change_session_key(self, cluster: Pubkey, *, key: Pubkey | None = None, expires_at: int | None = None) -> Plan:
        """Name another session key, or until when (unix seconds) it may act; None keeps what is.

        A new key without a time may act as long as the old one. Raises InvalidInput where there is no such time.
        """

        async def build() -> list[Instruction]:
            found = await self.get(cluster)
            named = found.session_key if key is None else key
            until = found.session_expires_at if expires_at is None else expires_at
            if named == Pubkey.default():
                raise InvalidInput("the cluster has no session key; name one")
            if until == 0:
                raise InvalidInput("the cluster has no session key yet; say how long the new one may act")
            return [
                self._ix.set_session_key(
                    renter=self._chain.address, cluster=cluster, session_key=named, expires_at=until
                )
            ]

        return self._plan(build)

    def withdraw_budget(self, cluster: Pubkey, amount: int) -> Plan:
        """Take back budget that no lease has locked."""

        async def build() -> list[Instruction]:
            renter, found = self._chain.address, await self.get(cluster)
            withdraw = self._ix.withdraw_budget(
                renter=renter,
                cluster=cluster,
                to=addresses.token_account(found.renter, found.mint),
                amount=amount,
            )
            return [*await self._token_account(found.renter, found.mint), withdraw]

        return self._plan(build)

    def close(self, cluster: Pubkey) -> Plan:
        """Close a cluster without open leases. As its renter at any time, as anyone once it has been idle."""

        async def build() -> list[Instruction]:
            found = await self.get(cluster)
            refund = found.deposit - found.paid - found.fees - found.refunded
            first, owed = await self._payee(found.renter, found.mint) if refund else ([], None)
            network = pdas.network(self._id)
            opening, fees_owed = await self._keeper(pdas.fee_vault(self._id, found.mint), network, found.mint)
            close = self._ix.close_cluster(
                renter=found.renter,
                cluster=cluster,
                refund_to=addresses.token_account(found.renter, found.mint),
                fee_vault=pdas.fee_vault(self._id, found.mint),
                burn_vault=pdas.burn_vault(self._id, found.mint),
                owed=owed,
                fees_owed=fees_owed,
            )
            if found.renter == self._chain.address:
                close = self._program.builder.also_signs("close_cluster", close, "renter")
            return [*first, *opening, close]

        return self._plan(build)
