from __future__ import annotations

from typing import Any

import pytest
from ionet.generated.events import SessionKeyChanged
from program import calls, disputes
from program.calls import NOBODY
from program.chain import refused, who
from program.world import World

NEW = who("new session").pubkey()


def test_rotate_and_revoke(world: World) -> None:
    cluster = world.cluster()
    common: dict[str, Any] = {"cluster": cluster.key, "at": world.now}
    rotated = world.do(calls.set_session_key(cluster, NEW, world.now + 1))
    assert rotated.events == (
        SessionKeyChanged(seq=2, before=cluster.session.pubkey(), after=NEW, expires_at=world.now + 1, **common),
    )
    revoked = world.do(calls.set_session_key(cluster, NOBODY, 0))
    assert revoked.events == (SessionKeyChanged(seq=3, before=NEW, after=NOBODY, expires_at=0, **common),)
    found = world.of_cluster(cluster)
    assert (found.session_key, found.session_expires_at, found.seq) == (NOBODY, 0, 3)


@pytest.mark.parametrize("left", [0, -1])
def test_one_that_has_expired_fails(world: World, left: int) -> None:
    cluster = world.cluster()
    with refused("BadSessionKey"):
        world.do(calls.set_session_key(cluster, NEW, world.now + left))


def test_by_another_than_the_renter_fails(world: World) -> None:
    cluster = world.cluster()
    for other in (cluster.session, world.stranger):
        with refused("NotRenter"):
            world.do(calls.set_session_key(cluster, NEW, world.now + 1).signed_by("renter", other))


def test_once_while_a_dispute_is_open(world: World) -> None:
    record = disputes.disputed(world, 2, 0, 2)
    cluster = record.lease.cluster
    world.do(calls.set_session_key(cluster, NEW, world.now + 1))
    found = world.of_cluster(cluster)
    assert (found.key_changed_in_dispute, found.previous_session_key) == (1, cluster.session.pubkey())
    assert found.session_changed_at == world.now
    for key in (NEW, NOBODY, cluster.session.pubkey()):
        with refused("DisputeOpen"):
            world.do(calls.set_session_key(cluster, key, world.now + 1))
    record.defend(1)
    with refused("DisputeOpen"):
        world.do(calls.set_session_key(cluster, NOBODY, 0))
    record.defend(0)
    for _ in range(2):
        world.do(calls.set_session_key(cluster, NEW, world.now + 1))
    assert world.of_cluster(cluster).key_changed_in_dispute == 0


def test_again_once_an_undefended_dispute_is_over(world: World) -> None:
    record = disputes.disputed(world, 1, 0, 1)
    cluster = record.lease.cluster
    world.do(calls.set_session_key(cluster, NEW, world.now + 1))
    world.warp(disputes.DEFENCE)
    with refused("DisputeOpen"):
        world.do(calls.set_session_key(cluster, NEW, world.now + 1))
    world.do(calls.settle_lease(record.lease))
    world.do(calls.set_session_key(cluster, NEW, world.now + 1))
