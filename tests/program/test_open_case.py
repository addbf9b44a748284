from __future__ import annotations

import pytest
from ionet.generated.accounts import Case
from ionet.generated.enums import CaseReason
from ionet.generated.events import CaseOpened
from program import calls, governance
from program.chain import refused, who
from program.governance import BLOCKED, EVIDENCE, FROZEN, PAUSED, RETIRED, CaseRef
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, World, required_stake

DAY = 86_400


@pytest.mark.parametrize("reason", list(CaseReason.__members__.values()))
def test_all_fields_ok(world: World, reason: int) -> None:
    node = world.staked_node()
    case = CaseRef(node, 0)
    lamports = world.lamports(world.arbiter.pubkey())
    landed = world.do(governance.open_case(case, reason=reason))
    arbiter = world.arbiter.pubkey()
    terms = {"decide_from": world.now + 30 * DAY, "decide_by": world.now + 60 * DAY}
    assert landed.events == (
        CaseOpened(
            node=node.key,
            seq=3,
            at=world.now,
            case=case.key,
            number=0,
            arbiter=arbiter,
            reason=reason,
            evidence_hash=EVIDENCE,
            flags_before=0,
            flags_after=FROZEN,
            **terms,
        ),
    )
    assert governance.case_of(world, case) == Case(
        node=node.key,
        arbiter=arbiter,
        evidence_hash=EVIDENCE,
        appeal_hash=bytes(32),
        number=0,
        opened_at=world.now,
        network_cap=1_000_000 * IO_UNIT,
        appeal_secs=30 * DAY,
        window_secs=30 * DAY,
        cap_bps=1_000,
        reason=reason,
        bump=governance.case_of(world, case).bump,
        version=1,
        **terms,
    )
    found = world.of_node(node)
    assert (found.flags, found.next_case, found.bonded.amount) == (FROZEN, 1, required_stake(H100, 8))
    assert lamports - world.lamports(arbiter) == world.lamports(case.key)


def test_the_stake_stays_and_is_frozen_but_the_lease_goes_on(world: World) -> None:
    lease = world.running()
    node = lease.node
    world.do(calls.request_unbond(node, IO_UNIT))
    governance.accused(world, node)
    with refused("NodeBlocked"):
        world.do(calls.extend_lease(lease, H100, HOUR))
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    with refused("NodeBlocked"):
        world.do(calls.add_lease(LeaseRef(node, world.cluster("b"), 1), H100, HOUR))
    world.do(calls.request_unbond(node, IO_UNIT))
    world.warp(14 * DAY)
    with refused("NodeFrozen"):
        world.do(calls.withdraw(node))
    world.do(calls.retire_node(node))
    assert world.tokens(node.vault) == required_stake(H100, 8)


def test_flags_that_the_node_had_are_kept(world: World) -> None:
    node = world.staked_node()
    world.do(calls.pause_node(node, True))
    world.do(calls.retire_node(node))
    governance.accused(world, node)
    assert world.of_node(node).flags == PAUSED | RETIRED | FROZEN


def test_the_next_case_has_the_next_number(world: World) -> None:
    first = governance.accused(world, world.staked_node())
    world.do(governance.decide_case(first, blocked=False))
    ready = world.of_node(first.node).no_case_before
    assert ready == world.now + world.params.appeal_secs
    world.warp_to(ready - 1)
    with refused("CaseTooSoon"):
        world.do(governance.open_case(CaseRef(first.node, 1)))
    world.warp_to(ready)
    second = governance.accused(world, first.node)
    assert (second.number, world.of_node(first.node).next_case) == (1, 2)
    assert second.key != first.key
    assert world.of_node(first.node).flags & BLOCKED == 0


def test_while_one_is_open_fails(world: World) -> None:
    case = governance.accused(world, world.staked_node())
    with refused("CaseOpen"):
        world.do(governance.open_case(CaseRef(case.node, 1)))


def test_a_retired_node_without_stake_fails(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False))
    with refused("NodeRetired"):
        world.do(governance.open_case(CaseRef(node, 0)))


@pytest.mark.parametrize("reason", [0, 5, 255])
def test_an_unknown_reason_fails(world: World, reason: int) -> None:
    with refused("UnknownReason"):
        world.do(governance.open_case(CaseRef(world.node(), 0), reason=reason))


def test_without_evidence_fails(world: World) -> None:
    with refused("ZeroHash"):
        world.do(governance.open_case(CaseRef(world.node(), 0), evidence=bytes(32)))


def test_by_another_than_the_arbiter_fails(world: World) -> None:
    case = CaseRef(world.node(), 0)
    for name in ("authority", "pauser", "stranger"):
        with refused("NotArbiter"):
            world.do(governance.open_case(case, who(name)))
