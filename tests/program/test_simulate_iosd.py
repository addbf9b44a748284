"""The simulation of IOSD: what its formulas promise, that its books add up, that its report is what the seeds give.

test_simulated_books.py compares it with the program.
"""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_iosd import lag, last_rate, paths, report, results, run, world
from simulate_iosd import rules as formulas
from simulate_iosd.books import Books
from simulate_iosd.rules import BPS, Limiter, Quote, Refused, Rules
from simulate_iosd.scenarios import CRASH, LESS_DEMAND, Scenario

HOUR, DAY = 3_600, 86_400
RULES = Rules()
DOLLAR = 10**6

prices = st.integers(10**4, 10**11)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Prices of a thousandth of a dollar to a thousand, as certain as the program wants them."""
    price, ema = draw(prices), draw(prices)
    return Quote(price, ema, draw(st.integers(0, price // 100)), draw(st.integers(0, ema // 100)))


# -- what they promise


@given(quotes(), st.integers(1, 10**15))
def test_mint_in_is_the_least_that_mints_so_much(quote: Quote, iosd: int) -> None:
    try:
        io = formulas.mint_in(iosd, quote, RULES)
    except Refused:
        return
    assert formulas.mint_out(io, quote, RULES) >= iosd > formulas.mint_out(io - 1, quote, RULES)


@given(quotes(), st.integers(1, 10**15), st.integers(1, 10**17), st.integers(1, 10**15))
def test_no_redemption_lowers_the_backing_of_the_rest(quote: Quote, supply: int, backing: int, iosd: int) -> None:
    iosd = min(iosd, supply)
    io = formulas.redeem_out(iosd, quote, backing, supply, RULES)
    assert 0 <= io <= backing
    assert (backing - io) * supply >= backing * (supply - iosd)


@given(quotes(), st.integers(1, 10**15))
def test_the_way_in_and_out_costs_both_spreads(quote: Quote, io: int) -> None:
    """At one and the same quote nobody gets out what they put in, however much backing there is."""
    try:
        iosd = formulas.mint_out(io, quote, RULES)
    except Refused:
        return
    back = formulas.redeem_out(iosd, quote, 2**80, 1, RULES)
    assert back * BPS**2 <= io * (BPS - RULES.spread_bps) ** 2


@given(quotes(), st.integers(1, 10**15))
def test_the_last_rate_never_pays_more_than_the_price_it_keeps(quote: Quote, iosd: int) -> None:
    kept = formulas.at_last_rate(formulas.last_high_price(quote))
    assert formulas.redeem_out(iosd, kept, 2**80, 1, RULES) <= formulas.redeem_out(iosd, quote, 2**80, 1, RULES)


@given(st.lists(st.tuples(st.integers(0, 2 * HOUR), st.integers(0, 4 * 10**12)), max_size=30))
def test_no_hour_lets_more_than_two_buckets_through(steps: list[tuple[int, int]]) -> None:
    limiter, now, supply, passed = Limiter(RULES), 0, 20 * 10**12, []
    for wait, amount in steps:
        now += wait
        try:
            limiter.take(amount, supply, now)
        except Refused:
            assert amount > (limiter.room(supply, now) or 0)
        else:
            passed.append((now, amount))
    for start, _ in passed:
        assert sum(amount for at, amount in passed if start <= at < start + HOUR) <= 2 * supply // 10


def test_a_full_bucket_drains_in_one_window() -> None:
    limiter, supply = Limiter(RULES), 50 * 10**12
    limiter.take(5 * 10**12, supply, 0)
    with pytest.raises(Refused, match="WindowFull"):
        limiter.take(1, supply, 0)
    assert limiter.room(supply, HOUR // 2) == 5 * 10**12 // 2
    assert limiter.room(supply, HOUR) == 5 * 10**12
    assert Limiter(RULES).room(1, 0) == RULES.floor


def test_the_last_rate_waits_a_day_and_a_refresh_ends_it() -> None:
    books = Books.opened(RULES, 10**12, 10**14)
    with pytest.raises(Refused, match="PriceRequired"):
        books.redeem(DOLLAR, None, 10 * DAY)  # no price was ever used
    books.use(Quote.exact(10**8), DAY)
    with pytest.raises(Refused, match="PriceStillFresh"):
        books.redeem(DOLLAR, None, 2 * DAY - 1)
    assert books.redeem(DOLLAR, None, 2 * DAY) == 99_500_000
    books.use(Quote.exact(2 * 10**8), 2 * DAY)
    with pytest.raises(Refused, match="PriceStillFresh"):
        books.redeem(DOLLAR, None, 2 * DAY + 1)


# -- the worlds


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_a_short_life_adds_up(seed: int, market: bool) -> None:
    """Every hour the world checks that each IOSD is somebody's; here the dollars and the other end of the books."""
    fall = ((0.0, 1.0), (1.0, 1.0), (1.2, 0.5))
    lived = world_of(Scenario("fall", fall, run_below_bps=9_000, market=market), seed, 3)
    books, price = lived.books, lived.path.prices[-1]
    lived.check()
    assert books.supply > 0
    assert books.backing > 0
    assert len(lived.coverage) == 3 * 24
    earned = sum(one.earned for one in (lived.at_once, lived.holding, lived.insisting))
    assert lived.renters.earned == earned > 0
    assert books.fee_burned * BPS >= earned * 2 * world.FEE_BPS
    assert lived.runners.iosd < world.RUNNERS
    assert books.coverage_bps(price) < BPS
    assert results.outcome(lived).idle < 1


def world_of(scenario: Scenario, seed: int, days: int) -> world.World:
    return world.live(scenario, seed, days=days)


def test_the_same_seed_gives_the_same_life_and_another_one_does_not() -> None:
    scenario = Scenario("fall", CRASH, LESS_DEMAND)
    first, again, other = (results.outcome(world_of(scenario, seed, 2)) for seed in (7, 7, 8))
    assert first == again != other


def test_an_arbitrageur_gains_what_the_backing_loses() -> None:
    """Nothing else happens in this world; it is measured at the moment of their only trades."""
    path = lag.path_of(3, stormy=True, days=1)
    lived = world.World(Scenario("quiet", demand=((0, 0.0),)), path, Rules(spread_bps=0, two_prices=False), 60)
    for index, price in enumerate(path.prices):
        before, gained = lived.books.surplus(price), lived.arbitrage_gain
        covered = lived.books.coverage_bps(price) >= BPS
        lived._arbitrage(path.quote(index, 60), price, index * path.step)
        if covered:
            assert abs(before - lived.books.surplus(price) - (lived.arbitrage_gain - gained)) <= 10
    assert lived.arbitrage_gain > 0


def test_what_the_protections_are_worth() -> None:
    """The order of the conclusions, on a path that is not the report's."""
    path = lag.path_of(11, stormy=True, days=2)
    edges = {name: lag.edge(path, rules, 60).round_trip for name, rules in lag.PROTECTIONS.items()}
    naked, spread, two_prices, both = edges.values()
    assert naked > two_prices > both > 0
    assert naked > spread > both
    calm = lag.path_of(11, stormy=False, days=2)
    assert lag.edge(calm, RULES, 60).sold == 0 < lag.edge(calm, Rules(spread_bps=0, two_prices=False), 10).sold


def test_a_run_and_a_wrong_oracle() -> None:
    par, ours = run.queues(5_000)
    assert par.first > 0.99 > par.last == 0
    assert 0.49 < ours.first <= ours.middle <= ours.last < 0.52
    left = run.left_over_time(20_000_000 * DOLLAR, 24, RULES)
    assert left == sorted(left, reverse=True)
    assert 0.8 < left[1] / left[0] < 0.9
    assert left[-1] == 0
    limited, free = (
        run.wrong_for_an_hour(3, 1, rules, 20_000_000 * DOLLAR) for rules in (RULES, Rules(limit_bps=None))
    )
    assert limited.coverage > free.coverage
    assert limited.taken < free.taken


def test_silence_pays_one_who_sees_the_price_until_somebody_refreshes() -> None:
    silence = last_rate.silence(2, 0.05, 20_000, range(20))
    assert silence.most > 0.02 > 0 > silence.honest_worst - 1
    assert last_rate.refreshed(2, 0.05, 20_000, range(20)) < 0


def test_a_path_is_seeded_and_its_average_has_a_half_life_of_an_hour() -> None:
    assert paths.noise(5, 50, 60, 0.05) == paths.noise(5, 50, 60, 0.05) != paths.noise(6, 50, 60, 0.05)
    path = paths.make(10**9, ((0.0, 1.0), (60 / DAY, 2.0)), [1.0] * 62, 60)
    assert path.prices[0] == 10**9
    assert path.prices[1:] == [2 * 10**9] * 61
    assert path.emas[60] == pytest.approx(1.5 * 10**9, rel=1e-6)
    assert path.quote(5, 300) == path.quote(0, 0) == path.quote(0, 300)


# -- the report


def test_the_committed_report_is_what_the_seeds_give() -> None:
    made = report.files(results.compute())
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run scripts/simulate-iosd"
        if path.suffix == ".svg":
            assert ElementTree.fromstring(text).tag.endswith("svg")
