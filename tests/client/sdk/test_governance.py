"""Parameters, roles, models through the SDK."""

from __future__ import annotations

import msgspec
import pytest
from client.sdk.conftest import SOL
from client.sdk.parties import IO, T4, hireable_node, open_cluster, party
from client.sdk.patient import Patient
from ionet.errors import InvalidInput
from ionet.generated.errors import (
    BadParams,
    ModelDisabled,
    NotAuthority,
    NothingPending,
    NotPendingAuthority,
    TimelockRunning,
)
from ionet.generated.events import (
    ModelChanged,
    ModelEnabled,
    ModelProposed,
    ParamsChanged,
    ParamsProposed,
    RoleChanged,
    RoleProposed,
)
from solders.keypair import Keypair

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_parameters_change_after_the_timelock(patient: Patient) -> None:
    network, stranger = patient.client().network, await party(patient, IO)
    before = (await network.get()).params
    with pytest.raises(NothingPending):
        await network.apply_pending()
    with pytest.raises(InvalidInput, match="no parameter is called interval"):
        network.propose_params(interval=4)
    with pytest.raises(BadParams):
        await network.propose_params(defend_window_secs=before.dispute_window_secs - 1)
    with pytest.raises(NotAuthority):
        await stranger.client.network.propose_params(reject_floor_secs=9)
    proposed = (await network.propose_params(reject_floor_secs=9, min_charge_secs=4)).event(ParamsProposed)
    assert proposed.effective_at == proposed.at + before.timelock_secs
    with pytest.raises(TimelockRunning):
        await stranger.client.network.apply_pending()
    patient.pass_time(before.timelock_secs)
    (await stranger.client.network.apply_pending()).event(ParamsChanged)
    assert (await network.get()).params == msgspec.structs.replace(before, reject_floor_secs=9, min_charge_secs=4)
    # What touches redemption waits until everybody can be out.
    back = {"reject_floor_secs": before.reject_floor_secs, "min_charge_secs": before.min_charge_secs}
    await network.propose_params(**back, spread_bps=before.spread_bps + 1)
    patient.pass_time(before.timelock_secs)
    with pytest.raises(TimelockRunning):
        await network.apply_pending()
    patient.pass_time(before.unbond_cooldown_secs + before.co_notice_secs - before.timelock_secs)
    await network.apply_pending()
    await network.propose_params(spread_bps=before.spread_bps)
    patient.pass_time(before.unbond_cooldown_secs + before.co_notice_secs)
    await network.apply_pending()
    assert (await network.get()).params == before


async def test_roles_change_after_the_timelock(patient: Patient) -> None:
    client, heir = patient.client(), Keypair()
    await client.rpc.airdrop(heir.pubkey(), SOL)
    timelock = (await client.network.get()).params.timelock_secs
    with pytest.raises(InvalidInput, match="known are authority, pauser, arbiter, feed"):
        client.network.propose_role("king", bytes(32))
    proposed = (await client.network.propose_role("pauser", bytes(heir.pubkey()))).event(RoleProposed)
    assert (proposed.role, proposed.effective_at) == (2, proposed.at + timelock)
    patient.pass_time(timelock)
    changed = (await client.network.apply_pending()).event(RoleChanged)
    assert (changed.before, changed.after) == (bytes(client.address), bytes(heir.pubkey()))
    await patient.client(heir).network.set_pause(0)

    # An authority takes over by itself; here it hands the office back afterwards.
    await client.network.propose_role("authority", bytes(heir.pubkey()))
    patient.pass_time(timelock)
    with pytest.raises(NotPendingAuthority):
        await client.network.apply_pending()
    (await patient.client(heir).network.apply_pending()).event(RoleChanged)
    with pytest.raises(NotAuthority):
        await client.network.propose_role("authority", bytes(client.address))
    await patient.client(heir).network.propose_role("authority", bytes(client.address))
    patient.pass_time(timelock)
    await client.network.apply_pending()
    assert (await client.network.get()).authority == client.address


async def test_model_disabled_fails(patient: Patient) -> None:
    supplier, renter = await party(patient, 1_000 * IO), await party(patient, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, 10**6, patient.now)
    network = patient.client().network
    assert not (await network.set_model(T4, enabled=False)).event(ModelEnabled).enabled
    with pytest.raises(ModelDisabled):
        await renter.client.cluster.add_lease(cluster, machine.node, duration=3)
    assert (await network.set_model(T4, enabled=True)).event(ModelEnabled).enabled
    await renter.client.cluster.add_lease(cluster, machine.node, duration=3)


async def test_a_models_terms_change_when_everybody_can_be_out(patient: Patient) -> None:
    network = patient.client().network
    params, [(_, before)] = (await network.get()).params, [m for m in await network.models() if m[1].code == T4]
    with pytest.raises(InvalidInput, match="no term of a model is called price"):
        network.propose_model(T4, price=1)
    proposed = (await network.propose_model(T4, reference_price=before.reference_price + 1)).event(ModelProposed)
    assert proposed.effective_at == proposed.at + params.unbond_cooldown_secs + params.co_notice_secs
    assert (proposed.multiplier, proposed.pool) == (before.multiplier, before.pool)
    with pytest.raises(TimelockRunning):
        await network.apply_model(T4)
    patient.pass_time(params.unbond_cooldown_secs + params.co_notice_secs)
    changed = (await network.apply_model(T4)).event(ModelChanged)
    assert changed.reference_price == before.reference_price + 1
    with pytest.raises(NothingPending):
        await network.apply_model(T4)
