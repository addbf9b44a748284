"""Accounts of version 1, the program upgraded in place: their life goes on as if the new one had always been there."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
import pytest
from ionet.generated.accounts import Network, Node
from ionet.generated.events import DisputeResolved, LeaseEnded, LeaseSettled, NodeSlashed
from program import calls, currencies, governance
from program.calls import IO, USD
from program.chain import refused
from program.upgrade import FirstVersion, Recorded
from program.upgrade_life import Life
from program.world import IO_UNIT, World

T = TypeVar("T")
STOPS = 8
HERE = [(stop, stop % 2 == 1) for stop in range(STOPS)]


def lived(world: Recorded, stop: int, old_clients: bool = False) -> Life:
    """The first part of a life, with the upgrade at one of its stops."""
    life, stops = Life(world), 0
    for at, _ in enumerate(life.first_part()):
        stops += 1
        if at == stop:
            world.upgrade()
            world.old_clients = old_clients
    assert stops == STOPS
    return life


def finished(life: Life) -> None:
    life.second_part()
    life.end_leases()
    life.end_stakes()
    life.end_money()
    life.check()


@cache
def without_upgrade(stop: int) -> tuple[list[Any], list[Node]]:
    """Events and nodes of the same life under a program that has always been the new one."""
    life = lived(Recorded.started(), stop)
    finished(life)
    return life.world.events, nodes(life)


def nodes(life: Life) -> list[Node]:
    return [life.world.get(Node, node.key) for node in life.nodes.values()]


@pytest.mark.parametrize(("stop", "old_clients"), HERE)
def test_an_upgrade_changes_nothing_for_anybody(stop: int, old_clients: bool) -> None:
    world = FirstVersion.started()
    life = lived(world, stop, old_clients)
    world.do(governance.migrate_network())
    finished(life)
    events, left = without_upgrade(stop)
    assert world.events == events
    assert nodes(life) == left


def of(events: list[Any], kind: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def test_that_life_has_everything_in_it() -> None:
    """Pay and a slash of the same lease before and after, a dispute that was defended and one that was not."""
    world = FirstVersion.started()
    life = lived(world, stop=STOPS - 1)
    before = len(world.events)
    world.do(governance.migrate_network())
    finished(life)
    first, second = world.events[:before], world.events[before:]
    lease, silent = life.served.lease.key, life.silent.key
    assert sum(event.lease == lease for event in of(first, LeaseSettled)) == 1
    assert sum(event.lease == lease for event in of(second, LeaseSettled)) == 1
    assert [event.bps for event in of(first, NodeSlashed) if event.lease == silent] == [200]
    assert [event.bps for event in of(second, NodeSlashed) if event.lease == silent] == [200]
    assert [event.refunded_secs for event in of(second, DisputeResolved)] == [0, 600]
    assert {event.reason for event in of(second, LeaseEnded)} == {1, 3, 4}
    # What was served is paid, but for the refund: 24 of 25 intervals were proven.
    paid = [event.payable_secs for event in of(world.events, LeaseSettled) if event.lease == lease]
    assert (paid[0], paid[-1]) == (600, 23 * 600)


def test_every_exit_works_before_the_migration() -> None:
    """And nothing takes a stake then; only all IOSD at once is more than the window lets through."""
    world = FirstVersion.started()
    life = lived(world, stop=STOPS - 1)
    life.second_part()
    life.end_leases()
    world.do(governance.appeal_case(life.case))
    with refused("CaseCapReached"):
        world.do(governance.decide_case(life.case, 1))
    life.end_stakes(bps=0)
    world.do(calls.burn(IO), calls.burn(USD))
    world.post_price(3 * IO_UNIT)
    renter = life.clusters["x"].renter
    tenth = world.supply(USD) // 10
    with refused("WindowFull"):
        world.do(currencies.redeem_iosd(renter, world.oracle, tenth + 1))
    world.do(currencies.redeem_iosd(renter, world.oracle, tenth))
    world.do(governance.migrate_network())
    life.end_money()
    life.check()


def test_migration_leaves_an_upgraded_network_like_a_new_one() -> None:
    world, fresh = FirstVersion.started(), World.started()
    world.upgrade()
    assert world.params.mint_floor == 0
    world.do(governance.migrate_network())
    after, new = world.get(Network, calls.NETWORK), fresh.get(Network, calls.NETWORK)
    assert after == msgspec.structs.replace(new, seq=new.seq + 1)


def test_before_the_upgrade_nothing_new_is_there() -> None:
    world = FirstVersion.started()
    with refused("InvalidInstructionData"):
        world.send([governance.migrate_network().instruction], [world.payer])
