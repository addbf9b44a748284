"""Many nodes for one cluster: packed with and without lookup tables, refused nodes left out, the rest booked once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import fleet
import pytest
import pytest_asyncio
from ionet import addresses, booking
from ionet.booking import BookingStopped, Wish
from ionet.errors import InvalidInput, NotFound
from ionet.generated import pdas
from ionet.generated.accounts import Node
from ionet.generated.errors import BudgetTooSmall, NodeBusy, NodePaused, PriceTooHigh
from ionet.generated.events import ClusterOpened, LeaseBooked
from ionet.lookup_tables import COOLDOWN_BLOCKS
from ionet.lookup_tables import PROGRAM as TABLE_PROGRAM
from ionet.program import PROGRAM
from ionet_localnet.faults import FaultConfig, FaultPlan
from market import IO, PRICE, USD, Market, key, market
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="module")
# Of the shipped models one that needs little stake.
T4, DURATION, STAKE = 36, 30, 200 * IO
_numbers = count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Market]:
    """A market whose chain is in this process."""
    async with market() as made:
        # A table's address is made of a finalized block, one for each.
        made.finalize()
        yield made


def nodes_of(town: Market, many: int, price: int = PRICE) -> list[Pubkey]:
    """As many hireable nodes that no other test uses."""
    keys = [key(f"booking device {next(_numbers)}") for _ in range(many)]
    made = fleet.register(town.net.chain, key("admin"), keys, model=T4, terms=town.terms(price), stake=STAKE)
    town.net.chain.begin_blocks(2)  # confirmed
    return made


async def cluster_of(town: Market, deposit: int = 100 * USD) -> Pubkey:
    return (await town.renter.cluster.open(deposit)).event(ClusterOpened).cluster


async def test_many_nodes_are_booked_once_each(town: Market) -> None:
    """More nodes than one transaction holds; none is booked twice."""
    nodes, cluster = nodes_of(town, 20), await cluster_of(town)
    seen: list[tuple[int, int]] = []
    booked = await town.renter.cluster.add_leases(
        cluster, [*nodes, nodes[3]], duration=DURATION, progress=lambda done, total: seen.append((done, total))
    )
    assert (len(booked.receipts), booked.left_out) == (3, {})
    assert seen[0] == (8, 20)
    assert seen[-1] == (20, 20)
    events = [record.event for receipt in booked.receipts for record in receipt.events]
    assert {event.node: event.lease for event in events if isinstance(event, LeaseBooked)} == booked.leases
    assert list(booked.leases) == nodes
    again = await town.renter.cluster.add_leases(cluster, nodes, duration=DURATION)
    assert again.leases == {}
    assert {type(why) for why in again.left_out.values()} == {NodeBusy}
    assert (await town.renter.cluster.add_leases(cluster, [], duration=DURATION)).receipts == []


async def test_lookup_tables_save_transactions(town: Market) -> None:
    """Fewer transactions, and a reader of one finds every account of it."""
    nodes, cluster = nodes_of(town, 30), await cluster_of(town)
    tables = await town.renter.cluster.tables_for(cluster, nodes, make=True)
    assert [table.authority for table in tables] == [town.renter.address]
    assert set(nodes) | {cluster} <= set(tables[0].addresses)
    booked = await town.renter.cluster.add_leases(cluster, nodes, duration=DURATION, tables=tables)
    counts = sorted((len(receipt.events) for receipt in booked.receipts), reverse=True)
    assert counts[0] >= 13
    assert len(counts) == -(-30 // counts[0])
    assert len(booked.leases) == 30
    answer = await town.renter.rpc.transaction(booked.receipts[0].signature)
    assert answer is not None
    assert answer.transaction.meta is not None
    loaded = answer.transaction.meta.loaded_addresses
    assert loaded is not None
    assert set(loaded.writable) == {cluster, *nodes[: len(booked.receipts[0].events)]}
    assert pdas.network(PROGRAM.id) in loaded.readonly
    # The same tables serve again, here for another cluster; what they lack goes into a new one.
    more = nodes_of(town, 2)
    assert await town.renter.cluster.tables_for(cluster, [*nodes, *more]) == tables
    both = await town.renter.cluster.tables_for(cluster, [*nodes, *more], make=True)
    assert len(both) == 2
    assert set(more) <= set(both[1].addresses)


async def test_refused_nodes_are_left_out(town: Market) -> None:
    """Each for its own reason; no head is named before one is accepted."""
    nodes, dear, nowhere = nodes_of(town, 16), nodes_of(town, 1, price=2 * PRICE)[0], Keypair().pubkey()
    await town.admin.node.pause(nodes[0])
    other = await cluster_of(town)
    await town.renter.cluster.add_lease(other, nodes[7], duration=DURATION)
    cluster = await cluster_of(town)
    wanted = [nodes[0], dear, *nodes[1:], nowhere]
    booked = await town.renter.cluster.add_leases(cluster, wanted, duration=DURATION, max_price=PRICE)
    reasons = {key: type(why) for key, why in booked.left_out.items()}
    assert reasons == {nodes[0]: NodePaused, dear: PriceTooHigh, nodes[7]: NodeBusy, nowhere: NotFound}
    assert set(booked.leases) == set(nodes) - {nodes[0], nodes[7]}
    account = await town.renter.cluster.get(cluster)
    assert (account.leases_open, account.head_lease) == (14, Pubkey.default())


async def test_nodes_booked_by_somebody_else_meanwhile(town: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is old: one node is taken, another was taken and is free again."""
    nodes, other = nodes_of(town, 4), await cluster_of(town)
    stale = await booking.read_nodes(town.renter, nodes)
    leases = (await town.renter.cluster.add_leases(other, nodes[1:3], duration=DURATION)).leases
    town.pass_time(120)
    await town.stranger.lease.cancel(leases[nodes[2]])
    # A node that was not ready in time counts as absent until it says otherwise.
    await town.admin.node.come_back(nodes[2])

    async def old(_client: object, _keys: object) -> list[Node | None]:
        return stale

    monkeypatch.setattr(booking, "read_nodes", old)
    booked = await booking.book(town.renter, Wish(await cluster_of(town), DURATION), nodes)
    assert {key: type(why) for key, why in booked.left_out.items()} == {nodes[1]: NodeBusy}
    assert booked.leases == {
        key: addresses.lease(PROGRAM.id, key, int(key == nodes[2])) for key in nodes if key != nodes[1]
    }


async def test_missing_and_too_short_tables_cost_transactions_only(town: Market) -> None:
    """A table that the chain does not have, and one that has fewer addresses there than here."""
    nodes, cluster = nodes_of(town, 12), await cluster_of(town)
    made = await town.renter.tables.make(nodes[:2])
    gone = AddressLookupTableAccount(Keypair().pubkey(), nodes[:6])
    short = AddressLookupTableAccount(made[0], [*nodes[:2], *nodes[6:]])
    booked = await booking.book(town.renter, Wish(cluster, DURATION), nodes, tables=[gone, short])
    assert (set(booked.leases), booked.left_out) == (set(nodes), {})
    assert len(booked.receipts) == 2


async def test_new_table_is_waited_for(town: Market) -> None:
    """A table written in the open block cannot be used before the next one; nothing is lost by asking too early."""
    nodes, cluster = nodes_of(town, 12), await cluster_of(town)
    tables = await town.renter.cluster.tables_for(cluster, nodes, make=True)
    table = tables[0]
    assert table.usable(table.last_extended_slot) is None
    usable = table.usable(table.last_extended_slot + 1)
    assert usable is not None
    assert usable.addresses == list(table.addresses)
    booked = await town.renter.cluster.add_leases(cluster, nodes, duration=DURATION, tables=tables)
    assert len(booked.receipts) == 1


async def test_smaller_batches_where_one_runs_too_long(town: Market) -> None:
    """Lamports sent to leases that do not exist yet make their creation take three calls instead of one: thirteen
    bookings are then more instructions than a transaction may run."""
    nodes, cluster = nodes_of(town, 13), await cluster_of(town)
    for node in nodes:
        await town.stranger.rpc.airdrop(addresses.lease(PROGRAM.id, node, 0), 10**6)
    tables = await town.renter.cluster.tables_for(cluster, nodes, make=True)
    booked = await town.renter.cluster.add_leases(cluster, nodes, duration=DURATION, tables=tables)
    assert (set(booked.leases), booked.left_out) == (set(nodes), {})
    assert len(booked.receipts) > 1


async def test_budget_too_small_stops_fails(town: Market) -> None:
    """What was booked is said; nothing is left under way."""
    nodes, cluster = nodes_of(town, 20), await cluster_of(town, deposit=10 * (PRICE * DURATION // 3600 + 100))
    with pytest.raises(BookingStopped, match=r"8 of 20, then: .*BudgetTooSmall") as stopped:
        await town.renter.cluster.add_leases(cluster, nodes, duration=DURATION)
    assert isinstance(stopped.value.cause, BudgetTooSmall)
    assert stopped.value.exit_code == BudgetTooSmall.exit_code
    assert list(stopped.value.booking.leases) == nodes[:8]
    assert (await town.renter.cluster.get(cluster)).leases_open == 8


async def test_lost_transactions_are_sent_again(town: Market) -> None:
    """Half of everything sent is lost, some of it comes twice, and still every node is booked exactly once."""
    nodes, cluster = nodes_of(town, 40), await cluster_of(town)
    town.net.node.faults = FaultPlan(FaultConfig(drop=0.5, duplicate=0.3, seed=4))
    resend, town.renter.rpc.resend_every = town.renter.rpc.resend_every, 0.1
    try:
        booked = await town.renter.cluster.add_leases(cluster, nodes, duration=DURATION)
    finally:
        town.net.node.faults = FaultPlan(FaultConfig())
        town.renter.rpc.resend_every = resend
    assert (set(booked.leases), booked.left_out) == (set(nodes), {})
    assert len(booked.receipts) == 5
    assert (await town.renter.cluster.get(cluster)).leases_booked == 40


async def test_tables_are_closed_for_their_rent(town: Market) -> None:
    """Deactivated, cooled, closed: the wallet gets exactly the rent back."""
    client = town.renter
    (made,) = await client.tables.make(nodes_of(town, 3))
    account = await client.rpc.account(made)
    assert account is not None
    assert account.owner == TABLE_PROGRAM
    with pytest.raises(InvalidInput, match="is not the authority"):
        await town.stranger.tables.close([made])
    first = await client.tables.close([made])
    assert (first.closed, first.cooling) == ([], {made: COOLDOWN_BLOCKS})
    (table,) = await client.tables.get([made])
    assert table is not None
    assert (table.active, table.usable(10**9)) == (False, None)
    assert made in [table.key for table in await client.tables.all()]
    # Slots that held no block do not count for the program, though they do for us: one more look.
    town.pass_time(COOLDOWN_BLOCKS)
    town.net.chain.begin_blocks(2)
    assert (await client.tables.close([made])).cooling == {made: 1}
    town.net.chain.begin_blocks(COOLDOWN_BLOCKS)
    town.net.node.clock.set(town.net.chain.unix_time)
    before = await client.rpc.balance(client.address)
    fees = town.net.chain.history.next_number
    assert (await client.tables.close([made])).closed == [made]
    assert town.net.chain.history.next_number == fees + 1
    assert await client.rpc.balance(client.address) == before + account.lamports - 5_000
    assert await client.tables.get([made]) == [None]
    assert (await client.tables.close([made])).closed == []
