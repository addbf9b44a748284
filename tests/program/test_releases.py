"""What a release promised to holders of its accounts: later programs read each of them and go on with them.

Each frozen release, and the committed program as if it were frozen now.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ionet.codec import ProgramCodec
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.idl import bundled
from ionet.program import PROGRAM
from program import calls, governance, staking
from program.calls import ID, USD, ata
from program.chain import elf
from program.compat import longer_lists
from program.governance import CaseRef
from program.refs import LeaseRef
from program.releases import (
    ACCUSED,
    CLUSTER,
    CO_STAKER,
    DEPOSIT,
    DISPUTED,
    INTERVAL,
    LEAVING,
    READY,
    RUNNING,
    Release,
    freeze,
    restored,
)
from program.world import H100, IO_UNIT, World, required_stake

DAY = 86_400
HOURLY = 16_000_000
NOW = "now"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The committed program, frozen this moment."""
    return freeze("ionet-0", tmp_path_factory.mktemp("release"))


@pytest.fixture(params=[*(release.name for release in Release.all()), NOW])
def release(request: pytest.FixtureRequest, fresh: Release) -> Release:
    return next((each for each in Release.all() if each.name == request.param), fresh)


@pytest.fixture(params=["own", "committed"])
def world(request: pytest.FixtureRequest, release: Release) -> World:
    """The release's life under its own program, and under the committed one."""
    if request.param == "own" and (longer := longer_lists(release.idl, bundled())):
        pytest.skip(f"the committed client sends more accounts than this release takes: {', '.join(longer)}")
    return restored(release.life, release.elf if request.param == "own" else elf("ionet"))


def test_nothing_of_a_release_changed_since(release: Release) -> None:
    assert release.manifest["files"] == {
        f"{release.name}.{part}": hashlib.sha256(release.path(part).read_bytes()).hexdigest()
        for part in ("so", "json", "accounts.json")
    }


def test_there_is_an_account_of_every_type(release: Release) -> None:
    assert {kept.kind for kept in release.life.own} == {item.name for item in release.idl.accounts}


def test_the_committed_codec_reads_every_field_of_every_account(release: Release) -> None:
    """Each as the release showed it, bytes that it did not use as zero."""
    old = ProgramCodec(release.idl)
    for kept in release.life.own:
        value = old.decode_any_account(kept.bytes)
        assert old.encode_account(value) == kept.bytes, f"{kept.kind}: padding is not zero"
        assert old.show(value) == kept.fields
        now = PROGRAM.codec.show(PROGRAM.codec.decode_any_account(kept.bytes))
        assert part(now, kept.fields) == kept.fields, kept.kind
        assert all(is_zero(value) for name, value in now.items() if name not in (kept.fields or {})), kept.kind


def part(shown: Any, of: Any) -> Any:
    """What is shown, without the fields that the other does not have."""
    if isinstance(of, dict):
        return {name: part(shown[name], inner) for name, inner in of.items()}
    if isinstance(of, list):
        return [part(item, inner) for item, inner in zip(shown, of, strict=True)]
    return shown


def is_zero(shown: Any) -> bool:
    if isinstance(shown, dict):
        return all(map(is_zero, shown.values()))
    if isinstance(shown, list):
        return all(map(is_zero, shown))
    return not shown or set(str(shown)) <= {"0"} or shown == str(calls.NOBODY)


def fee(gross: int) -> int:
    return -(-gross * 25 // 10_000)


def earned(world: World, lease: LeaseRef, *, shared: bool = False) -> tuple[int, int]:
    """What a settlement pays: to the owner, and into the income vault."""
    owner, vault = ata(lease.node.owner, USD), pdas.income_vault(ID, lease.node.key, USD)
    before = world.tokens(owner), world.tokens(vault)
    call = calls.settle_lease(lease)
    world.do(staking.with_income(call) if shared else call)
    return world.tokens(owner) - before[0], world.tokens(vault) - before[1]


def test_leases_and_their_cluster_go_on_to_exact_ends(world: World) -> None:
    """One lease was over and in dispute, one running, one ready: all of them end, and the cluster is closed."""
    renter = ata(CLUSTER.renter, USD)
    before = world.tokens(renter)
    world.serve(RUNNING, 1, first=1)
    world.do(calls.end_lease(RUNNING))
    assert world.of(RUNNING).rest_secs == 3_600 - 2 * INTERVAL
    world.warp(1_200)
    world.do(calls.cancel_lease(READY))
    found = world.of(READY)
    assert (found.status, found.end_reason, found.unanswered_secs) == (
        LeaseStatus.CANCELLED,
        EndReason.NOT_ACCEPTED,
        1_200,
    )
    world.warp(DAY)

    # The first hour of the renter who left; twenty minutes of readiness; three intervals of six that were not disputed.
    ran, waited, kept = HOURLY, HOURLY * 1_200 // 3_600, HOURLY * 1_800 // 3_600
    assert earned(world, RUNNING) == (ran - fee(ran), 0)
    assert earned(world, READY) == (waited - fee(waited), 0)
    # Half of it goes to the bonded pool: the co-staker has one IO in it, the owner 16,000 and half of one in rewards.
    payout, vault = earned(world, DISPUTED, shared=True)
    assert payout + vault == kept - fee(kept)
    assert vault == (kept - fee(kept)) // 2 // 16_001

    for lease in (RUNNING, READY, DISPUTED):
        world.do(calls.close_lease(lease))
    burned = HOURLY * 1_800 // 3_600
    assert world.of_cluster(CLUSTER).burned == burned
    world.do(calls.close_cluster(CLUSTER))
    spent = sum(gross + fee(gross) for gross in (ran, waited, kept)) + burned
    assert world.tokens(renter) - before == DEPOSIT - spent
    assert not world.exists(CLUSTER.key)


def test_stake_and_rewards_can_be_taken_out(world: World) -> None:
    io = {wallet: staking.io_of(world, wallet) for wallet in (LEAVING.owner, CO_STAKER)}
    world.warp(14 * DAY)
    world.do(calls.withdraw(LEAVING))
    assert staking.io_of(world, LEAVING.owner) - io[LEAVING.owner] == 500 * IO_UNIT
    held = staking.held_by(DISPUTED.node, CO_STAKER)
    world.do(staking.claim_rewards(held))
    # One IO in 16,001 of the pool, and half of its part of the IO funded; by share and rounded down once more.
    pool = world.of_node(DISPUTED.node)
    shares = pool.bonded.shares - pool.owner_bonded_shares
    per_share = (IO_UNIT // 16_001 // 2 << 64) // shares
    assert staking.io_of(world, CO_STAKER) - io[CO_STAKER] == shares * per_share >> 64 == 3_123


def test_a_case_that_nobody_decides_ends_for_the_stakers(world: World) -> None:
    assert world.of_node(ACCUSED).flags == governance.FROZEN
    world.warp(60 * DAY)
    world.do(governance.decide_case(CaseRef(ACCUSED, 0), by=world.stranger))
    found = world.of_node(ACCUSED)
    assert (found.flags, found.bonded.amount) == (0, required_stake(H100, 8))


def test_what_was_proposed_takes_effect(world: World) -> None:
    world.warp(21 * DAY)
    world.do(governance.apply_pending(world.stranger), governance.apply_model(H100))
    assert world.params.accept_deadline_secs == 900
    assert world.get(DeviceModel, pdas.model(ID, H100)).reference_price == 2_000_000
