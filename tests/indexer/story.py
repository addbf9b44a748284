"""A short history of a market in which every event of the program happens."""

from __future__ import annotations

from dataclasses import dataclass

from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner
from market import IO, PRICE, USD, Machine, Market, key
from solders.pubkey import Pubkey

INTERVAL = 3  # seconds, of the local profile
RESULTS = [[b"first", b"second", b"third"], [b"fourth"], [b"first", b"fifth"]]


@dataclass
class Story:
    """What happened, for tests to look up."""

    cluster: Pubkey
    served: Pubkey  # head lease that proved every interval of RESULTS and was closed
    missed: Pubkey  # worker lease that proved nothing and was slashed
    machines: list[Machine]
    second_cluster: Pubkey
    booked: Pubkey  # a lease that is still only booked


async def tell(market: Market) -> Story:
    """Play the history."""
    machines = [await market.add_machine(name, price=PRICE + number) for number, name in enumerate("abc")]
    head, worker, idle = machines
    cluster = await market.open_cluster()
    served, missed = await market.book(cluster, head, worker, duration=2 * INTERVAL)
    await market.start(served, head)
    await market.start(missed, worker)
    await market.renter.lease.extend(served, INTERVAL)
    for interval, results in enumerate(RESULTS):
        market.pass_time(INTERVAL)
        await market.prove(served, head, interval, INTERVAL, results)
    market.pass_time(20)
    for lease in (served, missed):
        await market.admin.lease.settle(lease)
    await market.stranger.lease.report_missed(missed)
    for lease in (served, missed):
        await market.stranger.lease.close(lease)
    await _budget_and_close(market, cluster)
    await _nodes_change(market, idle)
    second, booked = await _broken_promise(market, head, worker)
    return Story(cluster, served, missed, machines, second, booked)


async def _budget_and_close(market: Market, cluster: Pubkey) -> None:
    await market.renter.cluster.set_session_key(cluster, key("session").pubkey(), market.net.chain.unix_time + 600)
    await market.renter.cluster.withdraw_budget(cluster, 10 * USD)
    await market.renter.cluster.close(cluster)
    for mint in (pdas.iosd_mint(PROGRAM.id), pdas.io_mint(PROGRAM.id)):
        await market.stranger.network.burn(mint)


async def _nodes_change(market: Market, node: Machine) -> None:
    await market.admin.node.update(node.address, market.terms(3 * PRICE))
    await market.admin.node.rotate_device_key(node.address, KeypairSigner(key("another device")))
    node.device = key("another device")
    await market.admin.stake.request_unbond(node.address, 50 * IO)
    await market.admin.stake.request_unbond(node.address, 70 * IO)
    market.pass_time(10)
    await market.admin.stake.withdraw(node.address)
    await market.admin.stake.request_unbond(node.address, 5 * IO)
    await market.admin.network.set_pause(1)
    await market.admin.network.set_pause(0)


async def _broken_promise(market: Market, head: Machine, worker: Machine) -> tuple[Pubkey, Pubkey]:
    """A lease that nobody makes ready is cancelled; another stays booked."""
    cluster = await market.open_cluster(20 * USD)
    (forgotten,) = await market.book(cluster, head)
    market.pass_time((await market.admin.network.get()).params.ready_deadline_secs)
    await market.stranger.lease.cancel(forgotten)
    await market.stranger.lease.close(forgotten)
    # A slash took stake below what a booking needs.
    await market.admin.stake.add(worker.address, 1_000 * IO)
    (booked,) = await market.book(cluster, worker)
    return cluster, booked
