from __future__ import annotations

from ionet.generated import pdas
from ionet.generated.events import ClusterClosed, OwedClaimed
from program import calls, staking
from program.calls import ID, IO, NETWORK, USD
from program.chain import refused
from program.currencies import active_in, cluster_in, paid_in
from program.preludes import frozen
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
