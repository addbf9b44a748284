"""Whole lives in which nobody calls a crank: keepers do, and in the end nothing is left and the books are exact."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ionet_keeper.hands import Deed
from ionet_keeper.keeper import Keeper
from keeper.stage import count, keeper, keepers, left, live, settled
from keeper.town import Town, town
from market import key, market

WHAT_THERE_IS = {
    *("cancel_lease", "report_missed", "end_lease", "settle_lease", "close_lease", "close_cluster"),
    *("claim_rewards", "claim_income", "withdraw", "push_unbond", "close_income_vault", "close_stake_vault"),
    *("decide_case", "apply_params", "apply_model", "burn"),
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
    for _ in range(60):
        made.market.pass_time(15)
        deeds += await settled(some)
        if not await made.rest():
            return deeds
    raise AssertionError(await made.rest())


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_every_ending_comes_to_its_end_without_a_hand(number: int) -> None:
    async with town() as made, keepers(made.market, number) as some:
        deeds = await play(made, some)
        done = count(deeds)
        print(done, count(deeds, "raced"), count(deeds, "refused"), count(deeds, "wasted"), count(deeds, "failed"))
        await made.check_books(*(key(name).pubkey() for name in ("keeper one", "keeper two", "keeper three")))
