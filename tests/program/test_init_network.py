from __future__ import annotations

import pytest
from ionet.generated.accounts import Iosd, Network
from ionet.generated.events import NetworkInitialized
from ionet.generated.types import Params
from ionet.program import PROGRAM
from ionet_localnet.genesis import deployed_program
from program import calls
from program.calls import FEED, IO, IOSD, LOCAL, MAINNET, NETWORK, USD, ata
from program.chain import elf, refused, who
from program.world import IO_UNIT, USD_UNIT, World
from solders.pubkey import Pubkey

DAY = 86_400
# The figures of the design.
MAINNET_PARAMS = Params(
    stake_per_processor=200 * IO_UNIT,
    reporter_cap=500 * IO_UNIT,
    interval_secs=600,
    ready_deadline_secs=300,
    accept_deadline_secs=1_200,
    dispute_window_secs=3_600,
    defend_window_secs=3_600,
    min_charge_secs=3_600,
    fault_after_secs=3_600,
    reject_floor_secs=60,
    recovery_secs=7_200,
    unbond_cooldown_secs=14 * DAY,
    co_notice_secs=7 * DAY,
    terms_notice_secs=21 * DAY,
    timelock_secs=2 * DAY,
    promise_window_secs=30 * DAY,
    idle_close_secs=7 * DAY,
    tier_secs=(3_600, 48 * 3_600, 120 * 3_600),
    price_max_age_secs=60,
    price_future_secs=10,
    last_rate_after_secs=DAY,
    limiter_window_secs=3_600,
    appeal_secs=30 * DAY,
    slot_ms=250,
    tier_bps=(200, 400, 3_000, 5_000),
    quit_bps=200,
    promise_bps=50,
    fault_bps=500,
    renter_fee_bps=25,
    supplier_fee_bps=25,
    usdc_fee_bps=200,
    renter_share_bps=2_500,
    reporter_bps=500,
    dispute_bond_bps=100,
    burn_share_bps=10_000,
    spread_bps=50,
    conf_max_bps=100,
    mint_limit_bps=1_000,
    redeem_limit_bps=1_000,
    case_cap_bps=1_000,
    grace_intervals=1,
    tier1_intervals=2,
    promise_limit=3,
    co_stake_max_percent=50,
    case_window_secs=30 * DAY,
    mint_floor=1_000_000 * USD_UNIT,
    redeem_floor=1_000_000 * USD_UNIT,
    case_network_cap=1_000_000 * IO_UNIT,
)


@pytest.fixture
def bare() -> World:
    return World()


def test_the_mainnet_profile_and_every_field(bare: World) -> None:
    landed = bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury))
    assert landed.events == (
        NetworkInitialized(
            network=NETWORK,
            seq=1,
            at=bare.now,
            authority=bare.authority.pubkey(),
            pauser=who("pauser").pubkey(),
            arbiter=who("arbiter").pubkey(),
            io_mint=IO,
            iosd_mint=USD,
            usdc_mint=bare.usdc,
            feed_id=FEED,
            genesis_owner=bare.treasury.pubkey(),
            genesis_amount=500_000_000 * IO_UNIT,
            profile=MAINNET,
        ),
    )
    network = bare.get(Network, NETWORK)
    assert network.params == MAINNET_PARAMS
    assert (network.authority, network.pauser, network.arbiter) == (
        bare.authority.pubkey(),
        who("pauser").pubkey(),
        who("arbiter").pubkey(),
    )
    assert (network.pending_authority, network.pending_effective_at) == (calls.NOBODY, 0)
    assert (network.io_mint, network.iosd_mint, network.usdc_mint) == (IO, USD, bare.usdc)
    assert (network.feed_id, network.seq, network.pause_bits, network.version) == (FEED, 1, 0, 1)
    assert (network.io_genesis, network.io_emitted) == (500_000_000 * IO_UNIT, 0)
    books = bare.get(Iosd, IOSD)
    assert (books.minted, books.io_burned, books.io_other_burned, books.fee_burned, books.seq) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(("mint", "decimals", "supply"), [(IO, 8, 500_000_000 * IO_UNIT), (USD, 6, 0)])
def test_mints_belong_to_the_network_and_cannot_be_frozen(
    world: World, mint: Pubkey, decimals: int, supply: int
) -> None:
    data = world.raw(mint).data
    assert data[:36] == b"\x01\0\0\0" + bytes(NETWORK)
    assert (data[44], data[46:50]) == (decimals, bytes(4))
    assert world.supply(mint) == supply


def test_genesis_supply_goes_to_the_named_account(world: World) -> None:
    assert world.tokens(ata(world.treasury, IO)) == world.supply(IO) == 500_000_000 * IO_UNIT


def test_the_local_profile_is_fast(bare: World) -> None:
    bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury, LOCAL))
    found = bare.params
    assert (found.interval_secs, found.dispute_window_secs, found.ready_deadline_secs) == (3, 6, 120)
    assert (found.unbond_cooldown_secs, found.idle_close_secs, found.tier_secs) == (5, 30, (20, 120, 240))
    assert found.tier_bps == MAINNET_PARAMS.tier_bps
    assert found.stake_per_processor == MAINNET_PARAMS.stake_per_processor


def test_an_address_that_holds_lamports_is_no_obstacle(bare: World) -> None:
    for key in (NETWORK, IOSD, IO, USD):
        bare.fund(key, 1_000_000)
    bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury))


def test_twice_fails(world: World) -> None:
    with refused("Custom 0"):  # the system program: the account exists
        world.do(calls.init_network(world.authority, world.usdc, world.treasury))


def test_another_authority_fails(bare: World) -> None:
    with refused("NotUpgradeAuthority"):
        bare.do(calls.init_network(bare.stranger, bare.usdc, bare.treasury))


def test_an_immutable_program_fails(bare: World) -> None:
    for key, account in deployed_program(PROGRAM.id, elf("ionet"), None):
        bare.svm.set_account(key, account)
    with refused("NotUpgradeAuthority"):
        bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury))


def test_unknown_profile_fails(bare: World) -> None:
    with refused("UnknownProfile"):
        bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury, 2))


def test_an_empty_feed_fails(bare: World) -> None:
    with refused("ZeroHash"):
        bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury, feed_id=bytes(32)))


@pytest.mark.parametrize("decimals", [5, 8])
def test_a_dollar_mint_of_other_decimals_fails(bare: World, decimals: int) -> None:
    mint = bare.create_mint(who("odd mint"), decimals)
    with refused("BadMint"):
        bare.do(calls.init_network(bare.authority, mint, bare.treasury))


@pytest.mark.parametrize("profile", [MAINNET, LOCAL])
def test_every_open_interval_fits_the_ring(bare: World, profile: int) -> None:
    bare.do(calls.init_network(bare.authority, bare.usdc, bare.treasury, profile))
    found = bare.params
    window, defence = (
        -(-secs // found.interval_secs) for secs in (found.dispute_window_secs, found.defend_window_secs)
    )
    assert window + defence + found.grace_intervals + 2 <= 16
