"""Leases' income that an owner shares with stakers, and what vaults could not receive, through the SDK."""

from __future__ import annotations

import pytest
from client.sdk.parties import IO, IOSD, book, hireable_node, open_cluster, party
from client.sdk.patient import Patient
from ionet import addresses
from ionet.generated import pdas
from ionet.generated.errors import IncomeUnsettled, NothingToClaim
from ionet.generated.events import (
    CoStakeTermsChanged,
    IncomeClaimed,
    IncomeShared,
    IncomeVaultClosed,
    IncomeVaultOpened,
    LeaseEnded,
    LeaseSettled,
    OwedClaimed,
)
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import transfer
from spl.token.models import TransferParams

pytestmark = pytest.mark.asyncio(loop_scope="session")
HALF = 5_000


async def test_a_co_staker_is_paid_a_part_of_each_settlement(patient: Patient) -> None:
    """Half of the income is shared over all shares; the co-staker holds a quarter of them."""
    supplier, staker = await party(patient, 2_000 * IO), await party(patient, 1_000 * IO)
    renter, late = await party(patient, 100 * IO), await party(patient, 1_000 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, 4 * IOSD, patient.now)
    node, owner, mint = machine.node, supplier.client, pdas.iosd_mint(supplier.client.program.id)
    opened = (await late.client.stake.open_income_vault(node, "IOSD")).event(IncomeVaultOpened)
    assert (opened.mint, opened.vault) == (mint, pdas.income_vault(owner.program.id, node, mint))
    changed = (await owner.stake.set_terms(node, 0, HALF)).event(CoStakeTermsChanged)
    assert (changed.income_share, changed.pending_at) == (HALF, 0)
    bonded = (await owner.node.get(node)).bonded.amount
    await staker.client.stake.add(node, bonded // 3)

    lease = (await book(renter, cluster, machine, 30)).lease
    await owner.lease.mark_ready(lease, machine.device)
    await renter.client.lease.accept_ready(lease)
    patient.pass_time(3)
    await owner.lease.append_proof(
        lease, machine.device, node=node, interval=0, served_secs=3, root=bytes([1] * 32), gpu_ms=1
    )
    (await renter.client.lease.end(lease)).event(LeaseEnded)
    with pytest.raises(IncomeUnsettled):
        await late.client.stake.add(node, 10 * IO)
    patient.pass_time(3 + 6)
    receipt = await renter.client.lease.settle(lease)
    settled, shared = receipt.event(LeaseSettled), receipt.event(IncomeShared)
    assert shared.amount == settled.supplier_amount * HALF // 10_000
    assert shared.to_co_stakers == settled.to_stakers == shared.amount // 4
    payout = await owner.tokens.balance(mint)
    assert payout == settled.supplier_amount - settled.to_stakers

    claimed = (await late.client.stake.claim_income(node, "IOSD", staker.client.address)).event(IncomeClaimed)
    assert shared.to_co_stakers - 1 <= claimed.amount <= shared.to_co_stakers
    assert await staker.client.tokens.balance(mint) == claimed.amount
    with pytest.raises(NothingToClaim):
        await staker.client.stake.claim_income(node, "IOSD")
    await late.client.stake.add(node, 10 * IO)  # nothing is left to share in that others stood behind

    await renter.client.batch(renter.client.lease.close(lease), renter.client.cluster.close(cluster))
    await owner.node.retire(node)
    for who in (staker, late):
        await owner.stake.push_unbond(node, who.client.address)
    closed = (await late.client.stake.close_income_vault(node, "IOSD")).event(IncomeVaultClosed)
    assert closed.surplus == shared.to_co_stakers - claimed.amount


async def test_what_the_networks_vault_could_not_receive_is_collected(patient: Patient) -> None:
    anyone = (await party(patient, IO)).client
    mint, network = pdas.io_mint(anyone.program.id), pdas.network(anyone.program.id)
    await anyone.owed.open(mint, network)
    with pytest.raises(NothingToClaim):
        await anyone.owed.collect(mint)
    source, waiting = addresses.token_account(anyone.address, mint), anyone.owed.address(mint, network)
    sent = TransferParams(
        program_id=TOKEN_PROGRAM_ID, source=source, dest=waiting, owner=anyone.address, amount=3, signers=[]
    )
    await anyone.send([transfer(sent)])
    collected = (await anyone.owed.collect(mint)).event(OwedClaimed)
    assert (collected.owner, collected.amount) == (network, 3)
    assert await anyone.rpc.account(waiting) is None
