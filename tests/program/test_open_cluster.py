from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Renter
from ionet.generated.enums import ClusterKind, Currency
from ionet.generated.events import ClusterOpened
from program import calls
from program.calls import ID, IO, NOBODY, USD, ata
from program.chain import refused, who
from program.refs import ClusterRef
from program.world import IO_UNIT, USD_UNIT, World
from solders.keypair import Keypair

SESSION = who("session")
CONFIG = b"\x05" * 32


@pytest.fixture
def renter(world: World) -> Keypair:
    return world.renter("renter a", 100 * IO_UNIT)


def test_all_fields_ok(world: World, renter: Keypair) -> None:
    cluster = ClusterRef(renter, 0, SESSION)
    before, lamports = world.tokens(ata(renter, USD)), world.lamports(renter.pubkey())
    landed = world.do(
        calls.open_cluster(cluster, 7 * USD_UNIT, world.now + 1, kind=ClusterKind.CONTAINER, config=CONFIG)
    )
    assert landed.events == (
        ClusterOpened(
            cluster=cluster.key,
            seq=1,
            at=world.now,
            renter=renter.pubkey(),
            id=0,
            kind=ClusterKind.CONTAINER,
            currency=Currency.IOSD,
            mint=USD,
            deposit=7 * USD_UNIT,
            session_key=SESSION.pubkey(),
            session_expires_at=world.now + 1,
            config_hash=CONFIG,
        ),
    )
    found = world.of_cluster(cluster)
    assert (found.renter, found.renter, found.mint) == (renter.pubkey(), renter.pubkey(), USD)
    assert (found.session_key, found.session_expires_at) == (SESSION.pubkey(), world.now + 1)
    assert (found.config_hash, found.kind, found.currency, found.id) == (CONFIG, 3, 1, 0)
    assert (found.deposit, found.locked, found.paid, found.fees, found.refunded) == (7 * USD_UNIT, 0, 0, 0, 0)
    assert (found.opened_at, found.last_activity_at, found.burned) == (world.now, world.now, 0)
    assert (found.head_lease, found.leases_open, found.seq) == (NOBODY, 0, 1)
    assert world.tokens(cluster.escrow) == 7 * USD_UNIT
    assert before - world.tokens(ata(renter, USD)) == 7 * USD_UNIT
    counter = world.get(Renter, pdas.renter_account(ID, renter.pubkey()))
    assert (counter.wallet, counter.next_cluster_id, counter.open_clusters) == (renter.pubkey(), 1, 1)
    keys = (cluster.key, cluster.escrow, pdas.renter_account(ID, renter.pubkey()))
    assert lamports - world.lamports(renter.pubkey()) == sum(world.lamports(key) for key in keys)


def test_ids_count_up_and_never_repeat(world: World, renter: Keypair) -> None:
    first, second = ClusterRef(renter, 0, SESSION), ClusterRef(renter, 1, SESSION)
    world.do(calls.open_cluster(first, 1, world.now + 1))
    world.do(calls.close_cluster(first))
    for wrong in (0, 2):
        with refused("WrongRenterAccount"):
            world.do(calls.open_cluster(ClusterRef(renter, wrong, SESSION), 1, world.now + 1))
    world.do(calls.open_cluster(second, 1, world.now + 1))
    counter = world.get(Renter, pdas.renter_account(ID, renter.pubkey()))
    assert (counter.next_cluster_id, counter.open_clusters) == (2, 1)


def test_addresses_that_hold_lamports_are_no_obstacle(world: World, renter: Keypair) -> None:
    cluster = ClusterRef(renter, 0, SESSION)
    for key in (cluster.key, cluster.escrow, pdas.renter_account(ID, renter.pubkey())):
        world.fund(key, 1_000_000)
    world.do(calls.open_cluster(cluster, 1, world.now + 1))


def test_without_a_session_key(world: World, renter: Keypair) -> None:
    cluster = ClusterRef(renter, 0, SESSION)
    world.do(calls.open_cluster(cluster, 1, 0, session_key=NOBODY))
    assert (world.of_cluster(cluster).session_key, world.of_cluster(cluster).session_expires_at) == (NOBODY, 0)


@pytest.mark.parametrize("left", [0, -1])
def test_a_session_key_that_has_expired_fails(world: World, renter: Keypair, left: int) -> None:
    with refused("BadSessionKey"):
        world.do(calls.open_cluster(ClusterRef(renter, 0, SESSION), 1, world.now + left))


def test_nothing_deposited_fails(world: World, renter: Keypair) -> None:
    with refused("ZeroAmount"):
        world.do(calls.open_cluster(ClusterRef(renter, 0, SESSION), 0, world.now + 1))


@pytest.mark.parametrize("kind", [4, 255])
def test_an_unknown_kind_fails(world: World, renter: Keypair, kind: int) -> None:
    with refused("UnknownClusterKind"):
        world.do(calls.open_cluster(ClusterRef(renter, 0, SESSION), 1, world.now + 1, kind=kind))


def test_more_than_the_wallet_holds_fails(world: World, renter: Keypair) -> None:
    with refused("Custom 1"):
        world.do(calls.open_cluster(ClusterRef(renter, 0, SESSION), 10**12, world.now + 1))


def test_in_another_currency_fails(world: World, renter: Keypair) -> None:
    """IOSD, USDC and IO are admitted; test_currencies has their lives."""
    odd = world.create_mint(who("odd mint"), 6)
    account = world.token_account("odd", renter.pubkey(), odd)
    call = calls.open_cluster(ClusterRef(renter, 0, SESSION), 1, world.now + 1)
    with refused("CurrencyNotSupported"):
        world.do(call.swapped(**{"mint": odd, "from": account}))
    for mint in (IO, world.usdc):
        with refused("WrongTokenMint"):
            world.do(call.swapped(mint=mint))


def test_with_tokens_of_another_fails(world: World, renter: Keypair) -> None:
    call = calls.open_cluster(ClusterRef(renter, 0, SESSION), 1, world.now + 1)
    other = world.renter("renter b", IO_UNIT)
    with refused("WrongTokenOwner"):
        world.do(call.swapped(**{"from": ata(other, USD)}))
    with refused("WrongTokenMint"):
        world.do(call.swapped(**{"from": ata(renter, IO)}))
