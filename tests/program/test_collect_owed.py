from __future__ import annotations

from ionet.generated import pdas
from ionet.generated.events import ClusterClosed, OwedClaimed
from program import calls, staking
from program.calls import ID, IO, NETWORK, USD
from program.chain import refused, who
from program.currencies import active_in, cluster_in, paid_in
from program.preludes import frozen
from program.test_claim_income import NET, lived, shared_node
from program.world import HOUR, IO_UNIT, World


def test_what_the_frozen_fee_vault_could_not_receive_all_fields(world: World) -> None:
    """The issuer of USDC freezes the network's vault: the cluster closes all the same, and the fees wait."""
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = world.staked_node(currencies=calls.EVERY_CURRENCY)
    cluster = cluster_in(world, world.usdc, "c", 1_000 * IO_UNIT)
    lease = active_in(world, world.usdc, node, cluster, HOUR)
    world.serve(lease, 6)
    world.final(lease)
    world.open_ata(node.owner, world.usdc)
    world.do(paid_in(world.usdc, calls.settle_lease(lease), node.owner), calls.close_lease(lease))
    vault = pdas.fee_vault(ID, world.usdc)
    thawed = world.raw(vault)
    frozen(world, vault)
    call = paid_in(world.usdc, calls.close_cluster(cluster), cluster.renter)
    with refused("RecipientCannotReceive"):
        world.do(call)
    world.do(staking.open_owed(world.stranger, NETWORK, world.usdc))
    owed = pdas.owed(ID, world.usdc, NETWORK)
    fees = world.do(staking.filled(call, fees_owed=owed)).event(ClusterClosed).fees
    assert (world.tokens(owed), world.exists(cluster.key)) == (fees, False)
    with refused("Custom 17"):  # the token program: the vault is frozen
        world.do(staking.collect_owed(world.stranger, world.usdc))
    world.svm.set_account(vault, thawed)
    rent, lamports = world.lamports(owed), world.lamports(world.stranger.pubkey())
    landed = world.do(staking.collect_owed(world.stranger, world.usdc))
    assert landed.events == (OwedClaimed(owner=NETWORK, mint=world.usdc, at=world.now, amount=fees),)
    assert world.tokens(vault) == fees
    assert world.lamports(world.stranger.pubkey()) - lamports == rent
    assert not world.exists(owed)


def test_into_another_vault_fails(world: World) -> None:
    node = world.staked_node()
    world.do(staking.open_owed(world.stranger, NETWORK, USD), staking.open_income_vault(node, world.stranger, USD))
    call = staking.collect_owed(world.stranger, USD)
    for wrong in (pdas.burn_vault(ID, USD), pdas.income_vault(ID, node.key, USD), pdas.fee_vault(ID, IO)):
        with refused("WrongOwedAccount"):
            world.do(call.swapped(vault=wrong))
    world.do(staking.open_owed(world.stranger, node.owner.pubkey(), USD))
    with refused("WrongOwedAccount"):
        world.do(call.swapped(owed=pdas.owed(ID, USD, node.owner.pubkey())))


def test_a_nodes_income_comes_back_to_its_vault_all_fields(world: World) -> None:
    node = shared_node(world)
    lease, vault = lived(world, node), pdas.income_vault(ID, node.key, USD)
    thawed = world.raw(vault)
    frozen(world, vault)
    world.do(staking.open_owed(world.treasury, node.key, USD))
    owed = pdas.owed(ID, USD, node.key)
    world.do(staking.filled(staking.with_income(calls.settle_lease(lease)), income_owed=owed))
    before = world.of_node(node)
    assert (world.tokens(owed), before.co_income[0]) == (NET // 2 // 2, NET // 2 // 2)
    collect = staking.collect_owed(world.stranger, USD, node)
    with refused("Custom 17"):  # the token program: the vault is frozen
        world.do(collect)
    world.svm.set_account(vault, thawed)
    rent, lamports = world.lamports(owed), world.lamports(world.stranger.pubkey())
    landed = world.do(collect)
    assert landed.events == (OwedClaimed(owner=node.key, mint=USD, at=world.now, amount=NET // 2 // 2),)
    assert (world.tokens(vault), world.exists(owed)) == (NET // 2 // 2, False)
    assert world.lamports(world.stranger.pubkey()) - lamports == rent
    assert world.of_node(node) == before  # what is owed was the co-stakers' already
    with refused("AccountDataTooSmall"):
        world.do(collect)


def test_what_is_owed_to_a_node_cannot_be_claimed_from_a_vault_that_lacks_it(world: World) -> None:
    """A claim waits for it to be collected, which anybody can do."""
    node = shared_node(world)
    lease, vault = lived(world, node), pdas.income_vault(ID, node.key, USD)
    thawed = world.raw(vault)
    frozen(world, vault)
    world.do(staking.open_owed(world.stranger, node.key, USD))
    owed = pdas.owed(ID, USD, node.key)
    world.do(staking.filled(staking.with_income(calls.settle_lease(lease)), income_owed=owed))
    world.svm.set_account(vault, thawed)
    claim = staking.claim_income(staking.held_by(node, who("co")), USD)
    with refused("Custom 1"):  # the token program: too few tokens
        world.do(claim)
    world.do(staking.collect_owed(world.stranger, USD, node), claim)


def test_of_another_node_or_nobodys_fails(world: World) -> None:
    node, other = world.staked_node(), world.staked_node("b")
    for one in (node, other):
        world.do(staking.open_owed(world.stranger, one.key, USD), staking.open_income_vault(one, world.stranger, USD))
    world.move(world.cluster().renter, pdas.owed(ID, USD, node.key), USD, 1)
    call = staking.collect_owed(world.stranger, USD, node)
    with refused("WrongOwedAccount"):
        world.do(call.swapped(node=other.key))
    with refused("WrongOwedAccount"):
        world.do(call.swapped(vault=pdas.income_vault(ID, other.key, USD)))
    with refused("WrongOwedAccount"):
        world.do(call.swapped(owed=pdas.owed(ID, USD, other.key)))
    with refused("WrongOwedAccount"):
        world.do(call.swapped(vault=node.vault))
    world.do(call)


def test_an_empty_account_stays_with_who_opened_it(world: World) -> None:
    """Its rent is the reward for bringing something back: nobody takes that of an account opened a moment ago."""
    node = world.staked_node()
    world.fund(who("keeper").pubkey())
    world.do(staking.open_owed(who("keeper"), node.key, USD), staking.open_income_vault(node, world.stranger, USD))
    call = staking.collect_owed(world.stranger, USD, node)
    with refused("NothingToClaim"):
        world.do(call)
    world.move(world.cluster().renter, pdas.owed(ID, USD, node.key), USD, 1)
    world.do(call)
    assert world.tokens(pdas.income_vault(ID, node.key, USD)) == 1
