"""What the agent reads of a lease over RPC, and what strangers' transactions that name the lease do to it: nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import ionet.rpc
import pytest
import pytest_asyncio
from client.sdk.parties import party
from client.sdk.patient import Patient, patient_chain, running
from client.sdk.test_disputes import device_of
from client.sdk.test_transaction_v1 import mention
from ionet.rules.challenges import sign_challenge
from ionet.rules.disputes import is_disputed
from ionet_agent.defender import Defender
from ionet_agent.journal import Journal
from ionet_agent.prover import Prover
from ionet_agent.rpc_node_chain import RpcNodeChain


@pytest_asyncio.fixture
async def patient() -> AsyncIterator[Patient]:
    async with patient_chain() as chain:
        yield chain


@pytest.mark.parametrize("newest", [0, 1], ids=["a format not read yet", "a format that is read"])
async def test_an_agent_that_lost_its_disk_defends_a_lease_that_strangers_name(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newest: int
) -> None:
    """In transactions of version 1, before, among and after its proofs. It has to read the chain's history: the first
    proofs are in no journal any more.
    """
    here, stranger = await running(patient), (await party(patient, 1)).keypair
    chain = RpcNodeChain(await device_of(patient, here), here.machine.node, here.machine.device.keypair)
    monkeypatch.setattr(ionet.rpc, "MAX_VERSION", newest)
    name, sent = str(here.lease), 0

    async def prove(journal: Journal, folder: Path, interval: int) -> None:
        nonlocal sent
        prover = Prover(chain, journal, folder)
        journal.put_challenge(name, interval, sign_challenge(here.session, here.lease, interval))
        for _ in range(3):
            patient.pass_time(1)
            journal.seen_up(name, "p", patient.now)
            sent += 1
            mention(patient, stranger, here.lease, sent)
            lease = (await chain.view([name])).find(name)
            assert lease is not None
            await prover.step(lease, patient.now)

    with contextlib.closing(Journal(tmp_path / "lost")) as journal:
        await prove(journal, tmp_path, 0)
    with contextlib.closing(Journal(tmp_path / "journal")) as journal:
        for interval in (1, 2):
            await prove(journal, tmp_path, interval)
        patient.pass_time(1)
        mention(patient, stranger, here.lease, 1_000)
        found = await chain.proofs(here.lease)
        assert [(each.interval, each.served_secs) for each in found] == [
            *((0, 1), (0, 2), (1, 1), (1, 2)),
            *((2, 2), (2, 3)),  # seen without a break since the interval before
        ]
        await here.renter.client.lease.dispute(here.lease, 0, 2)
        view = (await chain.view([name])).find(name)
        assert view is not None
        assert is_disputed(view)
        await Defender(chain, journal).step(view)
        lease = await patient.client().lease.get(here.lease)
        assert (lease.dispute_to, lease.held_secs) == (1, 2)
