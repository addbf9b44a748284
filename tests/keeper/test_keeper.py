"""Whole lives in which nobody calls a crank: a keeper does, and in the end nothing is left."""

from __future__ import annotations

from keeper.stage import count, keeper, left, live
from market import market


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
