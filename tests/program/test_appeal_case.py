from __future__ import annotations

import msgspec
import pytest
from ionet.generated.events import CaseAppealed
from program import governance
from program.chain import refused
from program.governance import ANSWER, CaseRef
from program.world import World

DAY = 86_400


def test_all_fields_ok(world: World) -> None:
    case = governance.accused(world, world.staked_node())
    before = governance.case_of(world, case)
    world.warp(3 * DAY)
    landed = world.do(governance.appeal_case(case))
    assert landed.events == (
        CaseAppealed(node=case.node.key, seq=4, at=world.now, case=case.key, appeal_hash=ANSWER, decide_from=world.now),
    )
    assert governance.case_of(world, case) == msgspec.structs.replace(before, appeal_hash=ANSWER, decide_from=world.now)
    assert world.of_node(case.node).flags == governance.FROZEN


def test_the_arbiter_need_not_wait_any_longer(world: World) -> None:
    case = governance.accused(world, world.staked_node())
    with refused("CaseNotDecidable"):
        world.do(governance.decide_case(case, 1))
    world.do(governance.appeal_case(case), governance.decide_case(case, 1))


def test_a_late_answer_gives_no_more_time(world: World) -> None:
    """The arbiter could already decide; an answer does not take that back."""
    case = governance.accused(world, world.staked_node())
    before = governance.case_of(world, case)
    world.warp(59 * DAY)
    world.do(governance.appeal_case(case))
    after = governance.case_of(world, case)
    assert (after.decide_from, after.decide_by) == (before.decide_from, before.decide_by)


def test_twice_fails(world: World) -> None:
    case = governance.accused(world, world.staked_node())
    world.do(governance.appeal_case(case))
    with refused("AlreadyAppealed"):
        world.do(governance.appeal_case(case, b"\x01" * 32))


@pytest.mark.parametrize(("secs", "late"), [(60 * DAY - 1, False), (60 * DAY, True)])
def test_until_nobody_can_decide_any_more(world: World, secs: int, late: bool) -> None:
    case = governance.accused(world, world.staked_node())
    world.warp(secs)
    if not late:
        world.do(governance.appeal_case(case))
        return
    with refused("TooLate"):
        world.do(governance.appeal_case(case))


def test_an_empty_answer_fails(world: World) -> None:
    case = governance.accused(world, world.staked_node())
    with refused("ZeroHash"):
        world.do(governance.appeal_case(case, bytes(32)))


def test_the_case_of_another_node_fails(world: World) -> None:
    case, other = (governance.accused(world, world.staked_node(name)) for name in "ab")
    with refused("WrongCase"):
        world.do(governance.appeal_case(case).swapped(case=other.key))


def test_by_another_than_the_owner_fails(world: World) -> None:
    case = governance.accused(world, world.staked_node())
    for stranger in (world.stranger, world.arbiter, world.authority, case.node.device):
        with refused("NotNodeOwner"):
            world.do(governance.appeal_case(CaseRef(case.node, 0)).signed_by("owner", stranger))
