"""Every instruction that is not part of a lease's usual life, once, through the SDK."""

from __future__ import annotations

import asyncio

import pytest
from client.sdk.conftest import Chain
from client.sdk.parties import (
    IO,
    IOSD,
    PRICE,
    PROCESSORS,
    STAKE,
    Party,
    book,
    hireable_node,
    open_cluster,
    party,
    running_lease,
    terms,
    wait_until,
)
from ionet.generated import pdas
from ionet.generated.accounts import StakePosition
from ionet.generated.enums import EndReason, NodeFlag
from ionet.generated.errors import (
    NodePaused,
    NothingMissed,
    NotNodeOwner,
    NotSupplier,
    Paused,
    PayoutNotLocked,
    TermsChanged,
    TooEarly,
)
from ionet.generated.errors import PayoutLocked as PayoutLockedError
from ionet.generated.events import (
    BudgetWithdrawn,
    ClusterClosed,
    DeviceKeyRotated,
    LeaseCancelled,
    LeaseClosed,
    LeaseEnded,
    LeaseExtended,
    NodeFlagsChanged,
    NodeSlashed,
    NodeUpdated,
    PauseChanged,
    PayoutLocked,
    SessionKeyChanged,
    StakeWithdrawn,
    TokensBurned,
    UnbondRequested,
)
from ionet.plan import Receipt
from ionet.wallet import KeypairSigner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_supplier_changes_terms_key_and_flags(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, IOSD)
    client, node = supplier.client, machine.node

    booking = await renter.client.cluster.add_lease(cluster, node, duration=3).instructions()
    updated = (await client.node.update(node, terms(client.address, PRICE + 1))).event(NodeUpdated)
    assert (updated.price_before, updated.price, updated.terms_seq) == (PRICE, PRICE + 1, 2)
    with pytest.raises(TermsChanged):
        await renter.client.send(booking)
    with pytest.raises(NotNodeOwner):
        await renter.client.node.pause(node)

    flags = (await client.node.pause(node)).event(NodeFlagsChanged)
    assert (flags.before, flags.after) == (0, NodeFlag.PAUSED)
    with pytest.raises(NodePaused):
        await renter.client.cluster.add_lease(cluster, node, duration=3)
    assert (await client.node.pause(node, paused=False)).event(NodeFlagsChanged).after == 0

    fresh = KeypairSigner(Keypair())
    rotated = (await client.node.rotate_device_key(node, fresh)).event(DeviceKeyRotated)
    assert (rotated.before, rotated.after) == (machine.device.pubkey, fresh.pubkey)
    assert [key for key, _ in await client.node.all(owner=client.address)] == [node]


async def test_unbond_withdraw_and_retire(network: Chain) -> None:
    supplier = await party(network, 1_000 * IO)
    machine = await hireable_node(supplier)
    client, node = supplier.client, machine.node
    asked = (await client.stake.request_unbond(node, 300 * IO)).event(UnbondRequested)
    assert (asked.amount, asked.bonded_after, asked.unbonding_after) == (300 * IO, STAKE - 300 * IO, 300 * IO)
    assert (await client.stake.get(node)).tickets[0].matures_at == asked.matures_at
    retired = await client.node.retire(node)
    assert retired.event(NodeFlagsChanged).after == 2
    assert retired.event(UnbondRequested).bonded_after == 0
    await wait_until(client, retired.event(UnbondRequested).matures_at)
    # Anyone may push it; here the network's authority does.
    paid = (await network.client().stake.withdraw(node, client.address)).event(StakeWithdrawn)
    assert (paid.amount, paid.position_closed) == (STAKE, True)
    assert await client.tokens.balance(pdas.io_mint(client.program.id)) == 1_000 * IO
    assert await client.find(StakePosition, client.stake.address(node)) is None


async def test_extend_and_end(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, 2 * IOSD)
    client, session = renter.client, Keypair().pubkey()
    changed = (await client.cluster.set_session_key(cluster, session, 2**40)).event(SessionKeyChanged)
    assert changed.after == session
    taken = (await client.cluster.withdraw_budget(cluster, IOSD)).event(BudgetWithdrawn)
    assert (taken.amount, taken.refunded_after) == (IOSD, IOSD)

    started = await running_lease(supplier, renter, cluster, machine, 60)
    extended = (await client.lease.extend(started.lease, 30)).event(LeaseExtended)
    assert (extended.duration_before, extended.duration, extended.ends_at) == (60, 90, started.ends_at + 30)
    await wait_until(client, started.at + 3)
    await supplier.client.lease.append_proof(
        started.lease, machine.device, node=machine.node, interval=0, served_secs=3, root=bytes([1] * 32), gpu_ms=1
    )
    ended = (await client.lease.end(started.lease)).event(LeaseEnded)
    assert (ended.reason, ended.ends_at_before) == (2, extended.ends_at)
    with pytest.raises(TooEarly):
        await client.lease.close(started.lease)
    await wait_until(client, ended.ends_at + 9 + 3)
    receipt = await client.batch(
        client.lease.settle(started.lease), client.lease.close(started.lease), client.cluster.close(cluster)
    )
    closed = receipt.event(ClusterClosed)
    assert closed.deposit == closed.paid + closed.fees + closed.refunded == 2 * IOSD
    assert closed.fees > 0
    burned = (await client.network.burn(pdas.iosd_mint(client.program.id))).event(TokensBurned)
    assert burned.amount >= closed.fees_to_burn


async def test_a_supplier_quits_for_a_charge(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, IOSD)
    started = await running_lease(supplier, renter, cluster, machine, 30)
    receipt = await supplier.client.lease.quit(started.lease)
    assert receipt.event(LeaseEnded).reason == EndReason.QUIT
    slashed = receipt.event(NodeSlashed)
    assert (slashed.reason, slashed.amount, slashed.bonded_after) == (2, STAKE * 2 // 100, STAKE * 98 // 100)
    assert slashed.amount == slashed.to_renter + slashed.to_reporter + slashed.burned


async def test_a_stranger_reports_missed_time(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    stranger = await party(network, IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, IOSD)
    started = await running_lease(supplier, renter, cluster, machine, 60)
    with pytest.raises(NothingMissed):
        await stranger.client.lease.report_missed(started.lease)
    # Two intervals of 3 s are missing once the second one's grace is over.
    await wait_until(renter.client, started.at + 6 + 3)
    slashed = (await stranger.client.lease.report_missed(started.lease)).event(NodeSlashed)
    assert (slashed.reason, slashed.bps, slashed.amount) == (1, 200, STAKE * 2 // 100)
    assert slashed.amount == slashed.to_renter + slashed.to_reporter + slashed.burned
    assert slashed.to_reporter > 0
    io = pdas.io_mint(renter.client.program.id)
    assert await stranger.client.tokens.balance(io) == IO + slashed.to_reporter
    burned = (await stranger.client.network.burn(io)).event(TokensBurned)
    assert burned.amount >= slashed.burned


async def test_a_lease_not_ready_in_time_is_cancelled(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, IOSD)
    booked = await book(renter, cluster, machine, 30)
    with pytest.raises(TooEarly):
        await renter.client.lease.cancel(booked.lease)
    await wait_until(renter.client, booked.ready_by + 1)
    cancelled = (await cancel_when_due(renter, booked.lease)).event(LeaseCancelled)
    assert (cancelled.reason, cancelled.burned, cancelled.released) == (5, 0, booked.locked)
    assert (await renter.client.lease.close(booked.lease)).event(LeaseClosed).paid == 0
    assert (await renter.client.node.get(machine.node)).flags == NodeFlag.ABSENT
    with pytest.raises(NotSupplier):
        await renter.client.node.come_back(machine.node)
    back = (await supplier.client.node.come_back(machine.node)).event(NodeFlagsChanged)
    assert (back.before, back.after) == (NodeFlag.ABSENT, 0)


async def test_a_ready_node_is_rejected_for_the_price_of_its_time(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, IOSD)
    booked = await book(renter, cluster, machine, 30)
    await supplier.client.lease.mark_ready(booked.lease, machine.device)
    rejected = (await renter.client.lease.reject_ready(booked.lease)).event(LeaseCancelled)
    assert (rejected.reason, rejected.by, rejected.unanswered_secs) == (8, renter.client.address, 0)
    assert rejected.burned >= PRICE * PROCESSORS * 3 // 3_600
    assert rejected.burned + rejected.released == booked.locked
    assert (await renter.client.lease.close(booked.lease)).event(LeaseClosed).burned == rejected.burned
    assert (await renter.client.node.get(machine.node)).flags == 0


async def test_a_payout_is_locked_until_its_receiver_lets_go(network: Chain) -> None:
    supplier, lender = await party(network, 1_000 * IO), await party(network, IO)
    machine = await hireable_node(supplier)
    until = await supplier.client.rpc.unix_time() + 86_400
    locked = (await supplier.client.node.lock_payout(machine.node, lender.client.address, until)).event(PayoutLocked)
    assert (locked.payout, locked.until) == (lender.client.address, until)
    with pytest.raises(PayoutLockedError):
        await supplier.client.node.update(machine.node, terms(supplier.client.address))
    with pytest.raises(PayoutNotLocked):
        await supplier.client.node.release_payout(machine.node)
    await lender.client.node.release_payout(machine.node)
    await supplier.client.node.update(machine.node, terms(supplier.client.address))


async def cancel_when_due(renter: Party, lease: Pubkey) -> Receipt:
    """Deadlines count slots too, and a validator on a busy machine makes them late."""
    async with asyncio.timeout(90):
        while True:
            try:
                return await renter.client.lease.cancel(lease)
            except TooEarly:
                await asyncio.sleep(1)


async def test_a_paused_entry_refuses_until_it_is_resumed(network: Chain) -> None:
    renter = await party(network, 100 * IO)
    feed = (await renter.client.network.get()).feed_id
    await renter.client.oracle.post(feed, 250_000_000)
    authority = network.client()
    try:
        changed = (await authority.network.set_pause(16)).event(PauseChanged)
        assert (changed.before, changed.after) == (0, 16)
        with pytest.raises(Paused):
            await renter.client.iosd.mint(IO)
    finally:
        assert (await authority.network.set_pause(0)).event(PauseChanged).before == 16
