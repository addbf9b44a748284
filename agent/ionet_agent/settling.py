"""Its own leases, settled and closed: whoever else may do that has less of it.

As keepers do (`ionet.tending`), and beside them without waste: each waits for its own part of a window after a
deadline, and looks again before it sends.
"""

from __future__ import annotations

from ionet import addresses
from ionet.client import Client
from ionet.duties import Duty, Reward, Seen
from ionet.duties.reading import versions
from ionet.errors import RpcError
from ionet.generated.accounts import Lease, Node
from ionet.generated.enums import Currency, LeaseStatus
from ionet.program import Program
from ionet.rpc import Rpc
from ionet.rules.outage import due_bps
from ionet.rules.payment import folded, payment
from ionet.rules.restarts import Moment, caught_up
from ionet.tending.manner import LAMPORTS, Manner, worth
from solders.pubkey import Pubkey

# More than a node can have open at once: what its counter says is not believed beyond.
_MOST_NEW = 64


class NodeLeases:
    """The leases of one node: few enough to look at all of them each time."""

    vaults = False

    def __init__(self, program: Program, node: Pubkey) -> None:
        self._program, self._node = program, node
        self._known: set[Pubkey] = set()
        self._next: int | None = None

    async def start(self, rpc: Rpc) -> None:
        self._next = None
        await self._booked(rpc)

    async def changed(self, rpc: Rpc) -> set[Pubkey]:
        self._known |= await self._booked(rpc)
        return set(self._known)

    async def versions(self, rpc: Rpc) -> dict[Pubkey, bytes]:
        found = await versions(rpc, self._program, Lease, node=self._node)
        self._known = set(found)
        return found

    async def _booked(self, rpc: Rpc) -> set[Pubkey]:
        """Leases booked since the last time."""
        account = await rpc.account(self._node)
        if account is None or account.owner != self._program.id:
            raise RpcError(f"{rpc.url} does not have node {self._node}")
        after = self._program.codec.decode_account(account.data, Node).next_lease_number
        first = after if self._next is None else max(self._next, after - _MOST_NEW)
        self._next = after
        return {addresses.lease(self._program.id, self._node, number) for number in range(first, after)}


class SupplierInterest:
    """What brings a node's supplier more than it costs: their pay, a node that is free again, a record that counts."""

    def __init__(self, node: Pubkey, manner: Manner) -> None:
        self._node, self._manner = node, manner

    async def wants(self, client: Client, duty: Duty, seen: Seen, at: Moment, _reward: Reward, fee: int) -> bool:
        if duty.name not in ("cancel_lease", "close_lease", "settle_lease") or seen.account.node != self._node:
            return False
        lease = caught_up(seen.account, at)
        if duty.name == "cancel_lease":
            # Until then the node is not hired again.
            return await self._pays(client, lease, lease.price * lease.processors, fee)
        if duty.name == "close_lease" and lease.status != LeaseStatus.CANCELLED:
            if due_bps(lease, at):
                return False  # the charge that closing needs is for others to report
            if lease.matured_secs:
                return True  # what was served counts for the node once the lease is closed
        due = payment(folded(lease, at))
        return await self._pays(client, lease, due.gross - due.supplier_fee + due.bond, fee)

    async def _pays(self, client: Client, lease: Lease, units: int, fee: int) -> bool:
        """Whether this much of the lease's currency is worth more than the fee, in lamports."""
        if units <= 0:
            return False
        if lease.currency == Currency.IO:
            price = (await client.iosd.books()).last_price
            return worth(Reward(io=units), price, self._manner.sol_price) > fee
        return units * LAMPORTS // self._manner.sol_price > fee
