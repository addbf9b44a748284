from __future__ import annotations

from typing import Any

import pytest
from ionet.types import SessionKeyChanged
from program import calls
from program.calls import NOBODY
from program.chain import refused, who
from program.world import World

NEW = who("new session").pubkey()


def test_rotate_and_revoke_ok(world: World) -> None:
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
