from __future__ import annotations

from typing import Any

import pytest
from ionet.generated.accounts import Iosd
from ionet.generated.events import PriceRefreshed
from program.calls import IOSD
from program.chain import refused
from program.currencies import DOLLAR, other_price, refresh_price
from program.world import World


def test_the_event_has_every_field(world: World) -> None:
    world.post_price(300_000_001, ema_price=310_000_000, conf=7, ema_conf=1)
    landed = world.do(refresh_price(world.oracle))
    assert landed.events == (
        PriceRefreshed(
            iosd=IOSD,
            seq=1,
            at=world.now,
            low_price=2_999_999,
            high_price=3_100_001,
            publish_time=world.now,
        ),
    )
    books = world.get(Iosd, IOSD)
    assert (books.last_price, books.last_high_price, books.last_publish_time) == (2_999_999, 3_100_001, world.now)
    assert (books.minted, books.io_burned, books.mint_window_amount) == (0, 0, 0)


def test_the_same_price_again(world: World) -> None:
    for seq in (1, 2):
        assert world.do(refresh_price(world.oracle)).event(PriceRefreshed).seq == seq


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        ("OracleNotPositive", {"price": 0}),
        ("OracleUncertain", {"price": DOLLAR, "conf": 1_000_001}),
        ("OracleWorthless", {"price": 1_000, "ema_price": 100_000, "ema_conf": 500}),
        ("OracleBadExponent", {"price": 3, "exponent": 1}),
        ("OracleNotVerified", {"price": 3 * DOLLAR, "partial_signatures": 5}),
    ],
)
def test_a_price_that_is_not_valid_fails(world: World, error: str, wrong: dict[str, Any]) -> None:
    world.post_price(**{"conf": 0, **wrong})
    with refused(error):
        world.do(refresh_price(world.oracle))


@pytest.mark.parametrize(("age", "error"), [(60, ""), (61, "OracleStale"), (-10, ""), (-11, "OracleFuture")])
def test_the_age_of_the_price(world: World, age: int, error: str) -> None:
    world.warp(1_000)
    world.post_price(3 * DOLLAR, publish_time=world.now - age)
    if not error:
        world.do(refresh_price(world.oracle))
        return
    with refused(error):
        world.do(refresh_price(world.oracle))


@pytest.mark.parametrize("price", [1, 9])
def test_a_price_older_than_the_one_seen_does_not_replace_it(world: World, price: int) -> None:
    world.warp(20)
    world.post_price(3 * DOLLAR)
    world.do(refresh_price(world.oracle))
    refreshed = world.do(refresh_price(other_price(world, 1, price * DOLLAR))).event(PriceRefreshed)
    assert (refreshed.low_price, refreshed.high_price, refreshed.publish_time) == (3_000_000, 3_000_000, world.now)
    books = world.get(Iosd, IOSD)
    assert (books.last_price, books.last_high_price, books.last_publish_time) == (3_000_000, 3_000_000, world.now)
