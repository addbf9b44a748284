from __future__ import annotations

import pytest
from ionet.generated.accounts import Network
from ionet.generated.enums import Pause
from ionet.generated.events import PauseChanged
from program import calls, governance, staking
from program.calls import NETWORK, ata
from program.chain import Call, refused, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World

REGISTER_NODE, OPEN_CLUSTER, ADD_LEASE, EXTEND_LEASE, MINT_IOSD = Pause
ALL = 31


@pytest.mark.parametrize("by", ["pauser", "authority"])
def test_by_pauser_and_authority(world: World, by: str) -> None:
    signer = getattr(world, by)
    first = world.do(calls.set_pause(signer, ALL))
    then = world.do(calls.set_pause(signer, ADD_LEASE))
    common = {"network": NETWORK, "at": world.now, "by": signer.pubkey()}
    assert first.events == (PauseChanged(seq=2, before=0, after=ALL, **common),)
    assert then.events == (PauseChanged(seq=3, before=ALL, after=ADD_LEASE, **common),)
    assert world.get(Network, NETWORK).pause_bits == ADD_LEASE


def test_by_a_stranger_fails(world: World) -> None:
    with refused("NotPauser"):
        world.do(calls.set_pause(world.stranger, ALL))


@pytest.mark.parametrize("bits", [32, 2**64 - 1])
def test_an_exit_has_no_bit_fails(world: World, bits: int) -> None:
    with refused("NotPauser"):
        world.do(calls.set_pause(world.pauser, bits))


def entries(world: World) -> dict[int, Call]:
    """One call of every entry that can be paused, each of which would succeed."""
    lease = world.running("a")
    renter = lease.cluster.renter
    cluster = ClusterRef(renter, 1, who("session"))
    world.give_io(renter, IO_UNIT)
    free = LeaseRef(world.staked_node("b"), lease.cluster, 0)
    return {
        REGISTER_NODE: calls.register_node(NodeRef(lease.node.owner, who("new device")), H100, 8),
        OPEN_CLUSTER: calls.open_cluster(cluster, USD_UNIT, world.now + 1),
        ADD_LEASE: calls.add_lease(free, H100, HOUR),
        EXTEND_LEASE: calls.extend_lease(lease, H100, HOUR),
        MINT_IOSD: calls.mint_iosd(renter, world.oracle, IO_UNIT),
    }


@pytest.mark.parametrize("bit", [REGISTER_NODE, OPEN_CLUSTER, ADD_LEASE, EXTEND_LEASE, MINT_IOSD])
def test_each_bit_stops_its_entry_and_no_other(world: World, bit: int) -> None:
    calls_by_bit = entries(world)
    world.do(calls.set_pause(world.pauser, bit))
    with refused("Paused"):
        world.do(calls_by_bit[bit])
    for other, call in calls_by_bit.items():
        if other != bit:
            world.do(call)
    world.do(calls.set_pause(world.pauser, 0))
    world.do(calls_by_bit[bit])


def test_every_exit_works_while_everything_is_paused(world: World) -> None:
    lease, quits, ends = world.running("a"), world.running("b"), world.running("c")
    booked = world.booked(world.staked_node("d"), lease.cluster)
    started = world.ready(world.staked_node("e"), lease.cluster)
    world.do(calls.set_pause(world.pauser, ALL))
    cluster, node = lease.cluster, lease.node
    world.do(calls.mark_ready(booked))
    world.do(calls.accept_ready(started))
    world.do(calls.set_session_key(cluster, who("new session").pubkey(), world.now + 1))
    world.do(calls.withdraw_budget(cluster, 1))
    world.do(calls.update_node(node, calls.terms(node.owner)), calls.pause_node(node, True))
    world.do(calls.rotate_device_key(node, who("new device")), calls.rotate_device_key(node, node.device))
    world.do(calls.stake(node, IO_UNIT), calls.request_unbond(node, IO_UNIT))
    world.do(staking.open_income_vault(node, world.stranger, calls.USD), staking.set_co_stake_terms(node, 1, 1))
    lender = who("lender")
    world.do(calls.lock_payout(node, lender.pubkey(), world.now + 1, lease), calls.release_payout(node, lender))
    world.do(calls.update_node(node, calls.terms(node.owner)))
    world.do(governance.propose_model(world.authority, H100), governance.set_model(world.authority, H100, False))
    world.do(calls.quit_lease(quits), calls.end_lease(ends))
    world.serve(lease, 1)
    world.do(calls.reject_ready(booked, cluster.renter), calls.close_lease(booked))
    world.warp(HOUR)
    world.do(calls.report_missed(lease, lease.node.owner, rewarded=False))
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    world.do(calls.settle_lease(started), calls.report_missed(started, node.owner, rewarded=False))
    world.do(calls.close_lease(started), calls.close_cluster(cluster))
    world.do(calls.settle_lease(quits), calls.close_lease(quits), calls.close_cluster(quits.cluster, signed=True))
    world.do(calls.burn(calls.USD), calls.burn(calls.IO), calls.retire_node(node))
    world.warp(14 * 86_400)
    world.do(calls.withdraw(node), staking.close_income_vault(node, calls.USD))
    world.warp(7 * 86_400)
    world.do(governance.apply_model(H100))
    assert not world.exists(node.position)
    assert world.tokens(ata(cluster.renter, calls.USD)) > 0
