"""Approving, disputing, defending and leaving a lease through the SDK."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from client.sdk.conftest import SOL
from client.sdk.patient import Patient, Running, running
from ionet.client import Client
from ionet.defence import fits
from ionet.errors import InvalidInput
from ionet.generated.errors import DisputeOpen, NotRenterOrSession, NotServing, RangeNotDisputable
from ionet.generated.events import (
    DisputeDefended,
    DisputeResolved,
    LeaseApproved,
    LeaseDisputed,
    LeaseEnded,
    LeaseSettled,
)
from ionet.generated.types import ProofEntry
from ionet.program import PROGRAM
from ionet.rules import challenges, merkle
from ionet.rules.disputes import START, Dispute, Evidence, WrongChain, next_head, next_step, openings
from ionet.wallet import KeypairSigner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wide(patient: Patient) -> AsyncIterator[Patient]:
    """The chain while leases are booked whose intervals stay disputable as long as the ring can hold."""
    network = patient.client().network
    before = (await network.get()).params

    async def change(dispute: int, defend: int) -> None:
        await network.propose_params(dispute_window_secs=dispute, defend_window_secs=defend)
        patient.pass_time(before.timelock_secs)
        await network.apply_pending()

    await change(18, 21)
    yield patient
    await change(before.dispute_window_secs, before.defend_window_secs)


def evidence(here: Running, interval: int, results: int = 0) -> tuple[bytes, Evidence]:
    """Root of an interval that was challenged and had this many results, and what opens it."""
    lease = here.lease
    signature = challenges.sign_challenge(here.session, lease, interval)
    leaves = [challenges.leaf_zero(lease, interval, signature)]
    hashes = [merkle.result_hash(b"r%d" % number) for number in range(results)]
    leaves += [merkle.leaf(bytes(lease), interval, 1 + i, bytes(32), hashed) for i, hashed in enumerate(hashes)]
    return merkle.root(leaves), Evidence(signature, tuple(merkle.path(leaves, 0)))


async def prove(patient: Patient, here: Running, interval: int, *, results: int = 0, raised: bool = True) -> Evidence:
    """Let an interval pass and prove it, first its first second and then all of it."""
    root, opens = evidence(here, interval, results)
    before = 0
    for served in (1, 3) if raised else (3,):
        patient.pass_time(served - before)
        before = served
        await here.supplier.client.lease.append_proof(
            here.lease,
            here.machine.device,
            node=here.machine.node,
            interval=interval,
            served_secs=served,
            root=root,
            gpu_ms=served,
        )
    return opens


async def device_of(patient: Patient, here: Running) -> Client:
    """A client that signs and pays with the machine's own key."""
    client = patient.client(here.machine.device.keypair)
    await client.rpc.airdrop(client.address, SOL)
    return client


async def defend(client: Client, lease: Pubkey, interval: int, opens: Evidence) -> list[DisputeDefended]:
    """All steps of one interval's defence."""
    steps: list[DisputeDefended] = []
    while not steps or not steps[-1].defended:
        steps.append((await client.lease.defend(lease, interval, opens)).event(DisputeDefended))
    return steps


async def test_disputed_intervals_are_defended_and_the_bond_is_paid(wide: Patient) -> None:
    here, patient = await running(wide), wide
    opens = [await prove(patient, here, interval, results=interval * 3) for interval in range(4)]
    renter, session = here.renter.client, KeypairSigner(here.session)
    with pytest.raises(NotRenterOrSession):
        await here.supplier.client.lease.dispute(here.lease, 0, 1)
    with pytest.raises(RangeNotDisputable):
        await renter.lease.dispute(here.lease, 0, 4)
    disputed = (await renter.lease.dispute(here.lease, 0, 3, session)).event(LeaseDisputed)
    assert (disputed.served_secs, disputed.by) == (9, here.session.pubkey())
    with pytest.raises(DisputeOpen):
        await renter.lease.approve(here.lease, 1)

    proofs = await renter.lease.proofs(here.lease)
    assert [(proof.interval, proof.served_secs) for proof in proofs] == [(i, s) for i in range(4) for s in (1, 3)]
    device = await device_of(patient, here)
    first = await defend(device, here.lease, 2, opens[2])
    assert [(step.interval, step.defended, step.dispute_to) for step in first] == [(2, True, 2)]
    # The one between is given up.
    second = await defend(device, here.lease, 0, opens[0])
    assert second[-1].bond_part > 0
    with pytest.raises(InvalidInput, match="not in dispute, or was passed over"):
        await device.lease.defend(here.lease, 1, opens[1])
    patient.pass_time(21)
    settled = (await renter.lease.settle(here.lease)).event(LeaseSettled)
    assert settled.bond_paid == first[-1].bond_part + second[-1].bond_part > 0
    found = await renter.lease.get(here.lease)
    assert (found.undefended_secs, found.held_secs, found.dispute_to) == (3, 0, 0)


async def test_long_chain_and_long_path_take_several_steps(wide: Patient) -> None:
    """The first of seven intervals, each proven twice, with as many results as an agent takes into one proof."""
    here = await running(wide)
    opens = await prove(wide, here, 0, results=99_999)
    assert len(opens.path) == 17
    for interval in range(1, 7):
        await prove(wide, here, interval)
    await here.renter.client.lease.dispute(here.lease, 0, 6)
    device = await device_of(wide, here)
    steps = await defend(device, here.lease, 0, opens)
    assert [step.defended for step in steps] == [False, True]
    # All the others were passed over, so nothing is left to decide but their refund.
    found = await device.lease.get(here.lease)
    assert (found.dispute_from, found.dispute_to, found.held_secs) == (0, 0, 0)
    [resolved] = [event for event in await device.events(here.lease) if isinstance(event, DisputeResolved)]
    assert resolved.undefended_secs == 15


async def test_approved_intervals_are_paid_at_once(patient: Patient) -> None:
    here = await running(patient)
    for interval in range(3):
        await prove(patient, here, interval)
    approved = (await here.renter.client.lease.approve(here.lease, authority=KeypairSigner(here.session))).event(
        LeaseApproved
    )
    assert approved.through_interval == 2
    settled = (await here.supplier.client.lease.settle(here.lease)).event(LeaseSettled)
    assert settled.payable_secs == 6


async def test_supplier_leaves_a_renter_who_does_not_challenge(patient: Patient) -> None:
    here = await running(patient)
    with pytest.raises(NotServing):
        await here.supplier.client.lease.leave(here.lease)
    for interval in range(2):
        await prove(patient, here, interval)
    ended = (await here.supplier.client.lease.leave(here.lease)).event(LeaseEnded)
    assert (ended.reason, ended.by) == (7, here.supplier.client.address)
    assert ended.burned_secs == (await here.renter.client.lease.get(here.lease)).burned_secs == 6


async def test_steps_of_any_defence_lead_to_its_intervals() -> None:
    """Whatever was proven, disputed and can be opened: each step starts where the last ended and fits a transaction."""
    dice, key = random.Random(7), Keypair().pubkey()
    for _ in range(25):
        proofs, head, heads = [], START, [START]
        for interval in range(dice.randint(1, 40)):
            for served in range(1, dice.randint(2, 4)):
                proofs.append(ProofEntry(interval, served, dice.randint(0, 9), dice.randbytes(32)))
                head = next_head(head, proofs[-1])
                heads.append(head)
        last = proofs[-1].interval
        first = dice.randint(0, last)
        opens = {
            interval: Evidence(bytes(64), tuple([bytes(32)] * dice.randint(0, 17)))
            for interval in range(last + 1)
            if dice.random() < 0.6
        }
        dispute, defended = Dispute(key, key, key, first, last + 1, head), []
        wanted = [interval for interval in sorted(opens, reverse=True) if interval >= first]
        assert [walked[0].interval for walked in openings(dispute, proofs, opens)] == wanted
        fit = partial(fits, dispute, defender=key, program=PROGRAM)
        while (step := next_step(dispute, proofs, opens, fit)) is not None:
            at = step.prev_head
            for entry in step.entries:
                at = next_head(at, entry)
            assert at == dispute.head
            if step.evidence is not None:
                opened = step.entries[0]
                defended.append(opened.interval)
                assert all(entry.interval > opened.interval for entry in step.entries[1:])
            end = defended[-1] if defended else dispute.end
            dispute = Dispute(key, key, key, first, end, step.prev_head)
        assert defended == wanted
    with pytest.raises(WrongChain):
        openings(Dispute(key, key, key, 0, 1, bytes([1] * 32)), proofs, {0})
