"""Calls and states of co-staking, rewards and owed accounts. A co-staker's stake is a `NodeRef` they own."""

from __future__ import annotations

from ionet.errors import ChainRefused
from ionet.generated import pdas
from ionet.program import PROGRAM
from program import calls, governance
from program.calls import ID, IO, NETWORK, USD, ata
from program.chain import Call, error_name, who
from program.governance import CaseRef
from program.refs import NodeRef
from program.world import IO_UNIT, World
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

DAY = 86_400


def held_by(node: NodeRef, staker: Keypair) -> NodeRef:
    """The node as one of its co-stakers sees it: their position, their tickets."""
    return NodeRef(staker, node.device)


def set_co_stake_terms(node: NodeRef, share_bps: int, income_share_bps: int = 0) -> Call:
    owner = node.owner
    instruction = PROGRAM.ix.set_co_stake_terms(
        owner=owner.pubkey(), node=node.key, share_bps=share_bps, income_share_bps=income_share_bps
    )
    return Call("set_co_stake_terms", instruction, (owner,))


def fund_rewards(node: NodeRef, payer: Keypair, amount: int) -> Call:
    instruction = PROGRAM.ix.fund_rewards(payer=payer.pubkey(), node=node.key, amount=amount)
    return Call("fund_rewards", instruction, (payer,))


def claim_rewards(held: NodeRef, position: bool = True) -> Call:
    staker = held.owner.pubkey()
    found = held.position if position else None
    return Call("claim_rewards", PROGRAM.ix.claim_rewards(node=held.key, position=found, staker=staker))


def push_unbond(held: NodeRef) -> Call:
    return Call("push_unbond", PROGRAM.ix.push_unbond(node=held.key, position=held.position))


def close_stake_vault(node: NodeRef) -> Call:
    return Call("close_stake_vault", PROGRAM.ix.close_stake_vault(node=node.key, owner=node.owner.pubkey()))


def open_income_vault(node: NodeRef, payer: Keypair, mint: Pubkey) -> Call:
    instruction = PROGRAM.ix.open_income_vault(payer=payer.pubkey(), node=node.key, mint=mint)
    return Call("open_income_vault", instruction, (payer,))


def claim_income(held: NodeRef, mint: Pubkey) -> Call:
    to = ata(held.owner, mint)
    instruction = PROGRAM.ix.claim_income(node=held.key, position=held.position, mint=mint, to=to)
    return Call("claim_income", instruction)


def close_income_vault(node: NodeRef, mint: Pubkey) -> Call:
    instruction = PROGRAM.ix.close_income_vault(node=node.key, owner=node.owner.pubkey(), mint=mint)
    return Call("close_income_vault", instruction)


def with_income(call: Call) -> Call:
    """A settlement with the income vault of its node, in IOSD."""
    return filled(call, income_vault=pdas.income_vault(ID, call.account("node"), USD))


def filled(call: Call, **accounts: Pubkey) -> Call:
    """The same call with optional accounts that it writes."""
    slots = list(PROGRAM.builder.accounts(call.name, call.instruction))
    metas = list(call.instruction.accounts)
    for slot, key in accounts.items():
        metas[slots.index(slot)] = AccountMeta(key, is_signer=False, is_writable=True)
    return Call(call.name, Instruction(ID, call.instruction.data, metas), call.signers)


def collect_owed(caller: Keypair, mint: Pubkey, node: NodeRef | None = None) -> Call:
    """Into the network's fee vault, or a node's income vault."""
    owner = node.key if node else NETWORK
    vault = pdas.income_vault(ID, node.key, mint) if node else pdas.fee_vault(ID, mint)
    instruction = PROGRAM.ix.collect_owed(
        caller=caller.pubkey(),
        mint=mint,
        node=node.key if node else None,
        owed=pdas.owed(ID, mint, owner),
        vault=vault,
    )
    return Call("collect_owed", instruction, (caller,))


def open_owed(payer: Keypair, owner: Pubkey, mint: Pubkey) -> Call:
    return Call("open_owed", PROGRAM.ix.open_owed(payer=payer.pubkey(), mint=mint, owner=owner), (payer,))


def claim_owed(owner: Keypair, mint: Pubkey, to: Pubkey) -> Call:
    return Call("claim_owed", PROGRAM.ix.claim_owed(owner=owner.pubkey(), mint=mint, to=to), (owner,))


def with_owed(call: Call, owner: Pubkey, mint: Pubkey) -> Call:
    """The same call with the recipient's owed account beside their associated one."""
    return filled(call, owed=pdas.owed(ID, mint, owner))


def unpayable(world: World, call: Call, wallet: Keypair, mint: Pubkey) -> Call:
    """The call with the owed account of a wallet that has given its associated account away."""
    world.give_account(wallet, world.open_ata(wallet, mint), who("taker").pubkey())
    world.do(open_owed(world.stranger, wallet.pubkey(), mint))
    return with_owed(call, wallet.pubkey(), mint)


def slash(world: World, case: CaseRef, bps: int) -> None:
    """Decides a case against the node as soon as that is possible."""
    world.warp_to(max(world.now, governance.case_of(world, case).decide_from))
    world.do(governance.decide_case(case, bps))


def tried(world: World, call: Call, *refusals: str) -> bool:
    """Whether the call went through; a refusal that is not named is raised."""
    try:
        world.do(call)
    except ChainRefused as error:
        if error_name(error) not in refusals:
            raise
        return False
    return True


def open_node(world: World, name: str = "a", own: int = 16_000 * IO_UNIT, share_bps: int = 8_000) -> NodeRef:
    """A staked node whose owner shares rewards."""
    node = world.node(name)
    world.do(calls.stake(node, own), set_co_stake_terms(node, share_bps))
    return node


def co_stake(world: World, node: NodeRef, name: str, amount: int) -> NodeRef:
    """A stranger's stake to a node."""
    wallet = who(name)
    if not world.exists(wallet.pubkey()):
        world.supplier(name)
    world.do(calls.stake(node, amount, wallet))
    return held_by(node, wallet)


def fund(world: World, node: NodeRef, amount: int) -> None:
    world.do(fund_rewards(node, world.treasury, amount))


def io_of(world: World, wallet: Keypair) -> int:
    return world.tokens(ata(wallet, IO))


def booked(world: World, node: NodeRef) -> int:
    """What a node's vault must hold at least."""
    found = world.of_node(node)
    stake = found.bonded.amount + found.unbonding.amount + found.refill
    return stake + found.owner_rewards + found.co_rewards
