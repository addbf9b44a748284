"""Renters, suppliers, holders and an arbitrageur live through a scenario, by the program's rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulate_iosd import paths, scenarios
from simulate_iosd import rules as formulas
from simulate_iosd.books import Books
from simulate_iosd.paths import Path
from simulate_iosd.rules import BPS, USD_UNIT, Quote, Refused, Rules
from simulate_iosd.scenarios import Scenario

HOUR, DAY, RUN_EVERY = 3_600, 86_400, 600
FEE_BPS = 25
# What the third group of suppliers states as its node's min_coverage_bps.
INSISTED_BPS = 9_500
# IOSD that exists on the first day.
IDLE, RUNNERS, MARKET = 5_000_000 * USD_UNIT, 10_000_000 * USD_UNIT, 5_000_000 * USD_UNIT


@dataclass
class Account:
    """IOSD held, dollars (at true prices) put in and taken out, and IOSD earned at face value; micro-dollars."""

    iosd: int = 0
    paid: int = 0
    received: int = 0
    earned: int = 0

    def end_worth(self, per_iosd: float) -> float:
        """Dollars taken out plus what the rest can be redeemed for."""
        return self.received + self.iosd * per_iosd


@dataclass
class World:
    """One run. `coverage` has a point an hour, in basis points; counters are hours."""

    scenario: Scenario
    path: Path
    rules: Rules
    lag_secs: int = scenarios.LAG_SECS
    renters: Account = field(default_factory=Account)
    at_once: Account = field(default_factory=Account)
    holding: Account = field(default_factory=Account)
    insisting: Account = field(default_factory=Account)
    idle: Account = field(default_factory=lambda: Account(IDLE))
    runners: Account = field(default_factory=lambda: Account(RUNNERS))
    market: Account = field(default_factory=lambda: Account(MARKET))
    arbitrage_gain: int = 0
    arbitrage_volume: int = 0
    coverage: list[int] = field(default_factory=list)
    hours_without_mint: int = 0
    hours_not_offered: int = 0
    insisting_serves: bool = True

    def __post_init__(self) -> None:
        supply = IDLE + RUNNERS + MARKET
        self.books = Books.opened(self.rules, supply, formulas.mint_in(supply, self.path.quote(0, 0), self.rules))

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Everybody who holds IOSD."""
        return self.renters, self.at_once, self.holding, self.insisting, self.idle, self.runners, self.market

    def run(self) -> World:
        for index in range(len(self.path.prices)):
            self._live(index)
        return self

    def _live(self, index: int) -> None:
        now, price = index * self.path.step, self.path.prices[index]
        quote = self.path.quote(index, self.lag_secs)
        self._arbitrage(quote, price, now)
        if now % RUN_EVERY == 0 and self.books.coverage_bps(price) < self.scenario.run_below_bps:
            self._redeem(self.runners, quote, price, now)
        if now % DAY == 0:
            self.insisting_serves = self.books.coverage_bps(quote.low) >= INSISTED_BPS
            for supplier in (self.at_once, self.insisting):
                self._redeem(supplier, quote, price, now)
        if now % HOUR == 0:
            self.coverage.append(self.books.coverage_bps(price))
            self._work(quote, price, now)
            self.check()

    def check(self) -> None:
        """Every IOSD is somebody's, and everything is tracked."""
        if sum(account.iosd for account in self.accounts) != self.books.supply or self.books.backing < 0:
            raise AssertionError(f"the books do not add up: {self.books.supply}, {self.accounts}")

    # -- renters and suppliers

    def _work(self, quote: Quote, price: int, now: int) -> None:
        """An hour of work: renters get the IOSD they need, spend it, and both sides' fees are burned."""
        demand = round(scenarios.DEMAND_PER_HOUR * paths.along(self.scenario.demand, now / DAY))
        for supplier in (self.at_once, self.holding, self.insisting):
            if supplier is self.insisting and not self.insisting_serves:
                self.hours_not_offered += 1
                continue
            amount = demand // 3
            fee = formulas.ceil_div(amount * FEE_BPS, BPS)
            if not self._buy(amount + fee, quote, price, now):
                self.hours_without_mint += 1
                continue
            self.renters.iosd -= amount + fee
            self.renters.earned += amount
            supplier.iosd += amount - fee
            supplier.earned += amount
            self.books.burn_fee(2 * fee)

    def _buy(self, needed: int, quote: Quote, price: int, now: int) -> bool:
        """Gives the renters `needed` IOSD, from those who would sell or by burning IO; False if the limiter is full."""
        if self.scenario.market and (worth := self.books.worth(price)) < 0.99:
            for seller in (self.at_once, self.insisting, self.market):
                part = min(needed - self.renters.iosd, seller.iosd)
                seller.iosd -= part
                seller.received += round(part * worth)
                self.renters.iosd += part
                self.renters.paid += round(part * worth)
        missing = needed - self.renters.iosd
        if missing <= 0:
            return True
        try:
            io = self.books.mint_exact(missing, quote, now)
        except Refused:
            return False
        self.renters.iosd += missing
        self.renters.paid += formulas.value_of(io, price)
        return True

    def _redeem(self, holder: Account, quote: Quote, price: int, now: int) -> None:
        """Redeems as much as the limiter lets through."""
        room = self.books.redeem_limiter.room(self.books.supply, now)
        amount = holder.iosd if room is None else min(holder.iosd, room)
        if amount:
            holder.received += formulas.value_of(self.books.redeem(amount, quote, now), price)
            holder.iosd -= amount

    # -- the arbitrageur

    def _arbitrage(self, quote: Quote, price: int, now: int) -> None:
        """They know the true price, has any amount of money, and buys and sells IOSD at what it is worth for nothing.

        While the oracle lags they burn IO that is worth less than the IOSD it mints, or redeem for IO that is worth
        more. All they gain is the backing's loss.
        """
        low, high = (quote.low, quote.high) if self.rules.two_prices else (quote.price, quote.price)
        kept = BPS - self.rules.spread_bps
        if low * kept > price * BPS:
            self._mint_dear(quote, price, now)
        elif price * kept > high * BPS:
            self._redeem_cheap(quote, price, now)

    def _mint_dear(self, quote: Quote, price: int, now: int) -> None:
        room = self.books.mint_limiter.room(self.books.supply, now)
        iosd = self.books.supply if room is None else room
        pays, costs = round(iosd * self.books.worth(price)), formulas.mint_in(iosd, quote, self.rules)
        if iosd and pays > formulas.value_of(costs, price):
            self.books.mint_exact(iosd, quote, now)
            self.market.iosd += iosd
            self.market.paid += pays
            self._gained(pays - formulas.value_of(costs, price), iosd)

    def _redeem_cheap(self, quote: Quote, price: int, now: int) -> None:
        room = self.books.redeem_limiter.room(self.books.supply, now)
        iosd = self.market.iosd if room is None else min(room, self.market.iosd)
        costs = round(iosd * self.books.worth(price))
        io = formulas.redeem_out(iosd, quote, self.books.backing, self.books.supply, self.rules)
        if iosd and formulas.value_of(io, price) > costs:
            self.books.redeem(iosd, quote, now)
            self.market.iosd -= iosd
            self.market.received += costs
            self._gained(formulas.value_of(io, price) - costs, iosd)

    def _gained(self, gain: int, volume: int) -> None:
        self.arbitrage_gain += gain
        self.arbitrage_volume += volume


def live(scenario: Scenario, seed: int, *, rules: Rules | None = None, days: int = scenarios.DAYS) -> World:
    """A scenario from its first to its last day."""
    steps = days * DAY // scenarios.STEP
    walk = paths.noise(seed, steps, scenarios.STEP, scenarios.DAILY_VOL)
    path = paths.make(scenarios.START_PRICE, scenario.price, walk, scenarios.STEP)
    return World(scenario, path, rules or Rules()).run()
