"""Calls of IOSD and of clusters in three currencies. An `oracle` of None is a call without a price account."""

from __future__ import annotations

from ionet import addresses
from ionet.generated import pdas
from ionet.generated.accounts import Renter
from ionet.generated.enums import Currency
from ionet.program import PROGRAM
from program import calls
from program.calls import FEED, ID, IO, USD, ata
from program.chain import Call, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair
from solders.pubkey import Pubkey

IOSD_CODE, USDC_CODE, IO_CODE = Currency
DOLLAR = 100_000_000  # mantissa of a price with exponent -8
U64 = 2**64 - 1


def price_of(oracle: Keypair) -> Pubkey:
    return addresses.price_update(oracle.pubkey(), FEED)


def mint_iosd_exact(wallet: Keypair, oracle: Keypair, iosd_amount: int, max_io: int = U64) -> Call:
    instruction = PROGRAM.ix.mint_iosd_exact(
        wallet=wallet.pubkey(),
        price_update=price_of(oracle),
        from_account=ata(wallet, IO),
        to=ata(wallet, USD),
        iosd_amount=iosd_amount,
        max_io=max_io,
    )
    return Call("mint_iosd_exact", instruction, (wallet,))


def redeem_iosd(wallet: Keypair, oracle: Keypair | None, iosd_amount: int, min_io: int = 0) -> Call:
    instruction = PROGRAM.ix.redeem_iosd(
        wallet=wallet.pubkey(),
        price_update=None if oracle is None else price_of(oracle),
        from_account=ata(wallet, USD),
        to=ata(wallet, IO),
        iosd_amount=iosd_amount,
        min_io=min_io,
    )
    return Call("redeem_iosd", instruction, (wallet,))


def refresh_price(oracle: Keypair) -> Call:
    return Call("refresh_price", PROGRAM.ix.refresh_price(price_update=price_of(oracle)))


def buyback(world: World, seller: Keypair, oracle: Keypair, io_amount: int, min_usdc: int = 0) -> Call:
    instruction = PROGRAM.ix.buyback(
        seller=seller.pubkey(),
        from_account=ata(seller, IO),
        to=ata(seller, world.usdc),
        fee_vault=pdas.fee_vault(ID, world.usdc),
        price_update=price_of(oracle),
        io_amount=io_amount,
        min_usdc=min_usdc,
    )
    return Call("buyback", instruction, (seller,))


def mint_of(world: World, currency: str) -> Pubkey:
    return {"iosd": USD, "usdc": world.usdc, "io": IO}[currency]


def paid_in(mint: Pubkey, call: Call, wallet: Keypair) -> Call:
    """The same call where the cluster is paid in `mint`: whose token accounts are in it, and the mint's vaults."""
    mine = ata(wallet, mint)
    if call.name == "open_cluster":
        return call.swapped(**{"mint": mint, "from": mine})
    if call.name == "settle_lease":
        return call.swapped(payout_account=mine)
    if call.name == "withdraw_budget":
        return call.swapped(to=mine)
    vaults = {"fee_vault": pdas.fee_vault(ID, mint), "burn_vault": pdas.burn_vault(ID, mint)}
    return call.swapped(refund_to=mine, **vaults)


def priced(call: Call, oracle: Keypair) -> Call:
    """The same booking with a price account."""
    return call.swapped(price_update=price_of(oracle))


def cluster_in(world: World, mint: Pubkey, name: str = "a", deposit: int = 20_000 * USD_UNIT) -> ClusterRef:
    """A cluster paid in a mint, of a renter who has just so much of it."""
    renter = who(f"renter {name}")
    world.fund(renter.pubkey())
    fill(world, renter, mint, deposit)
    account = pdas.renter_account(ID, renter.pubkey())
    number = world.get(Renter, account).next_cluster_id if world.exists(account) else 0
    cluster = ClusterRef(renter, number, who(f"session {name} {number}"))
    world.do(paid_in(mint, calls.open_cluster(cluster, deposit, world.now + 10 * 365 * 86_400), renter))
    return cluster


def fill(world: World, wallet: Keypair, mint: Pubkey, amount: int) -> None:
    """Gives a wallet exactly so much more of a mint."""
    if mint == IO:
        world.give_io(wallet, amount)
    elif mint == world.usdc:
        world.give_usdc(wallet, amount)
    else:
        world.give_io(world.stranger, 100_000 * IO_UNIT)
        world.open_ata(world.stranger, USD)
        world.open_ata(wallet, USD)
        world.post_price(3 * IO_UNIT)
        world.do(mint_iosd_exact(world.stranger, world.oracle, amount))
        world.move(world.stranger, ata(wallet, USD), USD, amount)


def other_price(world: World, age: int, price: int) -> Keypair:
    """A second oracle with a price of its own that was published `age` seconds ago."""
    other = who("other oracle")
    world.fund(other.pubkey())
    world.send([calls.post_price(other, world.now - age, price)], [world.payer, other])
    return other


def give_fees(world: World, usdc: int) -> None:
    """Puts USDC into the fee vault, as clusters that close would."""
    world.give_usdc(world.stranger, usdc)
    world.move(world.stranger, pdas.fee_vault(ID, world.usdc), world.usdc, usdc)


def booking(world: World, node: NodeRef, cluster: ClusterRef, duration: int = 7_200) -> tuple[LeaseRef, Call]:
    """A booking of the node as its terms are now, without a price account."""
    found = world.of_node(node)
    lease = LeaseRef(node, cluster, found.next_lease_number)
    return lease, calls.add_lease(lease, found.model, duration, found.price, found.terms_seq)


def active_in(world: World, mint: Pubkey, node: NodeRef, cluster: ClusterRef, duration: int = 7_200) -> LeaseRef:
    """A running lease paid in a mint; in IO it is booked at a price of IO posted now."""
    lease, call = booking(world, node, cluster, duration)
    if mint == IO:
        world.post_price(3 * IO_UNIT)
        call = priced(call, world.oracle)
    world.open_ata(node.owner, mint)
    world.do(call)
    world.do(calls.mark_ready(lease))
    world.do(calls.accept_ready(lease))
    return lease
