"""Prometheus metrics of a keeper, in a registry of its own."""

from __future__ import annotations

from ionet.tending.manner import Tally
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics(Tally):
    """The counts of a keeper, by the names they have outside."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.actions = Counter(
            "ionet_keeper_actions", "Actions, by what came of them", ["action", "outcome"], registry=registry
        )
        self.transactions = Counter("ionet_keeper_transactions", "Transactions that landed", registry=registry)
        self.spent = Counter("ionet_keeper_spent_lamports", "Lamports that are gone, rents included", registry=registry)
        self.earned = Counter("ionet_keeper_earned_io", "IO earned by reports, base units", registry=registry)
        self.rpc_errors = Counter("ionet_keeper_rpc_errors", "Looks that an RPC node did not answer", registry=registry)
        self.watched = Gauge("ionet_keeper_watched", "Accounts watched", ["noun"], registry=registry)
        self.unread = Gauge("ionet_keeper_unread", "Accounts that cannot be read", registry=registry)
        self.backing_off = Gauge("ionet_keeper_backing_off", "Tasks that failed and wait", registry=registry)
        self.balance = Gauge("ionet_keeper_balance_lamports", "Balance of the keeper", registry=registry)
        self.paused = Gauge(
            "ionet_keeper_paused", "1 while there is too little SOL, or the hour's is spent", registry=registry
        )
        self.slot = Gauge("ionet_keeper_slot", "Newest slot that was seen", registry=registry)
        self.heals = Counter("ionet_keeper_heals", "Comparisons of everything", registry=registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def acted(self, name: str, outcome: str) -> None:
        self.actions.labels(name, outcome).inc()

    def count(self, what: str, by: int = 1) -> None:
        getattr(self, what).inc(by)

    def show(self, what: str, value: int) -> None:
        getattr(self, what).set(value)

    def watched_of(self, noun: str, number: int) -> None:
        self.watched.labels(noun).set(number)
