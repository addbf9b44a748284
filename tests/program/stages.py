"""For every instruction a world in which a call of it succeeds, with a second set of everything beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ionet import addresses
from ionet.generated import pdas
from program import calls, currencies, disputes, governance, staking
from program.calls import ID, IO, IOSD, NETWORK, USD, ClusterRef, LeaseRef, NodeRef, ata
from program.chain import Call, who
from program.disputes import Record
from program.governance import CaseRef
from program.world import H100, HOUR, IO_UNIT, T4, World
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
OTHER_PROGRAM = addresses.PYTH_RECEIVER


@dataclass(frozen=True)
class Stage:
    """A world, a call that succeeds in it, and by slot what belongs to somebody else."""

    world: World
    call: Call
    others: dict[str, Pubkey | Keypair]


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


def _new_node(_world: World, lease: LeaseRef) -> Call:
    return calls.register_node(NodeRef(lease.node.owner, who("new device")), H100, 8)


def _new_cluster(world: World, lease: LeaseRef) -> Call:
    return calls.open_cluster(ClusterRef(lease.cluster.renter, 1, who("session")), 1, world.now + 1)


def _mint(world: World, lease: LeaseRef) -> Call:
    world.give_io(lease.cluster.renter, IO_UNIT)
    return calls.mint_iosd(lease.cluster.renter, world.oracle, IO_UNIT)


def _report(world: World, lease: LeaseRef) -> Call:
    world.open_ata(world.stranger, IO)
    return calls.report_missed(lease, world.stranger)


def _burn(world: World, _lease: LeaseRef) -> Call:
    world.move(world.treasury, pdas.burn_vault(ID, IO), IO, 1)
    return calls.burn(IO)


def _hand_over(world: World, _lease: LeaseRef) -> Call:
    heir = who("heir")
    world.do(governance.propose_role(world.authority, governance.AUTHORITY, bytes(heir.pubkey())))
    world.warp(world.params.timelock_secs)
    return governance.apply_pending(heir)


def accused(world: World, pairs: Pairs) -> list[LeaseRef]:
    for node, _ in pairs:
        governance.accused(world, node)
    return idle(world, pairs)


def _decide(world: World, lease: LeaseRef) -> Call:
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


def _push(world: World, lease: LeaseRef) -> Call:
    world.do(calls.retire_node(lease.node))
    return staking.push_unbond(staking.held_by(lease.node, who("co")))


def _claim(world: World, lease: LeaseRef) -> Call:
    held = staking.held_by(lease.node, who("co"))
    return staking.unpayable(world, staking.claim_rewards(held), held.owner, IO)


def _withdraw(world: World, lease: LeaseRef) -> Call:
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


def _settle(world: World, lease: LeaseRef) -> Call:
    frozen(world, pdas.income_vault(ID, lease.node.key, USD))
    world.do(staking.open_owed(world.stranger, lease.node.key, USD))
    call = staking.with_income(staking.unpayable(world, calls.settle_lease(lease), lease.node.owner, USD))
    return staking.filled(call, income_owed=pdas.owed(ID, USD, lease.node.key))


def served_and_shared(world: World, pairs: Pairs) -> list[LeaseRef]:
    sharing(world, pairs)
    return served(world, pairs)


def _join(world: World, lease: LeaseRef) -> Call:
    """By a stranger, while a lease runs whose income is not shared."""
    world.do(staking.set_co_stake_terms(lease.node, 5_000))
    co = world.supplier("co")
    return calls.stake(lease.node, IO_UNIT, co, lease)


def _claim_income(world: World, lease: LeaseRef) -> Call:
    held = staking.held_by(lease.node, who("co"))
    return staking.unpayable(world, staking.claim_income(held, USD), held.owner, USD)


def _close_income_vault(world: World, lease: LeaseRef) -> Call:
    return _fees_frozen(world, staking.close_income_vault(lease.node, USD))


def _collect(world: World, lease: LeaseRef) -> Call:
    world.do(staking.open_owed(world.stranger, lease.node.key, USD))
    world.do(staking.open_income_vault(lease.node, world.stranger, USD))
    return staking.collect_owed(world.stranger, USD, lease.node)


def _fees_frozen(world: World, call: Call) -> Call:
    """What goes to the network's fee vault has to wait in its owed account."""
    frozen(world, pdas.fee_vault(ID, USD))
    world.do(staking.open_owed(world.stranger, NETWORK, USD))
    return staking.filled(call, fees_owed=pdas.owed(ID, USD, NETWORK))


def _lock(world: World, lease: LeaseRef) -> Call:
    return calls.lock_payout(lease.node, who("lender").pubkey(), world.now + 86_400, lease)


def _release(world: World, lease: LeaseRef) -> Call:
    lender = who("lender")
    world.do(calls.lock_payout(lease.node, lender.pubkey(), world.now + 86_400))
    return calls.release_payout(lease.node, lender)


def _apply_model(world: World, _lease: LeaseRef) -> Call:
    world.do(governance.propose_model(world.authority, H100, reference_price=1))
    world.warp(21 * 86_400)
    return governance.apply_model(H100)


def late(world: World, pairs: Pairs) -> list[LeaseRef]:
    """Nodes that were not ready in time."""
    leases = after(300, booked)(world, pairs)
    for lease in leases:
        world.do(calls.cancel_lease(lease))
    return leases


def _close_cluster(world: World, lease: LeaseRef) -> Call:
    """A lease of which something is left to burn and to pay as a fee, in both."""
    world.move(lease.cluster.renter, lease.cluster.escrow, USD, 1)
    call = staking.unpayable(world, calls.close_cluster(lease.cluster), lease.cluster.renter, USD)
    return _fees_frozen(world, call)


def _claim_owed(world: World, lease: LeaseRef) -> Call:
    owner = lease.node.owner
    world.do(staking.open_owed(world.stranger, owner.pubkey(), IO))
    return staking.claim_owed(owner, IO, ata(owner, IO))


def _book(world: World, lease: LeaseRef) -> Call:
    return currencies.priced(calls.add_lease(lease, H100, HOUR), world.oracle)


def _mint_exact(world: World, lease: LeaseRef) -> Call:
    world.give_io(lease.cluster.renter, IO_UNIT)
    return currencies.mint_iosd_exact(lease.cluster.renter, world.oracle, 1)


def _redeem(world: World, lease: LeaseRef) -> Call:
    return currencies.redeem_iosd(lease.cluster.renter, world.oracle, 1_000_000)


def _buy_back(world: World, lease: LeaseRef) -> Call:
    world.do(calls.init_vaults(world.stranger, world.usdc))
    currencies.give_fees(world, 1_000_000)
    world.open_ata(lease.node.owner, world.usdc)
    return currencies.buyback(world, lease.node.owner, world.oracle, 1_000_000)


def _proven(world: World, lease: LeaseRef) -> Record:
    """Two intervals proven and closed."""
    record = Record(world, lease)
    record.serve(2)
    world.warp(disputes.GRACE)
    return record


def _approve(world: World, lease: LeaseRef) -> Call:
    _proven(world, lease)
    return disputes.approve_lease(world, lease, 1)


def _dispute(world: World, lease: LeaseRef) -> Call:
    _proven(world, lease)
    return disputes.dispute_lease(lease, 0, 2)


def _defend(world: World, lease: LeaseRef) -> Call:
    record = _proven(world, lease)
    world.do(disputes.dispute_lease(lease, 0, 2))
    return record.defence(1)


def _leave(world: World, lease: LeaseRef) -> Call:
    Record(world, lease).serve(2)
    return disputes.leave_lease(lease)


STAGES: dict[str, tuple[Bring, Make]] = {
    "init_vaults": (idle, lambda world, _: calls.init_vaults(world.stranger, world.usdc)),
    "register_model": (idle, lambda world, _: calls.register_model(world.authority, 9)),
    "set_pause": (idle, lambda world, _: calls.set_pause(world.pauser, 1)),
    "propose_params": (idle, lambda world, _: governance.propose_params(world.authority, world.params)),
    "propose_role": (idle, lambda world, _: governance.propose_role(world.authority, governance.PAUSER, bytes(32))),
    "apply_pending": (idle, _hand_over),
    "set_model": (idle, lambda world, _: governance.set_model(world.authority, H100, False)),
    "propose_model": (idle, lambda world, _: governance.propose_model(world.authority, H100, throughput=1)),
    "apply_model": (idle, _apply_model),
    "open_case": (idle, lambda _, lease: governance.open_case(CaseRef(lease.node, 0))),
    "appeal_case": (accused, lambda _, lease: governance.appeal_case(CaseRef(lease.node, 0))),
    "decide_case": (accused, _decide),
    "register_node": (idle, _new_node),
    "update_node": (idle, lambda _, lease: calls.update_node(lease.node, calls.terms(lease.node.owner))),
    "rotate_device_key": (idle, lambda _, lease: calls.rotate_device_key(lease.node, who("new device"))),
    "pause_node": (idle, lambda _, lease: calls.pause_node(lease.node, True)),
    "return_node": (late, lambda _, lease: calls.return_node(lease.node)),
    "lock_payout": (active, _lock),
    "release_payout": (idle, _release),
    "retire_node": (idle, lambda _, lease: calls.retire_node(lease.node)),
    "stake": (active, _join),
    "request_unbond": (idle, lambda _, lease: calls.request_unbond(lease.node, 1)),
    "withdraw": (after(14 * 86_400, unbonding), _withdraw),
    "set_co_stake_terms": (idle, lambda _, lease: staking.set_co_stake_terms(lease.node, 1)),
    "push_unbond": (shared, _push),
    "fund_rewards": (idle, lambda world, lease: staking.fund_rewards(lease.node, world.treasury, 1)),
    "claim_rewards": (shared, _claim),
    "open_income_vault": (
        idle,
        lambda world, lease: staking.open_income_vault(lease.node, world.stranger, USD),
    ),
    "claim_income": (shared_income, _claim_income),
    "close_income_vault": (left_income, _close_income_vault),
    "close_stake_vault": (deserted, lambda _, lease: staking.close_stake_vault(lease.node)),
    "open_owed": (idle, lambda world, lease: staking.open_owed(world.stranger, lease.node.owner.pubkey(), IO)),
    "collect_owed": (idle, _collect),
    "claim_owed": (idle, _claim_owed),
    "mint_iosd": (idle, _mint),
    "mint_iosd_exact": (idle, _mint_exact),
    "redeem_iosd": (idle, _redeem),
    "refresh_price": (idle, lambda world, _: currencies.refresh_price(world.oracle)),
    "buyback": (idle, _buy_back),
    "open_cluster": (idle, _new_cluster),
    "set_session_key": (idle, lambda _, lease: calls.set_session_key(lease.cluster, calls.NOBODY, 0)),
    "withdraw_budget": (idle, lambda _, lease: calls.withdraw_budget(lease.cluster, 1)),
    "add_lease": (idle, _book),
    "mark_ready": (booked, lambda _, lease: calls.mark_ready(lease)),
    "accept_ready": (ready, lambda _, lease: calls.accept_ready(lease)),
    "reject_ready": (ready, lambda _, lease: calls.reject_ready(lease)),
    "append_proof": (after(600, active), lambda _, lease: calls.append_proof(lease, 0, 600)),
    "extend_lease": (active, lambda _, lease: calls.extend_lease(lease, H100, 1)),
    "approve_lease": (active, _approve),
    "dispute_lease": (active, _dispute),
    "defend_lease": (active, _defend),
    "leave_lease": (active, _leave),
    "end_lease": (active, lambda _, lease: calls.end_lease(lease)),
    "quit_lease": (active, lambda _, lease: calls.quit_lease(lease)),
    "settle_lease": (served_and_shared, _settle),
    "cancel_lease": (after(300, booked), lambda _, lease: calls.cancel_lease(lease)),
    "report_missed": (after(HOUR, active), _report),
    "close_lease": (settled, lambda _, lease: calls.close_lease(lease)),
    "close_cluster": (closed, _close_cluster),
    "burn": (idle, _burn),
}
INSTRUCTIONS = ("init_network", *STAGES)


# The usual way of an instruction whose stage above takes every turn it can.
USUAL: dict[str, tuple[Bring, Make]] = {
    "settle_lease": (
        served,
        lambda world, lease: staking.unpayable(world, calls.settle_lease(lease), lease.node.owner, USD),
    ),
}


def make(name: str, *, usual: bool = False) -> Stage:
    """The stage of an instruction."""
    if name == "init_network":
        world = World()
        world.fund(who("renter b").pubkey())
        lease = LeaseRef(NodeRef(world.stranger, who("device")), ClusterRef(who("renter b"), 0, who("session")), 0)
        call = calls.init_network(world.authority, world.usdc, world.treasury)
        return Stage(world, call, _others(world, lease))
    world = World.started()
    bring, build = USUAL[name] if usual and name in USUAL else STAGES[name]
    a, b = bring(world, [(world.staked_node(letter), world.cluster(letter)) for letter in "ab"])
    for mint in (IO, USD):
        world.do(staking.open_owed(world.stranger, b.node.owner.pubkey(), mint))
    return Stage(world, build(world, a), {**_others(world, b), **_others_of(name)})


def _others(world: World, b: LeaseRef) -> dict[str, Pubkey | Keypair]:
    """What the second supplier and the second renter have, by the names of slots."""
    node, cluster = b.node, b.cluster
    return {
        "node": node.key,
        "cluster": cluster.key,
        "lease": b.key,
        "position": node.position,
        "case": addresses.case(ID, node.key, 0),
        "stake_vault": node.vault,
        "escrow": cluster.escrow,
        "owner": node.owner,
        "device_key": node.device,
        "staker": node.owner,
        "renter": cluster.renter,
        "wallet": cluster.renter,
        "authority": cluster.renter,
        "pauser": cluster.renter,
        "arbiter": cluster.renter,
        "caller": cluster.renter,
        "defender": node.owner,
        "seller": node.owner,
        "model": pdas.model(ID, T4),
        "renter_account": pdas.renter_account(ID, cluster.renter.pubkey()),
        "mint": world.create_mint(who("odd mint"), 5),
        "io_mint": USD,
        "iosd_mint": IO,
        "usdc_mint": who("odd mint").pubkey(),
        "fee_vault": pdas.fee_vault(ID, IO),
        "burn_vault": pdas.burn_vault(ID, USD),
        "from": ata(node.owner, IO),
        "to": ata(node.owner, IO),
        "payout_account": ata(node.owner, USD),
        "refund_to": ata(cluster.renter, USD),
        "renter_io": ata(node.owner, IO),
        "reporter_io": ata(node.owner, IO),
        "genesis_account": ata(world.stranger, IO),
        "owed": pdas.owed(ID, IO, node.owner.pubkey()),
        "program_data": addresses.program_data(OTHER_PROGRAM),
        "supplier": node.owner,
        "beneficiary": node.owner,
        "income_vault": pdas.stake_vault(ID, node.key),
        "vault": pdas.stake_vault(ID, node.key),
        "income_owed": pdas.owed(ID, IO, node.owner.pubkey()),
        "fees_owed": pdas.owed(ID, USD, node.owner.pubkey()),
        "price_update": NETWORK,
        "instructions": IOSD,
        "token_program": TOKEN_2022,
    }


def _others_of(name: str) -> dict[str, Pubkey | Keypair]:
    """Where a slot's name means something else in one instruction."""
    renter = ata(who("renter b"), USD)
    owed = pdas.owed(ID, USD, who("supplier b").pubkey())
    table: dict[str, dict[str, Pubkey | Keypair]] = {
        "open_cluster": {"from": renter},
        "withdraw_budget": {"to": renter},
        "mint_iosd": {"from": ata(who("renter b"), IO)},
        "mint_iosd_exact": {"from": ata(who("renter b"), IO)},
        "redeem_iosd": {"from": renter, "to": ata(who("supplier b"), USD)},
        "close_cluster": {"burn_vault": pdas.burn_vault(ID, IO), "owed": owed},
        "settle_lease": {"owed": owed},
        "claim_owed": {"to": ata(who("supplier b"), USD)},
    }
    return table.get(name, {})
