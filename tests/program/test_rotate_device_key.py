from __future__ import annotations

from ionet.generated.events import DeviceKeyRotated
from program import calls
from program.chain import refused, who
from program.world import World


def test_the_new_key_signs_and_the_old_one_no_more(world: World) -> None:
    node, new = world.staked_node(), who("new device")
    landed = world.do(calls.rotate_device_key(node, new))
    assert landed.events == (
        DeviceKeyRotated(node=node.key, seq=3, at=world.now, before=node.device.pubkey(), after=new.pubkey()),
    )
    found = world.of_node(node)
    assert (found.device_key, found.first_device_key) == (new.pubkey(), node.device.pubkey())
    lease = world.booked(node, world.cluster())
    with refused("NotDeviceKey"):
        world.do(calls.mark_ready(lease))
    world.do(calls.mark_ready(lease, new))


def test_in_the_middle_of_a_lease(world: World) -> None:
    lease, new = world.running(), who("new device")
    world.serve(lease, 1)
    world.do(calls.rotate_device_key(lease.node, new))
    world.warp(600)
    with refused("NotDeviceKey"):
        world.do(calls.append_proof(lease, 1, 600))
    world.do(calls.append_proof(lease, 1, 600, device=new))


def test_by_another_than_the_owner_fails(world: World) -> None:
    node = world.node()
    for stranger in (world.stranger, node.device):
        with refused("NotNodeOwner"):
            world.do(calls.rotate_device_key(node, who("new device")).signed_by("owner", stranger))


def test_without_the_new_keys_signature_fails(world: World) -> None:
    with refused("MissingRequiredSignature"):
        world.do(calls.rotate_device_key(world.node(), who("new device")).unsigned("new_device_key"))
