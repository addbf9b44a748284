"""For every instruction a world in which a call of it succeeds, with a second set of everything beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ionet import addresses
from ionet.generated import pdas
from program import calls, currencies, governance, preludes, staking
from program.calls import ID, IO, IOSD, NETWORK, USD, ata
from program.chain import Call, who
from program.governance import CaseRef
from program.preludes import Bring, Make
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, HOUR, T4, World
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


STAGES: dict[str, tuple[Bring, Make]] = {
    "init_vaults": (preludes.idle, lambda world, _: calls.init_vaults(world.stranger, world.usdc)),
    "register_model": (preludes.idle, lambda world, _: calls.register_model(world.authority, 9)),
    "set_pause": (preludes.idle, lambda world, _: calls.set_pause(world.pauser, 1)),
    "propose_params": (preludes.idle, lambda world, _: governance.propose_params(world.authority, world.params)),
    "propose_role": (
        preludes.idle,
        lambda world, _: governance.propose_role(world.authority, governance.PAUSER, bytes(32)),
    ),
    "apply_pending": (preludes.idle, preludes.hand_over),
    "set_model": (preludes.idle, lambda world, _: governance.set_model(world.authority, H100, False)),
    "propose_model": (preludes.idle, lambda world, _: governance.propose_model(world.authority, H100, throughput=1)),
    "apply_model": (preludes.idle, preludes.apply_model),
    "open_case": (preludes.idle, lambda _, lease: governance.open_case(CaseRef(lease.node, 0))),
    "appeal_case": (preludes.accused, lambda _, lease: governance.appeal_case(CaseRef(lease.node, 0))),
    "decide_case": (preludes.accused, preludes.decide),
    "register_node": (preludes.idle, preludes.new_node),
    "update_node": (preludes.idle, lambda _, lease: calls.update_node(lease.node, calls.terms(lease.node.owner))),
    "rotate_device_key": (preludes.idle, lambda _, lease: calls.rotate_device_key(lease.node, who("new device"))),
    "pause_node": (preludes.idle, lambda _, lease: calls.pause_node(lease.node, True)),
    "return_node": (preludes.late, lambda _, lease: calls.return_node(lease.node)),
    "lock_payout": (preludes.active, preludes.lock),
    "release_payout": (preludes.idle, preludes.release),
    "retire_node": (preludes.idle, lambda _, lease: calls.retire_node(lease.node)),
    "stake": (preludes.active, preludes.join),
    "request_unbond": (preludes.idle, lambda _, lease: calls.request_unbond(lease.node, 1)),
    "withdraw": (preludes.after(14 * 86_400, preludes.unbonding), preludes.withdraw),
    "set_co_stake_terms": (preludes.idle, lambda _, lease: staking.set_co_stake_terms(lease.node, 1)),
    "push_unbond": (preludes.shared, preludes.push),
    "fund_rewards": (preludes.idle, lambda world, lease: staking.fund_rewards(lease.node, world.treasury, 1)),
    "claim_rewards": (preludes.shared, preludes.claim),
    "open_income_vault": (
        preludes.idle,
        lambda world, lease: staking.open_income_vault(lease.node, world.stranger, USD),
    ),
    "claim_income": (preludes.shared_income, preludes.claim_income),
    "close_income_vault": (preludes.left_income, preludes.close_income_vault),
    "close_stake_vault": (preludes.deserted, lambda _, lease: staking.close_stake_vault(lease.node)),
    "open_owed": (preludes.idle, lambda world, lease: staking.open_owed(world.stranger, lease.node.owner.pubkey(), IO)),
    "collect_owed": (preludes.idle, preludes.collect),
    "claim_owed": (preludes.idle, preludes.claim_owed),
    "mint_iosd": (preludes.idle, preludes.mint),
    "mint_iosd_exact": (preludes.idle, preludes.mint_exact),
    "redeem_iosd": (preludes.idle, preludes.redeem),
    "refresh_price": (preludes.idle, lambda world, _: currencies.refresh_price(world.oracle)),
    "buyback": (preludes.idle, preludes.buy_back),
    "open_cluster": (preludes.idle, preludes.new_cluster),
    "set_session_key": (preludes.idle, lambda _, lease: calls.set_session_key(lease.cluster, calls.NOBODY, 0)),
    "withdraw_budget": (preludes.idle, lambda _, lease: calls.withdraw_budget(lease.cluster, 1)),
    "add_lease": (preludes.idle, preludes.book),
    "mark_ready": (preludes.booked, lambda _, lease: calls.mark_ready(lease)),
    "accept_ready": (preludes.ready, lambda _, lease: calls.accept_ready(lease)),
    "reject_ready": (preludes.ready, lambda _, lease: calls.reject_ready(lease)),
    "append_proof": (preludes.after(600, preludes.active), lambda _, lease: calls.append_proof(lease, 0, 600)),
    "extend_lease": (preludes.active, lambda _, lease: calls.extend_lease(lease, H100, 1)),
    "approve_lease": (preludes.active, preludes.approve),
    "dispute_lease": (preludes.active, preludes.dispute),
    "defend_lease": (preludes.active, preludes.defend),
    "leave_lease": (preludes.active, preludes.leave),
    "end_lease": (preludes.active, lambda _, lease: calls.end_lease(lease)),
    "quit_lease": (preludes.active, lambda _, lease: calls.quit_lease(lease)),
    "settle_lease": (preludes.served_and_shared, preludes.settle),
    "cancel_lease": (preludes.after(300, preludes.booked), lambda _, lease: calls.cancel_lease(lease)),
    "report_missed": (preludes.after(HOUR, preludes.active), preludes.report),
    "close_lease": (preludes.settled, lambda _, lease: calls.close_lease(lease)),
    "close_cluster": (preludes.closed, preludes.close_cluster),
    "burn": (preludes.idle, preludes.burn),
}
INSTRUCTIONS = ("init_network", *STAGES)


# The usual way of an instruction whose stage above takes every turn it can.
USUAL: dict[str, tuple[Bring, Make]] = {
    "settle_lease": (preludes.served, lambda _, lease: calls.settle_lease(lease)),
    "close_cluster": (preludes.closed, lambda _, lease: calls.close_cluster(lease.cluster)),
    "add_lease": (preludes.idle, lambda _, lease: calls.add_lease(lease, H100, HOUR)),
    "stake": (preludes.idle, lambda _, lease: calls.stake(lease.node, 1)),
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
