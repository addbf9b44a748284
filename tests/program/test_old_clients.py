"""What a client of version 1 sends means the same to the present program, on accounts that version 1 wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ionet.program import PROGRAM
from program import calls
from program.calls import LeaseRef
from program.chain import Call, refused
from program.stages import STAGES
from program.upgrade import KNOWN, LONGER, FirstVersion, as_before
from program.world import H100, HOUR, World

# The longer calls without the accounts that version 1 did not know, which are optional.
PLAIN: dict[str, Callable[[LeaseRef], Call]] = {
    "add_lease": lambda lease: calls.add_lease(lease, H100, HOUR),
    "close_cluster": lambda lease: calls.close_cluster(lease.cluster),
    "settle_lease": calls.settle_lease,
    "withdraw": lambda lease: calls.withdraw(lease.node),
}


def upgraded(name: str) -> tuple[FirstVersion, LeaseRef]:
    """A world that version 1 brought to where the instruction can be called, under the present program."""
    world = FirstVersion.started()
    bring, _ = STAGES[name]
    lease, _ = bring(world, [(world.staked_node(letter), world.cluster(letter)) for letter in "ab"])
    world.upgrade()
    return world, lease


@pytest.mark.parametrize("name", sorted(KNOWN - LONGER.keys() - {"init_network"}))
def test_old_call_ok(name: str) -> None:
    world, lease = upgraded(name)
    call = STAGES[name][1](world, lease)
    old = as_before(call)
    assert old.instruction == call.instruction
    World.do(world, old)


def test_first_call_of_all_ok() -> None:
    world = World()
    world.do(as_before(calls.init_network(world.authority, world.usdc, world.treasury)))
    assert world.params.mint_floor > 0


@pytest.mark.parametrize("name", sorted(LONGER))
def test_old_list_of_a_longer_call_fails(name: str) -> None:
    world, lease = upgraded(name)
    call = PLAIN[name](lease)
    old = as_before(call)
    before = [world.svm.get_account(meta.pubkey) for meta in call.instruction.accounts]
    with refused("NotEnoughAccountKeys"):
        World.do(world, old)
    assert [world.svm.get_account(meta.pubkey) for meta in call.instruction.accounts] == before
    # With the program's address in the place of what it does not give, the same client goes through.
    at = [slot.name for slot in PROGRAM.codec.instruction(name).slots()].index(LONGER[name][0])
    assert call.instruction.accounts[at].pubkey == PROGRAM.id
    assert call.instruction.accounts[:at] + call.instruction.accounts[at + 1 :] == old.instruction.accounts
    assert World.do(world, call).events


def test_every_longer_call_is_here() -> None:
    assert PLAIN.keys() == LONGER.keys()
