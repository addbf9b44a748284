"""Calls of the network's roles and of arbiter cases: who signs, and accounts by their usual addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from ionet import addresses
from ionet.generated import pdas
from ionet.generated.accounts import Case, Network, Node
from ionet.generated.enums import NetworkRole, NodeFlag
from ionet.generated.types import Params
from ionet.program import PROGRAM
from program.calls import ID, NETWORK
from program.chain import Call, who
from program.refs import NodeRef
from program.world import World
from solders.keypair import Keypair
from solders.pubkey import Pubkey

AUTHORITY, PAUSER, ARBITER, FEED = NetworkRole
PAUSED, RETIRED, BLOCKED, FROZEN, ABSENT = NodeFlag
EVIDENCE, ANSWER = b"\x07" * 32, b"\x08" * 32


@dataclass(frozen=True)
class CaseRef:
    node: NodeRef
    number: int

    @property
    def key(self) -> Pubkey:
        return addresses.case(ID, self.node.key, self.number)


def propose_params(authority: Keypair, params: Params) -> Call:
    instruction = PROGRAM.ix.propose_params(authority=authority.pubkey(), params=params)
    return Call("propose_params", instruction, (authority,))


def propose_role(authority: Keypair, role: int, value: bytes) -> Call:
    instruction = PROGRAM.ix.propose_role(authority=authority.pubkey(), role=role, value=value)
    return Call("propose_role", instruction, (authority,))


def apply_pending(caller: Keypair) -> Call:
    return Call("apply_pending", PROGRAM.ix.apply_pending(caller=caller.pubkey()), (caller,))


def set_model(authority: Keypair, code: int, enabled: bool) -> Call:
    instruction = PROGRAM.ix.set_model(authority=authority.pubkey(), model=pdas.model(ID, code), enabled=enabled)
    return Call("set_model", instruction, (authority,))


def propose_model(authority: Keypair, code: int, **changes: Any) -> Call:
    """Terms of a model as it was registered, but for `changes`."""
    values = {"pool": 0, "multiplier": 100, "throughput": 0, "reference_price": 0, **changes}
    instruction = PROGRAM.ix.propose_model(authority=authority.pubkey(), model=pdas.model(ID, code), **values)
    return Call("propose_model", instruction, (authority,))


def apply_model(code: int) -> Call:
    return Call("apply_model", PROGRAM.ix.apply_model(model=pdas.model(ID, code)))


def open_case(case: CaseRef, arbiter: Keypair | None = None, reason: int = 1, evidence: bytes = EVIDENCE) -> Call:
    arbiter = arbiter or who("arbiter")
    instruction = PROGRAM.ix.open_case(
        arbiter=arbiter.pubkey(), node=case.node.key, case=case.key, reason=reason, evidence_hash=evidence
    )
    return Call("open_case", instruction, (arbiter,))


def appeal_case(case: CaseRef, answer: bytes = ANSWER) -> Call:
    owner = case.node.owner
    instruction = PROGRAM.ix.appeal_case(owner=owner.pubkey(), node=case.node.key, case=case.key, appeal_hash=answer)
    return Call("appeal_case", instruction, (owner,))


def decide_case(
    case: CaseRef, bps: int = 0, blocked: bool = False, by: Keypair | None = None, opened_by: Keypair | None = None
) -> Call:
    by, opened_by = by or who("arbiter"), opened_by or who("arbiter")
    instruction = PROGRAM.ix.decide_case(
        authority=by.pubkey(),
        node=case.node.key,
        case=case.key,
        arbiter=opened_by.pubkey(),
        bps=bps,
        blocked=blocked,
    )
    return Call("decide_case", instruction, (by,))


# -- states


def accused(world: World, node: NodeRef) -> CaseRef:
    """A node with an open case, as early as one can be opened."""
    found = world.get(Node, node.key)
    world.warp_to(max(world.now, found.no_case_before))
    case = CaseRef(node, found.next_case)
    world.do(open_case(case))
    return case


def changed(world: World, **changes: Any) -> Params:
    """The network's parameters with other figures."""
    return msgspec.structs.replace(world.params, **changes)


def set_params(world: World, **changes: Any) -> Params:
    """Proposes other figures, waits for the timelock and applies them."""
    params = changed(world, **changes)
    world.do(propose_params(world.authority, params))
    world.warp_to(network(world).pending_effective_at)
    world.do(apply_pending(world.stranger))
    return params


def set_role(world: World, role: int, value: bytes) -> None:
    """Proposes another holder, waits for the timelock and applies it."""
    world.do(propose_role(world.authority, role, value))
    world.warp_to(network(world).pending_role_at)
    world.do(apply_pending(world.stranger))


def network(world: World) -> Network:
    return world.get(Network, NETWORK)


def case_of(world: World, case: CaseRef) -> Case:
    return world.get(Case, case.key)
