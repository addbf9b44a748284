from __future__ import annotations

from ionet.generated import pdas
from ionet.generated.events import OwedClaimed
from program import calls, staking
from program.calls import ID, IO, USD, ata
from program.chain import refused
from program.refs import NodeRef
from program.staking import DAY, io_of, open_node
from program.world import IO_UNIT, World

OWN = 16_000 * IO_UNIT


def owed_to_owner(world: World) -> NodeRef:
    """A node whose owner gave their IO account away and was paid into their owed account."""
    node = open_node(world)
    owner = node.owner.pubkey()
    world.do(calls.request_unbond(node, OWN), staking.open_owed(world.stranger, owner, IO))
    world.give_account(node.owner, ata(node.owner, IO), world.stranger.pubkey())
    world.warp(14 * DAY)
    world.do(staking.with_owed(calls.withdraw(node), owner, IO))
    return node


def test_to_any_account_of_the_mint(world: World) -> None:
    owner = owed_to_owner(world).owner
    owed = pdas.owed(ID, IO, owner.pubkey())
    to = world.token_account("new", owner.pubkey(), IO)
    rent, lamports = world.lamports(owed), world.lamports(owner.pubkey())
    landed = world.do(staking.claim_owed(owner, IO, to))
    assert landed.events == (OwedClaimed(owner=owner.pubkey(), mint=IO, at=world.now, amount=OWN),)
    assert world.tokens(to) == OWN
    assert not world.exists(owed)
    assert world.lamports(owner.pubkey()) - lamports == rent


def test_to_somebody_else_he_names(world: World) -> None:
    owner = owed_to_owner(world).owner
    before = io_of(world, world.treasury)
    world.do(staking.claim_owed(owner, IO, ata(world.treasury, IO)))
    assert io_of(world, world.treasury) - before == OWN


def test_an_empty_one_is_closed_and_can_be_opened_again(world: World) -> None:
    owner = world.supplier("supplier")
    for _ in range(2):
        world.do(staking.open_owed(world.stranger, owner.pubkey(), IO))
        assert world.do(staking.claim_owed(owner, IO, ata(owner, IO))).event(OwedClaimed).amount == 0


def test_by_another_fails(world: World) -> None:
    node = owed_to_owner(world)
    call = staking.claim_owed(node.owner, IO, ata(world.treasury, IO))
    with refused("InvalidSeeds"):
        world.do(call.signed_by("owner", world.stranger))


def test_to_an_account_of_another_mint_fails(world: World) -> None:
    owner = owed_to_owner(world).owner
    with refused("WrongTokenMint"):
        world.do(staking.claim_owed(owner, IO, ata(owner, USD)))


def test_when_nothing_was_ever_owed_fails(world: World) -> None:
    owner = world.supplier("supplier")
    with refused("AccountDataTooSmall"):
        world.do(staking.claim_owed(owner, IO, ata(owner, IO)))
