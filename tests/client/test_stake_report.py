"""Which node to stake to: income that the supplier paid to themselves, or that one friend paid, does not climb."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from ionet.client import Client
from ionet.generated.events import ClusterOpened, LeaseBooked
from ionet.node_report import KEPT_DAYS, Fees
from ionet.rules.reputation import ONE, UNIT
from ionet.stake_report import Ranked, counted_part, ranked, yield_bps
from ionet.wallet import KeypairSigner
from market import IO, USD, Machine, Market
from offering import Offering, founded, place_for_postgres
from waiting import until

DOLLAR = 10**6
DAY = 20_000
PRICE = 30_000 * USD
SECS, INTERVAL = 6, 3
# Of two leases of two processors, less the supplier's fee of 0.25 %.
NET = 2 * 2 * PRICE * SECS // 3600 * 9_975 // 10_000


def test_a_yield_is_the_share_of_a_months_income_over_the_stake() -> None:
    """100 dollars a month, half of it for 1,000 IO at 2 dollars: 50 · 365/30 of 2,000, rounded down."""
    income = {"IOSD": 60 * DOLLAR, "USDC": 20 * DOLLAR, "IO": 10 * IO}
    assert yield_bps(income, ONE, 5_000, 1_000 * IO, 2 * DOLLAR) == 3_041
    assert yield_bps(income, ONE // 2, 5_000, 1_000 * IO, 2 * DOLLAR) == 1_520
    assert yield_bps({}, ONE, 5_000, 1_000 * IO, 2 * DOLLAR) == 0
    assert yield_bps(income, 0, 5_000, 1_000 * IO, 2 * DOLLAR) == 0
    assert yield_bps(income, ONE, 5_000, 0, 2 * DOLLAR) is None
    assert yield_bps(income, ONE, 5_000, 1_000 * IO, 0) is None


def test_one_renters_income_counts_by_the_root_of_the_fees() -> None:
    def part(*paid: tuple[str, int], day: int = DAY) -> int:
        return counted_part([Fees(renter, day, fees) for renter, fees in paid], {"owner"}, DAY)

    assert part() == 0
    assert part(("a", UNIT)) == ONE
    assert part(("a", 100 * UNIT)) == ONE // 10
    assert part(("a", 50 * UNIT), ("a", 50 * UNIT)) == ONE // 10  # on one day or another
    assert part(*((f"renter {number}", UNIT) for number in range(100))) == ONE
    assert part(("owner", UNIT)) == 0
    assert part(("owner", UNIT), ("a", UNIT)) == ONE // 2
    assert part(("a", UNIT), day=DAY - KEPT_DAYS + 1) == ONE
    assert part(("a", UNIT), day=DAY - KEPT_DAYS) == part(("a", UNIT), day=DAY + 1) == 0


def test_more_from_oneself_adds_less_than_it_burns() -> None:
    """Four times the fees of one renter count twice; four renters' count four times."""
    fees = 100 * UNIT
    once, four = (counted_part([Fees("friend", DAY, count * fees)], {}, DAY) * count for count in (1, 4))
    assert four == 2 * once
    assert counted_part([Fees(str(number), DAY, fees) for number in range(4)], {}, DAY) * 4 == 4 * once


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Offering]:
    with place_for_postgres() as folder:
        async with founded(folder) as built:
            yield built


async def rent(built: Market, renter: Client, machine: Machine) -> None:
    """A lease that is served and paid to its end."""
    cluster = (await renter.cluster.open(150 * USD)).event(ClusterOpened).cluster
    booked = await renter.cluster.add_lease(cluster, machine.address, duration=SECS)
    lease = booked.event(LeaseBooked).lease
    await built.admin.lease.mark_ready(lease, KeypairSigner(machine.device), bytes(32))
    await renter.lease.accept_ready(lease)
    for interval in range(SECS // INTERVAL):
        built.pass_time(INTERVAL)
        await built.prove(lease, machine, interval, INTERVAL, [b"result"])
    built.pass_time(60)
    await built.admin.lease.settle(lease)


def settled(rows: dict[str, Ranked]) -> bool:
    """Whether the indexer has seen the last of the six leases."""
    return len(rows) == 3 and {sum((row.income or {}).values()) for row in rows.values()} == {NET}


async def test_renting_from_oneself_or_one_friend_does_not_climb(place: Offering) -> None:
    """Three nodes earned the same: one from two renters, one from one, one from its owner."""
    built = place.market
    for client in (built.admin, built.stranger):
        await built.give_io(client.address, 10_000 * IO)
        await built.mint_iosd(client, 1_000 * IO)
    own, friend, many = [await built.add_machine(name, price=PRICE) for name in ("own", "friend", "many")]
    for machine in (own, friend, many):
        await built.admin.stake.set_terms(machine.address, 5_000, 5_000)
    machines, renters = (own, friend, many), (built.admin, built.renter, built.stranger)
    for machine, pair in zip(machines, ((0, 0), (1, 1), (1, 2)), strict=True):
        for renter in (renters[number] for number in pair):
            await rent(built, renter, machine)

    async def seen() -> dict[str, Ranked]:
        rows, why = await ranked(built.renter, place.api)
        return {} if why else {str(row.address): row for row in rows}

    async def paid() -> bool:
        return settled(await seen())

    await until(paid, "the indexer has seen all payments")
    rows = await seen()
    assert list(rows) == [str(one.address) for one in (many, friend, own)]
    of_many, of_friend, of_own = rows.values()
    assert of_many.income == of_friend.income == of_own.income
    assert (of_own.counted, of_own.yield_bps) == (0, 0)
    # Fees of half a dollar on each lease count for 0.22 dollars, of the two of one renter for 0.32 together.
    assert of_many.counted is not None
    assert of_friend.counted is not None
    assert 0 < of_friend.counted < of_many.counted < ONE
    assert 0 < (of_friend.yield_bps or 0) < (of_many.yield_bps or 0)
