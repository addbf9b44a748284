"""Parameters, roles, models and the network's migration through the SDK."""

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
        await stranger.client.network.propose_params(hold_fee_secs=9)
    proposed = (await network.propose_params(hold_fee_secs=9, spread_bps=40)).event(ParamsProposed)
    assert proposed.effective_at == proposed.at + before.timelock_secs
    with pytest.raises(TimelockRunning):
        await stranger.client.network.apply_pending()
    patient.pass_time(before.timelock_secs)
    (await stranger.client.network.apply_pending()).event(ParamsChanged)
    assert (await network.get()).params == msgspec.structs.replace(before, hold_fee_secs=9, spread_bps=40)
    await network.propose_params(hold_fee_secs=before.hold_fee_secs, spread_bps=before.spread_bps)
    patient.pass_time(before.timelock_secs)
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
    assert not (await network.set_model(T4, enabled=False)).event(ModelChanged).enabled
    with pytest.raises(ModelDisabled):
        await renter.client.cluster.add_lease(cluster, machine.node, duration=3)
    assert (await network.set_model(T4, enabled=True)).event(ModelChanged).enabled
    await renter.client.cluster.add_lease(cluster, machine.node, duration=3)
