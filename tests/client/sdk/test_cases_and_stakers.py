"""Cases, co-staking, rewards, and payments to wallets that cannot receive, through the SDK."""

from __future__ import annotations

import pytest
from client.sdk.parties import IO, STAKE, hireable_node, party
from client.sdk.patient import Patient, give_away, running
from ionet import addresses
from ionet.errors import InstructionFailed, InvalidInput
from ionet.generated import pdas
from ionet.generated.accounts import Case, StakePosition
from ionet.generated.errors import (
    AlreadyAppealed,
    CaseNotDecidable,
    NodeFrozen,
    NotArbiter,
    NothingToClaim,
    NotOpenToCoStake,
    VaultInUse,
)
from ionet.generated.events import (
    CaseAppealed,
    CaseDecided,
    CaseOpened,
    CoStakeTermsChanged,
    LeaseSettled,
    NodeSlashed,
    OwedClaimed,
    RewardsAdded,
    RewardsClaimed,
    Staked,
    StakeRefilled,
    StakeVaultClosed,
    StakeWithdrawn,
    UnbondRequested,
)
from solders.keypair import Keypair

pytestmark = pytest.mark.asyncio(loop_scope="session")
HASH = bytes([9] * 32)


async def test_case_from_accusation_to_decision(patient: Patient) -> None:
    supplier, stranger = await party(patient, 2_000 * IO), await party(patient, 10 * IO)
    arbiter, node = patient.client(), (await hireable_node(supplier)).node
    client = supplier.client
    with pytest.raises(InvalidInput, match="known are false-hardware"):
        arbiter.case.open(node, "envy", HASH)
    with pytest.raises(NotArbiter):
        await stranger.client.case.open(node, "false-proofs", HASH)
    opened = (await arbiter.case.open(node, "false-proofs", HASH)).event(CaseOpened)
    assert [key for key, _ in await client.case.all(node=node)] == [opened.case]
    assert (await client.node.get(node)).flags == opened.flags_after == 8

    # While it is frozen the stake stays; what the owner adds is kept aside.
    await client.stake.request_unbond(node, IO)
    with pytest.raises(NodeFrozen):
        await client.stake.withdraw(node)
    assert (await client.stake.add(node, 5 * IO)).event(StakeRefilled).refill_after == 5 * IO
    with pytest.raises(CaseNotDecidable):
        await arbiter.case.decide(opened.case, bps=500, blocked=True)
    assert (await client.case.appeal(opened.case, HASH)).event(CaseAppealed).appeal_hash == HASH
    with pytest.raises(AlreadyAppealed):
        await client.case.appeal(opened.case, HASH)
    receipt = await arbiter.case.decide(opened.case, bps=500, blocked=True)
    assert receipt.event(CaseDecided).flags_after == 4
    slashed = receipt.event(NodeSlashed)
    assert (slashed.reason, slashed.amount, slashed.burned) == (4, STAKE // 20, STAKE // 20)
    assert await client.find(Case, opened.case) is None
    assert (await client.stake.add(node, 0)).event(Staked).amount == 5 * IO


async def test_case_that_nobody_decides_is_dismissed(patient: Patient) -> None:
    supplier, stranger = await party(patient, 2_000 * IO), await party(patient, 10 * IO)
    node = (await hireable_node(supplier)).node
    opened = (await patient.client().case.open(node, "other", HASH)).event(CaseOpened)
    with pytest.raises(NotArbiter):
        await stranger.client.case.dismiss(opened.case)
    patient.pass_time(opened.decide_by - patient.now)
    decided = (await stranger.client.case.dismiss(opened.case)).event(CaseDecided)
    assert (decided.bps, decided.flags_after) == (0, 0)


async def test_co_staker_from_terms_to_the_empty_vault(patient: Patient) -> None:
    supplier, other, anyone = [await party(patient, 2_000 * IO) for _ in range(3)]
    node = (await hireable_node(supplier)).node
    owner, guest = supplier.client, other.client
    with pytest.raises(NotOpenToCoStake):
        await guest.stake.add(node, STAKE // 4)
    assert (await owner.stake.set_terms(node, 8_000)).event(CoStakeTermsChanged).share == 8_000
    await guest.stake.add(node, STAKE // 4)

    added = (await anyone.client.stake.fund_rewards(node, 100 * IO)).event(RewardsAdded)
    # A fifth of the stake is the guest's, and they get 80 % of its part.
    assert added.amount == 100 * IO
    claimed = (await anyone.client.stake.claim_rewards(node, guest.address)).event(RewardsClaimed)
    assert claimed.staker == guest.address
    assert abs(claimed.amount - 16 * IO) <= 1
    own = (await owner.stake.claim_rewards(node)).event(RewardsClaimed)
    assert own.amount == 84 * IO
    with pytest.raises(NothingToClaim):
        await owner.stake.claim_rewards(node)

    await owner.node.retire(node)
    pushed = (await anyone.client.stake.push_unbond(node, guest.address)).event(UnbondRequested)
    with pytest.raises(VaultInUse):
        await anyone.client.stake.close_vault(node)
    patient.pass_time(pushed.matures_at - patient.now)
    for staker in (owner.address, guest.address):
        assert (await anyone.client.stake.withdraw(node, staker)).event(StakeWithdrawn).position_closed
    assert await owner.find(StakePosition, owner.stake.address(node)) is None
    (await anyone.client.stake.close_vault(node)).event(StakeVaultClosed)
    assert await owner.rpc.account(pdas.stake_vault(owner.program.id, node)) is None


async def test_who_cannot_receive_is_owed_and_claims(patient: Patient) -> None:
    supplier, anyone = await party(patient, 2_000 * IO), await party(patient, 10 * IO)
    client, io = supplier.client, pdas.io_mint(supplier.client.program.id)
    node = (await hireable_node(supplier)).node
    asked = (await client.stake.request_unbond(node, 100 * IO)).event(UnbondRequested)
    await give_away(supplier, io, Keypair().pubkey())
    patient.pass_time(asked.matures_at - patient.now)
    withdrawn = (await anyone.client.stake.withdraw(node, client.address)).event(StakeWithdrawn)
    assert (withdrawn.amount, withdrawn.owed) == (100 * IO, True)
    assert await client.owed.amount(io) == 100 * IO

    # The owed account is there already; what comes next is added to it.
    await anyone.client.stake.fund_rewards(node, IO)
    assert (await anyone.client.stake.claim_rewards(node, client.address)).event(RewardsClaimed).owed
    to = addresses.token_account(anyone.client.address, io)
    before = await anyone.client.tokens.balance(io)
    with pytest.raises(InstructionFailed, match="given away"):  # by itself it pays nobody who has the account now
        await client.owed.claim(io)
    claimed = (await client.owed.claim(io, to)).event(OwedClaimed)
    assert (claimed.owner, claimed.amount) == (client.address, 101 * IO)
    assert await anyone.client.tokens.balance(io) == before + 101 * IO
    assert await client.owed.amount(io) == 0
    # Who pushes their own payment pays for their own account.
    await client.owed.open(io)
    assert await client.rpc.account(client.owed.address(io)) is not None


async def test_lease_is_settled_though_its_payee_cannot_receive(patient: Patient) -> None:
    here = await running(patient, duration=6)
    supplier, iosd = here.supplier, pdas.iosd_mint(here.supplier.client.program.id)
    # Their account exists, and is not theirs any more.
    await here.renter.client.tokens.transfer(iosd, supplier.client.address, 1)
    await give_away(supplier, iosd, Keypair().pubkey())
    for interval in range(2):
        patient.pass_time(3)
        await supplier.client.lease.append_proof(
            here.lease,
            here.machine.device,
            node=here.machine.node,
            interval=interval,
            served_secs=3,
            root=HASH,
            gpu_ms=1,
        )
    patient.pass_time(9)
    settled = (await here.renter.client.lease.settle(here.lease)).event(LeaseSettled)
    assert settled.owed
    assert await supplier.client.owed.amount(iosd) == settled.supplier_amount > 0
