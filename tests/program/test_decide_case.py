from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Case, Node
from ionet.generated.enums import SlashReason
from ionet.generated.events import CaseDecided, NodeSlashed
from program import calls, governance
from program.calls import ID, IO, NOBODY, ata
from program.chain import refused, who
from program.governance import ARBITER, BLOCKED, FROZEN, CaseRef
from program.refs import LeaseRef, NodeRef
from program.world import H100, HOUR, IO_UNIT, World, required_stake

DAY = 86_400
STAKE = required_stake(H100, 8)
BURN = pdas.burn_vault(ID, IO)
WINDOW = 30 * DAY


def answered(world: World, node: NodeRef) -> CaseRef:
    """An open case whose owner has answered: it can be decided."""
    case = governance.accused(world, node)
    world.do(governance.appeal_case(case))
    return case


def test_guilty_all_fields(world: World) -> None:
    node = world.staked_node()
    world.do(calls.request_unbond(node, STAKE // 4))
    case = answered(world, node)
    rent, before = world.lamports(case.key), world.lamports(world.arbiter.pubkey())
    landed = world.do(governance.decide_case(case, 1_000, True))
    amount = STAKE // 10
    assert landed.events == (
        CaseDecided(
            node=node.key,
            seq=6,
            at=world.now,
            case=case.key,
            number=0,
            by=world.arbiter.pubkey(),
            bps=1_000,
            flags_before=FROZEN,
            flags_after=BLOCKED,
        ),
        NodeSlashed(
            node=node.key,
            seq=7,
            at=world.now,
            lease=NOBODY,
            reason=SlashReason.CASE,
            bps=1_000,
            missed_secs=0,
            amount=amount,
            from_bonded=amount * 3 // 4,
            from_unbonding=amount // 4,
            to_renter=0,
            to_reporter=0,
            burned=amount,
            reporter=world.arbiter.pubkey(),
            bonded_after=STAKE * 3 // 4 - amount * 3 // 4,
            unbonding_after=STAKE // 4 - amount // 4,
        ),
    )
    found, network = world.of_node(node), governance.network(world)
    assert (found.slashed, found.flags) == (amount, BLOCKED)
    assert (found.case_window_start, found.case_window_amount) == (world.now, amount)
    assert (network.case_window_start, network.case_window_amount) == (world.now, amount)
    assert (world.tokens(node.vault), world.tokens(BURN)) == (STAKE - amount, amount)
    assert not world.exists(case.key)
    assert world.lamports(world.arbiter.pubkey()) == before + rent


def test_a_blocked_node_is_not_hired_but_everything_of_it_leaves(world: World) -> None:
    case = answered(world, world.staked_node())
    world.do(governance.decide_case(case, 100, True))
    node = case.node
    world.do(calls.stake(node, STAKE))
    with refused("NodeBlocked"):
        world.do(calls.add_lease(LeaseRef(node, world.cluster(), 0), H100, HOUR))
    world.do(calls.retire_node(node))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    assert world.tokens(node.vault) == 0
    assert world.tokens(ata(node.owner, IO)) == 100_000 * IO_UNIT - STAKE // 100


@pytest.mark.parametrize("secs", [0, 59 * DAY])
def test_the_arbiter_acquits_at_once_and_lifts_a_block(world: World, secs: int) -> None:
    node = world.staked_node()
    world.do(governance.decide_case(answered(world, node), 0, True))
    assert world.of_node(node).flags == BLOCKED
    case = governance.accused(world, node)
    world.warp(secs)
    (decided,) = world.do(governance.decide_case(case)).events
    assert (decided.flags_before, decided.flags_after) == (BLOCKED | FROZEN, 0)
    world.booked(node, world.cluster())
    assert world.tokens(node.vault) == STAKE


@pytest.mark.parametrize(("bps", "blocked"), [(1, False), (0, True), (1_000, True)])
def test_against_the_node_only_when_its_owner_had_time_to_answer(world: World, bps: int, blocked: bool) -> None:
    case = governance.accused(world, world.staked_node())
    world.warp(30 * DAY - 1)
    with refused("CaseNotDecidable"):
        world.do(governance.decide_case(case, bps, blocked))
    world.warp(1)
    world.do(governance.decide_case(case, bps, blocked))


@pytest.mark.parametrize("blocked", [False, True])
def test_undecided_it_is_dismissed_by_anyone_and_a_block_stays_as_it_was(world: World, blocked: bool) -> None:
    node = world.staked_node()
    world.do(governance.decide_case(answered(world, node), 0, blocked))
    case = answered(world, node)
    rent, before = world.lamports(case.key), world.lamports(world.arbiter.pubkey())
    world.warp(60 * DAY - 1)
    with refused("NotArbiter"):
        world.do(governance.decide_case(case, 0, blocked, by=world.stranger))
    world.warp(1)
    for by in (world.arbiter, world.stranger):
        for bps, block in ((1, blocked), (0, not blocked)):
            with refused("CaseNotDecidable"):
                world.do(governance.decide_case(case, bps, block, by=by))
    (decided,) = world.do(governance.decide_case(case, 0, blocked, by=world.stranger)).events
    kept = BLOCKED if blocked else 0
    assert (decided.by, decided.flags_before, decided.flags_after) == (
        world.stranger.pubkey(),
        kept | FROZEN,
        kept,
    )
    assert world.lamports(world.arbiter.pubkey()) == before + rent
    assert world.tokens(node.vault) == STAKE


def test_a_case_of_the_earlier_arbiter_is_decided_by_the_present_one(world: World) -> None:
    case = answered(world, world.staked_node())
    rent, before = world.lamports(case.key), world.lamports(world.arbiter.pubkey())
    governance.set_role(world, ARBITER, bytes(who("new arbiter").pubkey()))
    with refused("NotArbiter"):
        world.do(governance.decide_case(case, 100))
    world.do(governance.decide_case(case, 100, by=who("new arbiter")))
    assert world.lamports(world.arbiter.pubkey()) == before + rent
    assert world.tokens(BURN) == STAKE // 100


def test_the_cap_of_a_node_to_the_unit_and_until_the_window_ends(world: World) -> None:
    node = world.staked_node()
    for bps in (400, 600):
        world.forge(Node, node.key, no_case_before=0)  # sooner than two cases can follow each other on mainnet
        world.do(governance.decide_case(answered(world, node), bps))
    world.forge(Node, node.key, no_case_before=0)
    taken = world.of_node(node).case_window_amount
    assert taken == STAKE * 4 // 100 + STAKE * 96 // 100 * 6 // 100 <= STAKE // 10
    case = answered(world, node)
    with refused("CaseCapReached"):
        world.do(governance.decide_case(case, 100))
    world.warp(WINDOW - 1)
    with refused("CaseCapReached"):
        world.do(governance.decide_case(case, 100))
    world.warp(1)
    world.do(governance.decide_case(case, 1_000))
    assert world.of_node(node).case_window_start == world.now


@pytest.mark.parametrize(("bps", "amount"), [(1, STAKE // 10_000), (1_000, STAKE // 10)])
def test_a_part_of_an_odd_stake_is_rounded_down(world: World, bps: int, amount: int) -> None:
    """Rounded up, the whole cap could never be taken."""
    node = world.staked_node()
    world.do(calls.stake(node, 9))
    world.do(governance.decide_case(answered(world, node), bps))
    assert (world.of_node(node).slashed, world.tokens(node.vault)) == (amount, STAKE + 9 - amount)


def test_a_case_is_decided_by_the_caps_it_was_opened_under(world: World) -> None:
    """Stakers who could not leave while it was open are not judged by caps that were raised meanwhile (H17)."""
    world.do(governance.propose_params(world.authority, governance.changed(world, case_cap_bps=2_000)))
    world.warp(21 * DAY - 1)
    case = answered(world, world.staked_node())
    world.warp(1)
    world.do(governance.apply_pending(world.stranger))
    with refused("CaseCapReached"):
        world.do(governance.decide_case(case, 1_001))
    world.do(governance.decide_case(case, 1_000))


@pytest.mark.parametrize("bps", [1_001, 10_000, 65_535])
def test_more_than_a_node_may_lose_fails(world: World, bps: int) -> None:
    case = answered(world, world.staked_node())
    with refused("CaseCapReached"):
        world.do(governance.decide_case(case, bps))
    assert world.tokens(case.node.vault) == STAKE


@pytest.mark.parametrize("by", ["arbiter", "stranger"])
def test_who_is_acquitted_needs_no_room_under_the_caps(world: World, by: str) -> None:
    """Stake that left after an earlier case lowers the cap below what that one took."""
    node = world.staked_node()
    world.do(calls.stake(node, STAKE), governance.open_case(CaseRef(node, 0)))
    world.do(governance.appeal_case(CaseRef(node, 0)))
    world.do(governance.decide_case(CaseRef(node, 0), 1_000))
    world.do(calls.request_unbond(node, STAKE))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    assert world.of_node(node).case_window_amount == STAKE // 5 > world.tokens(node.vault) * 10 // 100
    world.forge(Node, node.key, no_case_before=0)  # sooner than two cases can follow each other on mainnet
    case = governance.accused(world, node)
    if by == "stranger":
        world.forge(Case, case.key, decide_by=world.now)  # before the window is over
    world.do(governance.decide_case(case, by=world.stranger if by == "stranger" else None))
    assert (world.of_node(node).flags, world.of_node(node).case_window_amount) == (0, STAKE // 5)


def test_the_cap_of_the_network_to_the_unit_and_until_the_window_ends(world: World) -> None:
    governance.set_params(world, case_network_cap=STAKE // 10 + STAKE // 100)
    cases = [answered(world, world.staked_node(name)) for name in "abc"]
    world.do(governance.decide_case(cases[0], 1_000))
    with refused("CaseCapReached"):
        world.do(governance.decide_case(cases[1], 101))
    world.do(governance.decide_case(cases[1], 100))
    with refused("CaseCapReached"):
        world.do(governance.decide_case(cases[2], 1))
    world.warp(WINDOW - 1)
    with refused("CaseCapReached"):
        world.do(governance.decide_case(cases[2], 1))
    world.warp(1)
    world.do(governance.decide_case(cases[2], 1_000))
    assert governance.network(world).case_window_amount == STAKE // 10


def test_a_node_without_stake_can_be_blocked(world: World) -> None:
    case = answered(world, world.node())
    (decided,) = world.do(governance.decide_case(case, 1_000, True)).events
    assert decided.flags_after == BLOCKED


def test_the_case_of_another_node_fails(world: World) -> None:
    case, other = (answered(world, world.staked_node(name)) for name in "ab")
    with refused("WrongCase"):
        world.do(governance.decide_case(case, 100).swapped(case=other.key))


def test_the_rent_goes_to_nobody_else_fails(world: World) -> None:
    case = answered(world, world.staked_node())
    with refused("WrongRentPayer"):
        world.do(governance.decide_case(case, 100, opened_by=world.stranger))


def test_by_another_than_the_arbiter_fails(world: World) -> None:
    case = answered(world, world.staked_node())
    for name in ("authority", "pauser", "stranger"):
        with refused("NotArbiter"):
            world.do(governance.decide_case(case, by=who(name)))
