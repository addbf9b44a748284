"""The market's rules of time and trust: leases that end before or soon after their start, income that is shared,
payouts that are locked, device models that change, and a new authority.
"""

from __future__ import annotations

from dataclasses import dataclass

from indexer.story import INTERVAL
from ionet.wallet import KeypairSigner
from market import IO, Machine, Market
from solders.pubkey import Pubkey

MODEL = 2
SHARE = 2_000  # basis points of income
CO_STAKE = 100 * IO


@dataclass
class EndingStory:
    """What happened, for tests to look up."""

    rejected: Pubkey  # lease whose readiness the renter refused
    unanswered: Pubkey  # lease whose readiness nobody answered
    early: Pubkey  # lease that the renter ended in the first hour
    shared: Pubkey  # lease whose income was shared, settled twice
    running: Pubkey  # lease that still runs
    sharing: Machine  # node of `shared`
    retired: Machine  # node whose vault was opened and closed
    locked: Machine  # node whose payout is locked
    released: Machine  # node whose payout was locked and released


async def tell_of_endings(market: Market) -> EndingStory:
    """Play the history."""
    await _model(market)
    await _older_price(market)
    machines = {name: await market.add_machine(name) for name in ("rejected", "unanswered", "early", "sharing")}
    cluster = await market.open_cluster()
    leases = {
        "rejected": await _rejected(market, cluster, machines["rejected"]),
        "unanswered": await _unanswered(market, cluster, machines["unanswered"]),
        "early": await _ended_early(market, cluster, machines["early"]),
        "shared": await _shared(market, cluster, machines["sharing"]),
        "running": (await market.book(cluster, machines["rejected"]))[0],
    }
    await market.start(leases["running"], machines["rejected"])
    await market.admin.stake.request_unbond(machines["rejected"].address, IO)
    await _locks(market, machines["early"], machines["unanswered"])
    retired = await _retired(market)
    await _hand_over(market)
    return EndingStory(
        **leases,
        sharing=machines["sharing"],
        retired=retired,
        locked=machines["early"],
        released=machines["unanswered"],
    )


async def _model(market: Market) -> None:
    """Terms of a device model change after the wait; others are proposed and dropped with the authority."""
    await market.admin.network.propose_model(MODEL, multiplier=777, reference_price=1_500_000)
    params = (await market.admin.network.get()).params
    market.pass_time(params.unbond_cooldown_secs + params.co_notice_secs)
    await market.stranger.network.apply_model(MODEL)
    await market.admin.network.propose_model(MODEL, throughput=5)


async def _older_price(market: Market) -> None:
    """A lower price that is a little older than the one seen: it counts for its user, and the newer one is kept."""
    feed, now = (await market.admin.network.get()).feed_id, market.net.chain.unix_time
    await market.admin.oracle.post(feed, 210_000_000, publish_time=now)
    await market.stranger.iosd.refresh()
    await market.admin.oracle.post(feed, 190_000_000, publish_time=now - 5)
    await market.renter.iosd.mint(IO)


async def _rejected(market: Market, cluster: Pubkey, machine: Machine) -> Pubkey:
    (lease,) = await market.book(cluster, machine, duration=120)
    await market.admin.lease.mark_ready(lease, KeypairSigner(machine.device))
    market.pass_time(20)
    await market.renter.lease.reject_ready(lease)
    await market.stranger.lease.close(lease)
    return lease


async def _unanswered(market: Market, cluster: Pubkey, machine: Machine) -> Pubkey:
    (lease,) = await market.book(cluster, machine, duration=3_600)
    await market.admin.lease.mark_ready(lease, KeypairSigner(machine.device))
    market.pass_time((await market.admin.network.get()).params.accept_deadline_secs + 100)
    await market.stranger.lease.cancel(lease)
    await market.stranger.lease.settle(lease)
    await market.stranger.lease.close(lease)
    return lease


async def _ended_early(market: Market, cluster: Pubkey, machine: Machine) -> Pubkey:
    """Ended after one of the two intervals of which nothing is refunded; all that it ran is proven."""
    (lease,) = await market.book(cluster, machine)
    await market.start(lease, machine)
    market.pass_time(INTERVAL)
    await market.renter.lease.end(lease)
    ended = await market.admin.lease.get(lease)
    for interval, start in enumerate(range(ended.started_at, ended.ends_at, INTERVAL)):
        await market.prove(lease, machine, interval, min(INTERVAL, ended.ends_at - start), [b"first"])
    await _finish(market, lease)
    return lease


async def _finish(market: Market, lease: Pubkey) -> None:
    market.pass_time(20)
    await market.stranger.lease.settle(lease)
    await market.stranger.lease.close(lease)


async def _shared(market: Market, cluster: Pubkey, machine: Machine) -> Pubkey:
    """A stranger stakes for a part of the income, claims it, and stakes again."""
    node, stakes = machine.address, market.stranger.stake
    await market.give_io(market.stranger.address, 1_000 * IO)
    await stakes.open_income_vault(node, "IOSD")
    await market.admin.stake.set_terms(node, 0, SHARE)
    await stakes.add(node, CO_STAKE)
    (lease,) = await market.book(cluster, machine, duration=4 * INTERVAL)
    await market.start(lease, machine)
    for interval in range(4):
        market.pass_time(INTERVAL)
        await market.prove(lease, machine, interval, INTERVAL, [b"result", bytes([interval])])
    await market.renter.lease.approve(lease, 2)
    await market.stranger.lease.settle(lease)
    await stakes.claim_income(node, "IOSD")
    await _finish(market, lease)
    await stakes.add(node, IO)
    await market.admin.stake.set_terms(node, 0, SHARE // 2)
    return lease


async def _locks(market: Market, locked: Machine, released: Machine) -> None:
    beneficiary, now = market.stranger.address, market.net.chain.unix_time
    for machine in (locked, released):
        await market.admin.node.lock_payout(machine.address, beneficiary, now + 1_000)
    await market.admin.node.lock_payout(locked.address, beneficiary, now + 2_000)
    await market.stranger.node.release_payout(released.address)


async def _retired(market: Market) -> Machine:
    """A vault of a node that earned nothing is closed when the node retires."""
    machine = await market.add_machine("retired")
    await market.stranger.stake.open_income_vault(machine.address, "USDC")
    await market.admin.node.retire(machine.address)
    await market.stranger.stake.close_income_vault(machine.address, "USDC")
    return machine


async def _hand_over(market: Market) -> None:
    """The new authority starts with nothing pending: no parameters, no terms of a device model."""
    network = market.admin.network
    params = (await network.get()).params
    await network.propose_params(reject_floor_secs=30)
    await network.propose_role("authority", bytes(market.stranger.address))
    market.pass_time(params.unbond_cooldown_secs + params.co_notice_secs)
    await market.stranger.network.apply_pending()
