"""What brings two nodes and two clusters to a state, and calls that succeed in one."""

from __future__ import annotations

from collections.abc import Callable

from ionet.generated import pdas
from program import calls, currencies, disputes, governance, staking
from program.calls import ID, IO, NETWORK, USD, ata
from program.chain import Call, who
from program.disputes import Record
from program.governance import CaseRef
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, HOUR, IO_UNIT, World
from solders.account import Account
from solders.pubkey import Pubkey

Pairs = list[tuple[NodeRef, ClusterRef]]
# Brings two nodes and two clusters to a state and returns their leases.
Bring = Callable[[World, Pairs], list[LeaseRef]]
Make = Callable[[World, LeaseRef], Call]


def idle(_world: World, pairs: Pairs) -> list[LeaseRef]:
    return [LeaseRef(node, cluster, 0) for node, cluster in pairs]


def booked(world: World, pairs: Pairs) -> list[LeaseRef]:
    return [world.booked(node, cluster) for node, cluster in pairs]


def ready(world: World, pairs: Pairs) -> list[LeaseRef]:
    return [world.ready(node, cluster) for node, cluster in pairs]


def active(world: World, pairs: Pairs) -> list[LeaseRef]:
    return [world.active(node, cluster) for node, cluster in pairs]


def after(secs: int, bring: Bring) -> Bring:
    def later(world: World, pairs: Pairs) -> list[LeaseRef]:
        leases = bring(world, pairs)
        world.warp(secs)
        return leases

    return later


def unbonding(world: World, pairs: Pairs) -> list[LeaseRef]:
    for node, _ in pairs:
        world.do(calls.request_unbond(node, IO_UNIT))
    return idle(world, pairs)


def served(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Two hours proven in full, past the last dispute window, nothing settled yet."""
    leases = active(world, pairs)
    for interval in range(12):
        world.warp(600)
        for lease in leases:
            world.do(calls.append_proof(lease, interval, 600))
    world.final(leases[0])
    return leases


def settled(world: World, pairs: Pairs) -> list[LeaseRef]:
    leases = served(world, pairs)
    for lease in leases:
        world.do(calls.settle_lease(lease))
    return leases


def closed(world: World, pairs: Pairs) -> list[LeaseRef]:
    leases = settled(world, pairs)
    for lease in leases:
        world.do(calls.close_lease(lease))
    return leases


def new_node(_world: World, lease: LeaseRef) -> Call:
    return calls.register_node(NodeRef(lease.node.owner, who("new device")), H100, 8)


def new_cluster(world: World, lease: LeaseRef) -> Call:
    return calls.open_cluster(ClusterRef(lease.cluster.renter, 1, who("session")), 1, world.now + 1)


def mint(world: World, lease: LeaseRef) -> Call:
    world.give_io(lease.cluster.renter, IO_UNIT)
    return calls.mint_iosd(lease.cluster.renter, world.oracle, IO_UNIT)


def report(world: World, lease: LeaseRef) -> Call:
    world.open_ata(world.stranger, IO)
    return calls.report_missed(lease, world.stranger)


def burn(world: World, _lease: LeaseRef) -> Call:
    world.move(world.treasury, pdas.burn_vault(ID, IO), IO, 1)
    return calls.burn(IO)


def hand_over(world: World, _lease: LeaseRef) -> Call:
    heir = who("heir")
    world.do(governance.propose_role(world.authority, governance.AUTHORITY, bytes(heir.pubkey())))
    world.warp(world.params.timelock_secs)
    return governance.apply_pending(heir)


def accused(world: World, pairs: Pairs) -> list[LeaseRef]:
    for node, _ in pairs:
        governance.accused(world, node)
    return idle(world, pairs)


def decide(world: World, lease: LeaseRef) -> Call:
    """By another arbiter than the one who opened the case and gets its rent."""
    case = CaseRef(lease.node, 0)
    world.do(governance.appeal_case(case))
    governance.set_role(world, governance.ARBITER, bytes(who("new arbiter").pubkey()))
    return governance.decide_case(case, 100, True, by=who("new arbiter"))


def shared(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Nodes with a co-staker each and rewards to claim."""
    for node, _ in pairs:
        world.do(staking.set_co_stake_terms(node, 5_000))
        staking.co_stake(world, node, "co", IO_UNIT)
        staking.fund(world, node, IO_UNIT)
    return idle(world, pairs)


def deserted(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Retired nodes from which everything was taken but the vault."""
    for node, _ in pairs:
        world.do(calls.retire_node(node))
    world.warp(14 * 86_400)
    for node, _ in pairs:
        world.do(calls.withdraw(node))
    return idle(world, pairs)


def push(world: World, lease: LeaseRef) -> Call:
    world.do(calls.retire_node(lease.node))
    return staking.push_unbond(staking.held_by(lease.node, who("co")))


def claim(world: World, lease: LeaseRef) -> Call:
    held = staking.held_by(lease.node, who("co"))
    return staking.unpayable(world, staking.claim_rewards(held), held.owner, IO)


def withdraw(world: World, lease: LeaseRef) -> Call:
    return staking.unpayable(world, calls.withdraw(lease.node), lease.node.owner, IO)


def frozen(world: World, vault: Pubkey) -> None:
    """As the issuer of a mint with a freeze authority could leave any account of it."""
    account = world.raw(vault)
    data = account.data[:108] + b"\x02" + account.data[109:]
    world.svm.set_account(vault, Account(account.lamports, data, account.owner, False, account.rent_epoch))


def sharing(world: World, pairs: Pairs) -> None:
    """Half of the nodes' income in IOSD goes to the bonded pool, of which a stranger holds a part."""
    for node, _ in pairs:
        world.do(staking.open_income_vault(node, world.stranger, USD), staking.set_co_stake_terms(node, 5_000, 5_000))
        staking.co_stake(world, node, "co", IO_UNIT)


def shared_income(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Leases that have paid a co-staker their part."""
    sharing(world, pairs)
    leases = served(world, pairs)
    for lease in leases:
        world.do(staking.with_income(calls.settle_lease(lease)))
    return leases


def left_income(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Retired nodes whose co-staker was paid all: roundings are left in the vault."""
    leases = shared_income(world, pairs)
    for lease in leases:
        held = staking.held_by(lease.node, who("co"))
        world.open_ata(held.owner, USD)
        world.do(calls.close_lease(lease), calls.retire_node(lease.node), staking.push_unbond(held))
        world.do(staking.claim_income(held, USD))
        world.move(lease.cluster.renter, pdas.income_vault(ID, lease.node.key, USD), USD, 1)
    return leases


def settle(world: World, lease: LeaseRef) -> Call:
    frozen(world, pdas.income_vault(ID, lease.node.key, USD))
    world.do(staking.open_owed(world.stranger, lease.node.key, USD))
    call = staking.with_income(staking.unpayable(world, calls.settle_lease(lease), lease.node.owner, USD))
    return staking.filled(call, income_owed=pdas.owed(ID, USD, lease.node.key))


def served_and_shared(world: World, pairs: Pairs) -> list[LeaseRef]:
    sharing(world, pairs)
    return served(world, pairs)


def join(world: World, lease: LeaseRef) -> Call:
    """By a stranger, while a lease runs whose income is not shared."""
    world.do(staking.set_co_stake_terms(lease.node, 5_000))
    co = world.supplier("co")
    return calls.stake(lease.node, IO_UNIT, co, lease)


def claim_income(world: World, lease: LeaseRef) -> Call:
    held = staking.held_by(lease.node, who("co"))
    return staking.unpayable(world, staking.claim_income(held, USD), held.owner, USD)


def close_income_vault(world: World, lease: LeaseRef) -> Call:
    return fees_frozen(world, staking.close_income_vault(lease.node, USD))


def collect(world: World, lease: LeaseRef) -> Call:
    world.do(staking.open_owed(world.stranger, lease.node.key, USD))
    world.move(lease.cluster.renter, pdas.owed(ID, USD, lease.node.key), USD, 1)
    world.do(staking.open_income_vault(lease.node, world.stranger, USD))
    return staking.collect_owed(world.stranger, USD, lease.node)


def fees_frozen(world: World, call: Call) -> Call:
    """What goes to the network's fee vault has to wait in its owed account."""
    frozen(world, pdas.fee_vault(ID, USD))
    world.do(staking.open_owed(world.stranger, NETWORK, USD))
    return staking.filled(call, fees_owed=pdas.owed(ID, USD, NETWORK))


def lock(world: World, lease: LeaseRef) -> Call:
    return calls.lock_payout(lease.node, who("lender").pubkey(), world.now + 86_400, lease)


def release(world: World, lease: LeaseRef) -> Call:
    lender = who("lender")
    world.do(calls.lock_payout(lease.node, lender.pubkey(), world.now + 86_400))
    return calls.release_payout(lease.node, lender)


def apply_model(world: World, _lease: LeaseRef) -> Call:
    world.do(governance.propose_model(world.authority, H100, reference_price=1))
    world.warp(21 * 86_400)
    return governance.apply_model(H100)


def late(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Nodes that were not ready in time."""
    leases = after(300, booked)(world, pairs)
    for lease in leases:
        world.do(calls.cancel_lease(lease))
    return leases


def close_cluster(world: World, lease: LeaseRef) -> Call:
    """A lease of which something is left to burn and to pay as a fee, in both."""
    world.move(lease.cluster.renter, lease.cluster.escrow, USD, 1)
    call = staking.unpayable(world, calls.close_cluster(lease.cluster), lease.cluster.renter, USD)
    return fees_frozen(world, call)


def claim_owed(world: World, lease: LeaseRef) -> Call:
    owner = lease.node.owner
    world.do(staking.open_owed(world.stranger, owner.pubkey(), IO))
    return staking.claim_owed(owner, IO, ata(owner, IO))


def book(world: World, lease: LeaseRef) -> Call:
    return currencies.priced(calls.add_lease(lease, H100, HOUR), world.oracle)


def mint_exact(world: World, lease: LeaseRef) -> Call:
    world.give_io(lease.cluster.renter, IO_UNIT)
    return currencies.mint_iosd_exact(lease.cluster.renter, world.oracle, 1)


def redeem(world: World, lease: LeaseRef) -> Call:
    return currencies.redeem_iosd(lease.cluster.renter, world.oracle, 1_000_000)


def buy_back(world: World, lease: LeaseRef) -> Call:
    world.do(calls.init_vaults(world.stranger, world.usdc))
    currencies.give_fees(world, 1_000_000)
    world.open_ata(lease.node.owner, world.usdc)
    return currencies.buyback(world, lease.node.owner, world.oracle, 1_000_000)


def proven(world: World, lease: LeaseRef) -> Record:
    """Two intervals proven and closed."""
    record = Record(world, lease)
    record.serve(2)
    world.warp(disputes.GRACE)
    return record


def approve(world: World, lease: LeaseRef) -> Call:
    proven(world, lease)
    return disputes.approve_lease(world, lease, 1)


def dispute(world: World, lease: LeaseRef) -> Call:
    proven(world, lease)
    return disputes.dispute_lease(lease, 0, 2)


def defend(world: World, lease: LeaseRef) -> Call:
    record = proven(world, lease)
    world.do(disputes.dispute_lease(lease, 0, 2))
    return record.defence(1)


def leave(world: World, lease: LeaseRef) -> Call:
    Record(world, lease).serve(2)
    return disputes.leave_lease(lease)
