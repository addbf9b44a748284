"""Whole lives in which nobody calls a crank: keepers do, and in the end nothing is left and the books are exact."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from ionet.api.network import LOCAL_FEED_ID
from ionet.tending.hands import Deed
from ionet_keeper.keeper import Keeper
from keeper.stage import WALLETS, count, keeper, keepers, left, live, settled
from keeper.town import Town, town
from market import USD, key, market

# What each of these takes once, whoever does it. Nodes: eight, of which one has two stakers.
EXPECTED = {
    "cancel_lease": 2,
    "report_missed": 1,
    "end_lease": 1,
    "close_lease": 8,
    "close_cluster": 2,
    "push_unbond": 1,
    "claim_rewards": 2,
    "claim_income": 1,
    "withdraw": 9,
    "close_income_vault": 1,
    "close_stake_vault": 8,
    "decide_case": 1,
    "apply_pending": 1,
    "apply_model": 1,
}


async def test_a_booking_that_nobody_answers_is_cancelled_and_everything_closed() -> None:
    async with market() as built, keeper(built) as one:
        machine = await built.add_machine("a")
        await built.book(await built.open_cluster(), machine)

        async def closed() -> bool:
            found = await left(built)
            return not found["Lease"] and not found["Cluster"]

        deeds = await live(built, [one], closed, step=20)
        assert count(deeds)["cancel_lease"] == count(deeds)["close_lease"] == count(deeds)["close_cluster"] == 1
        assert not count(deeds, "wasted")
        # Nobody posts a price here.
        assert set(count(deeds, "refused")) <= {"refresh_price"}


async def play(made: Town, some: Sequence[Keeper]) -> list[Deed]:
    """From the bookings until everything is gone."""
    deeds = await settled(some)
    for _ in range(30):
        await made.pass_time(3)
        deeds += await settled(some)
    await made.leave()
    return deeds + await live(made.market, some, partial(nothing_left, made), step=15)


async def nothing_left(made: Town) -> bool:
    return not await made.rest()


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.matrix
async def test_every_ending_comes_to_its_end_without_a_hand(number: int) -> None:
    """Keepers that all look at the same moment, none of which lets another go first: the worst there is."""
    async with town() as made, keepers(made.market, number) as some:
        deeds = await play(made, some)
        done, wasted = count(deeds), count(deeds, "wasted")
        assert {name: done[name] for name in EXPECTED} == EXPECTED
        assert done["settle_lease"] >= 4
        assert done["burn"] >= 2
        assert not count(deeds, "refused")
        # What somebody else did is refused before it is sent, but for a settlement, which may come twice.
        assert set(wasted) <= {"settle_lease"}
        assert wasted["settle_lease"] <= (number - 1) * done["settle_lease"]
        assert sum(one.metrics.earned._value.get() for one in some) > 0
        await made.check_books(*(key(name).pubkey() for name in WALLETS))


async def test_a_fresh_price_is_shown_once() -> None:
    async with market(clock_factor=0.0001) as built, keeper(built) as one:
        assert not count(await settled([one]))
        params = (await built.admin.network.get()).params
        built.pass_time(params.last_rate_after_secs // 2 + 1)
        await built.admin.oracle.post(LOCAL_FEED_ID, 3 * 10**8, publish_time=built.net.chain.unix_time)
        deeds = await settled([one])
        assert count(deeds) == {"refresh_price": 1}
        assert (await built.admin.iosd.books()).last_price == 3 * USD
        assert not await settled([one])
