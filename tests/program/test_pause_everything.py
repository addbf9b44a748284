"""The authority at its worst: every entry is paused and every device model off. Then every unit gets out all the same,
to whom it belongs, and every vault, escrow and lease is gone."""

from __future__ import annotations

from ionet import addresses
from ionet.generated import pdas
from ionet.generated.accounts import Iosd, Node
from ionet.program import PROGRAM
from program import calls, governance, staking
from program.calls import EVERY_CURRENCY, FEED, ID, IO, IOSD, USD, ata
from program.chain import Call, refused, who
from program.governance import CaseRef
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.staking import DAY
from program.world import H100, HOUR, IO_UNIT, MODELS, USD_UNIT, World
from solders.keypair import Keypair
from solders.pubkey import Pubkey

ALL = 31


class Life:
    """One of everything that holds somebody's units, and who they are."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.do(calls.init_vaults(world.stranger, world.usdc))
        self.mints = (IO, USD, world.usdc)
        self.co: list[NodeRef] = []
        self.lender = who("lender")
        self.leases = {mint: self.lease(mint, name) for mint, name in zip(self.mints, "abc", strict=True)}
        self.cancelled = world.booked(world.staked_node("d"), self.leases[USD].cluster)
        self.shared = staking.open_node(world, "e")
        self.co += [staking.co_stake(world, self.shared, name, 4_000 * IO_UNIT) for name in ("co a", "co b")]
        staking.fund(world, self.shared, 999 * IO_UNIT)
        world.do(calls.request_unbond(self.co[-1], 1_000 * IO_UNIT))
        self.accused = staking.open_node(world, "f")
        self.co.append(staking.co_stake(world, self.accused, "co c", 1_000 * IO_UNIT))
        self.case: CaseRef = governance.accused(world, self.accused)
        world.do(calls.stake(self.accused, 5 * IO_UNIT))  # a refill, outside the shares
        self.nodes = [*(lease.node for lease in self.leases.values()), self.cancelled.node, self.shared, self.accused]
        self.positions = [*self.nodes, *self.co]

    def lease(self, mint: Pubkey, name: str) -> LeaseRef:
        """A running lease of two hours in a cluster of this currency, whose income a co-staker shares."""
        world, renter = self.world, world_renter(self.world, name)
        world.give_usdc(renter, 1_000 * USD_UNIT)
        cluster = ClusterRef(renter, 0, who(f"session {name} 0"))
        opened = calls.open_cluster(cluster, 900 * (IO_UNIT if mint == IO else USD_UNIT), world.now + 365 * DAY)
        world.do(opened.swapped(mint=mint, **{"from": ata(renter, mint)}))
        lease = LeaseRef(world.staked_node(name, currencies=EVERY_CURRENCY), cluster, 0)
        world.open_ata(lease.node.owner, mint)
        world.do(staking.open_income_vault(lease.node, world.stranger, mint))
        world.do(staking.set_co_stake_terms(lease.node, 0, 5_000))
        self.co.append(staking.co_stake(world, lease.node, f"partner {name}", 3_000 * IO_UNIT))
        booked = calls.add_lease(lease, H100, 2 * HOUR)
        world.do(booked.swapped(price_update=addresses.price_update(world.oracle.pubkey(), FEED)))
        world.do(calls.mark_ready(lease), calls.accept_ready(lease))
        return lease

    def wallets(self) -> list[Keypair]:
        renters = [lease.cluster.renter for lease in self.leases.values()]
        stakers = [held.owner for held in self.positions]
        return [self.world.treasury, self.world.stranger, self.lender, *renters, *stakers]

    def held(self, mint: Pubkey) -> int:
        return sum(self.world.tokens(ata(wallet, mint)) for wallet in dict.fromkeys(self.wallets()))


def world_renter(world: World, name: str) -> Keypair:
    """A wallet with IO and IOSD."""
    renter = world.renter(f"renter {name}")
    world.give_io(renter, 1_000 * IO_UNIT)
    return renter


def entries(life: Life) -> list[Call]:
    world, lease = life.world, life.leases[USD]
    renter = lease.cluster.renter
    another = ClusterRef(renter, 1, who("session"))
    return [
        calls.register_node(NodeRef(lease.node.owner, who("new device")), H100, 8),
        calls.open_cluster(another, 1, world.now + 1),
        calls.add_lease(LeaseRef(life.shared, lease.cluster, 0), H100, HOUR),
        calls.extend_lease(lease, H100, HOUR),
        calls.mint_iosd(renter, world.oracle, IO_UNIT),
    ]


def finish(life: Life) -> None:
    """Serves the leases, pays and closes them and their clusters. One supplier's income is locked to a lender."""
    world, leases = life.world, life.leases
    locked = leases[world.usdc]
    world.do(calls.lock_payout(locked.node, life.lender.pubkey(), world.now + 1_200 * DAY, locked))
    world.open_ata(life.lender, world.usdc)
    for interval in range(12):
        world.warp(600)
        for lease in leases.values():
            world.do(calls.append_proof(lease, interval, 600))
    world.final(leases[USD])
    world.do(calls.cancel_lease(life.cancelled), calls.close_lease(life.cancelled))
    for mint, lease in leases.items():
        payout = ata(life.lender if lease is locked else lease.node.owner, mint)
        paid = calls.settle_lease(lease).swapped(payout_account=payout)
        paid = staking.filled(paid, income_vault=pdas.income_vault(ID, lease.node.key, mint))
        world.do(paid, calls.close_lease(lease))
        vaults = {"fee_vault": pdas.fee_vault(ID, mint), "burn_vault": pdas.burn_vault(ID, mint)}
        closed = calls.close_cluster(lease.cluster).swapped(refund_to=ata(lease.cluster.renter, mint), **vaults)
        world.do(closed)


def unstake(life: Life) -> None:
    """Retires the nodes and pushes out what everybody has in them, also where a case was opened and never decided."""
    world = life.world
    for node in life.nodes:
        world.do(calls.retire_node(node))
    world.warp_to(governance.case_of(world, life.case).decide_by)
    world.do(governance.decide_case(life.case, by=world.stranger))
    world.do(calls.stake(life.accused, 0))
    for held in (*life.co, life.accused):
        world.do(staking.push_unbond(held))
    for held in (*life.co, life.shared):
        if held.key == life.shared.key:
            world.do(staking.claim_rewards(held))
    for mint, lease in life.leases.items():
        (partner,) = [held for held in life.co if held.key == lease.node.key]
        world.open_ata(partner.owner, mint)
        world.do(staking.claim_income(partner, mint), staking.close_income_vault(lease.node, mint))
    world.warp(21 * DAY)
    for held in life.positions:
        world.do(calls.withdraw(held))
    for node in life.nodes:
        world.do(staking.close_stake_vault(node))


def redeem(world: World, wallet: Keypair) -> None:
    """All IOSD of a wallet for IO."""
    amount = world.tokens(ata(wallet, USD))
    if amount == 0:
        return
    update = world.post_price(3 * IO_UNIT)
    instruction = PROGRAM.ix.redeem_iosd(
        wallet=wallet.pubkey(),
        from_account=ata(wallet, USD),
        to=world.open_ata(wallet, IO),
        iosd_amount=amount,
        min_io=1,
        price_update=update,
    )
    world.do(Call("redeem_iosd", instruction, (wallet,)))


def buy_back(world: World, seller: Keypair) -> None:
    """IO for all USDC in the fee vault: three dollars each, to the unit because the price is whole."""
    fees = pdas.fee_vault(ID, world.usdc)
    update = world.post_price(3 * IO_UNIT)
    io_amount = -(-world.tokens(fees) * IO_UNIT // (3 * USD_UNIT))
    instruction = PROGRAM.ix.buyback(
        seller=seller.pubkey(),
        from_account=ata(seller, IO),
        to=world.open_ata(seller, world.usdc),
        fee_vault=fees,
        price_update=update,
        io_amount=io_amount,
        min_usdc=world.tokens(fees),
    )
    world.do(Call("buyback", instruction, (seller,)))


def test_every_unit_gets_out(world: World) -> None:
    life = Life(world)
    usdc_issued = world.supply(world.usdc)
    world.do(calls.set_pause(world.authority, ALL), *(off(world, code) for code in MODELS))
    for entry in entries(life):
        with refused("Paused"):
            world.do(entry)
    finish(life)
    unstake(life)
    for wallet in dict.fromkeys(life.wallets()):
        redeem(world, wallet)
    buy_back(world, world.treasury)
    for mint in (IO, USD):
        if world.tokens(pdas.burn_vault(ID, mint)):
            world.do(calls.burn(mint))

    gone = [life.cancelled.key, life.case.key]
    gone += [key for lease in life.leases.values() for key in (lease.key, lease.cluster.key, lease.cluster.escrow)]
    gone += [*(node.vault for node in life.nodes), *(held.position for held in life.positions)]
    gone += [pdas.income_vault(ID, lease.node.key, mint) for mint, lease in life.leases.items()]
    assert [key for key in gone if world.exists(key)] == []
    # A unit that rounding left in each income vault; of USDC it was bought back with the fees.
    left = {mint: world.tokens(pdas.fee_vault(ID, mint)) for mint in life.mints}
    assert left == {IO: 1, USD: 1, world.usdc: 0}
    assert [world.tokens(pdas.burn_vault(ID, mint)) for mint in life.mints] == [0, 0, 0]
    for node in life.nodes:
        found = world.get(Node, node.key)
        assert found.bonded.amount == found.unbonding.amount == found.refill == 0
        assert found.owner_rewards == found.co_rewards == 0
        assert found.co_income == found.co_income_settled == (0, 0, 0)
    assert world.tokens(ata(life.lender, world.usdc)) > 0
    # What else exists is in somebody's hand, and of IOSD nothing does.
    assert (world.supply(USD), life.held(USD)) == (left[USD], 0)
    assert world.supply(IO) == life.held(IO) + left[IO]
    assert world.supply(world.usdc) == life.held(world.usdc) == usdc_issued
    books = world.get(Iosd, IOSD)
    assert books.minted == books.redeemed + books.fee_burned + left[USD]


def off(world: World, code: int) -> Call:
    return governance.set_model(world.authority, code, False)
