"""Booking many nodes for one cluster: what is refused because of a node leaves that node out, nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.api.oracle import OracleApi
from ionet.chain import Chain
from ionet.errors import InstructionFailed, IonetError, NotFound, ProgramError
from ionet.executor import Bulk, Delivery, Progress, Stopped, Verdict
from ionet.generated import pdas
from ionet.generated.accounts import Network, Node
from ionet.generated.enums import Currency
from ionet.generated.errors import (
    CoverageTooLow,
    CurrencyRefused,
    DurationRefused,
    ModelDisabled,
    NodeBlocked,
    NodeBusy,
    NodeFrozen,
    NodePaused,
    NodeRetired,
    PriceRequired,
    PriceTooHigh,
    StakeTooLow,
    TermsChanged,
    WrongModel,
)
from ionet.plan import Receipt
from ionet.planner import Tables

# Refusals whose reason is the node: others of the same booking may still go through.
NODE_ERRORS: tuple[type[ProgramError], ...] = (
    CoverageTooLow,
    CurrencyRefused,
    DurationRefused,
    ModelDisabled,
    NodeBlocked,
    NodeBusy,
    NodeFrozen,
    NodePaused,
    NodeRetired,
    PriceRequired,
    PriceTooHigh,
    StakeTooLow,
    TermsChanged,
    WrongModel,
)
# Parallel reads, and nodes per read.
_READS_AT_ONCE, _NODES_PER_READ = 8, 100


@dataclass(frozen=True, slots=True)
class Booking:
    """What was booked. leases: node → lease. left_out: node → why. receipts: one per transaction, as they landed."""

    cluster: Pubkey
    leases: dict[Pubkey, Pubkey]
    left_out: dict[Pubkey, IonetError]
    receipts: list[Receipt]


class NothingBooked(IonetError):
    """no node could be booked"""

    def __init__(self, detail: str, first: IonetError) -> None:
        super().__init__(detail)
        self.exit_code = first.exit_code


class BookingStopped(IonetError):
    """not all nodes could be booked

    booking: what was booked all the same. cause: why it did not go on.
    """

    def __init__(self, booking: Booking, wanted: int, cause: IonetError) -> None:
        super().__init__(f"{len(booking.leases)} of {wanted}, then: {cause}")
        self.booking, self.cause, self.exit_code = booking, cause, cause.exit_code


@dataclass(frozen=True, slots=True)
class Wish:
    """What a renter wants of each node. max_price: micro-dollars per processor-hour, None for what it asks now."""

    cluster: Pubkey
    duration: int
    max_price: int | None = None
    currency: int = Currency.IOSD
    price_update: Pubkey | None = None
    """Price account for nodes whose booking needs one."""

    def needs_price(self, node: Node) -> bool:
        """Whether IO has to be valued: to pay in it, or for a node that insists on IOSD's coverage."""
        covered = self.currency == Currency.IOSD and node.min_coverage_bps > 0
        return covered or self.currency == Currency.IO


async def priced(chain: Chain, wish: Wish, nodes: Iterable[Node | None]) -> Wish:
    """The wish with the newest price, if one of the nodes needs it. Raises NotFound when there is none."""
    if not any(node is not None and wish.needs_price(node) for node in nodes):
        return wish
    network = await chain.fetch(Network, pdas.network(chain.program.id))
    return replace(wish, price_update=(await OracleApi(chain).latest(network.feed_id)).account)


def add_lease(chain: Chain, wish: Wish, key: Pubkey, node: Node) -> Instruction:
    """Book one node on the terms that were read."""
    return chain.program.ix.add_lease(
        renter=chain.address,
        cluster=wish.cluster,
        node=key,
        model=pdas.model(chain.program.id, node.model),
        lease=addresses.lease(chain.program.id, key, node.next_lease_number),
        duration=wish.duration,
        max_price=node.price if wish.max_price is None else wish.max_price,
        terms_seq=node.terms_seq,
        price_update=wish.price_update if wish.needs_price(node) else None,
    )


async def read_nodes(chain: Chain, keys: Sequence[Pubkey]) -> list[Node | None]:
    """Nodes in the order of the keys, several calls at once."""
    chunks = [keys[at : at + _NODES_PER_READ] for at in range(0, len(keys), _NODES_PER_READ)]
    places = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(chunk: Sequence[Pubkey]) -> list[Node | None]:
        async with places:
            return await chain.fetch_many(Node, chunk)

    return [node for found in await asyncio.gather(*map(read, chunks)) for node in found]


def common_accounts(bookings: Sequence[Instruction]) -> list[Pubkey]:
    """Accounts that several bookings name and a lookup table can serve: neither signers nor the program."""
    named = Counter(meta.pubkey for item in bookings for meta in item.accounts if not meta.is_signer)
    programs = {item.program_id for item in bookings}
    return [key for key, count in named.items() if count > 1 and key not in programs]


async def book(
    chain: Chain,
    wish: Wish,
    keys: Sequence[Pubkey],
    *,
    tables: Sequence[AddressLookupTableAccount] = (),
    at_once: int = 32,
    progress: Progress | None = None,
) -> Booking:
    """Book nodes, as many per transaction as fit. Raises BookingStopped when the reason is none of the nodes'."""
    wanted = list(dict.fromkeys(keys))
    found = dict(zip(wanted, await read_nodes(chain, wanted), strict=True))
    missing: dict[Pubkey, IonetError] = {key: NotFound(f"node {key}") for key, node in found.items() if node is None}
    nodes = {key: node for key, node in found.items() if node is not None}
    wish = await priced(chain, wish, nodes.values())
    order = list(nodes)
    table_of = {key: table for table in reversed(tables) for key in table.addresses}

    def tables_of(position: int) -> Tables:
        """The table with the node; any other still has the accounts that all bookings name."""
        table = table_of.get(order[position], tables[0] if tables else None)
        return () if table is None else (table,)

    async def judge(position: int, error: InstructionFailed) -> Verdict:
        return await _judge(chain, wish, order[position], nodes[order[position]], error)

    def outcome(delivery: Delivery) -> Booking:
        leases = {order[at]: _lease(chain, bulk.instructions[at]) for at in sorted(delivery.landed)}
        left_out = {order[at]: why for at, why in delivery.left_out.items()}
        return Booking(wish.cluster, leases, missing | left_out, delivery.receipts)

    bulk = Bulk(
        chain,
        [add_lease(chain, wish, key, node) for key, node in nodes.items()],
        tables_of=tables_of,
        judge=judge,
        at_once=at_once,
        progress=progress,
    )
    try:
        return outcome(await bulk.run())
    except Stopped as stopped:
        raise BookingStopped(outcome(stopped.delivery), len(wanted), stopped.cause) from stopped.cause


def _lease(chain: Chain, booking: Instruction) -> Pubkey:
    return chain.program.builder.accounts("add_lease", booking)["lease"]


async def _judge(chain: Chain, wish: Wish, key: Pubkey, node: Node, error: InstructionFailed) -> Verdict:
    """Why a node is refused; a booking that would go through now, where it was freed since it was read."""
    if isinstance(error, ProgramError):
        return error if isinstance(error, NODE_ERRORS) else None
    # The lease's address follows from the node's count of leases: what was booked meanwhile shows as a wrong address.
    now = await chain.find(Node, key)
    if now is None:
        return NotFound(f"node {key}")
    if now.next_lease_number == node.next_lease_number:
        return None
    return NodeBusy() if now.current_lease != Pubkey.default() else add_lease(chain, wish, key, now)
