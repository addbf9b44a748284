"""What every series has to say, from the raw events alone and in another way: by the stretches between events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ionet.countries import LETTERS
from ionet.generated import pdas
from ionet.generated.enums import Currency, NodeFlag
from ionet.program import PROGRAM
from ionet.words import word
from ionet_indexer.core.decode import Event

STEPS = {"hour": 3_600, "day": 86_400}
LEVELS = ("listed", "rentable", "leased", "asked", "stake", "supply", "backing")
IO, IOSD = pdas.io_mint(PROGRAM.id), pdas.iosd_mint(PROGRAM.id)


@dataclass
class Machine:
    owner: Any
    model: int
    processors: int
    country: int
    price: int
    flags: int = 0
    lease: Any = None
    bonded: int = 0
    shares: int = 0
    owners: int = 0


@dataclass
class World:
    """The market as its events tell it."""

    machines: dict[Any, Machine] = field(default_factory=dict)
    codes: dict[Any, int] = field(default_factory=dict)
    models: dict[int, list[Any]] = field(default_factory=dict)  # code → enabled, multiplier
    currencies: dict[Any, str] = field(default_factory=dict)  # by cluster
    leases: dict[Any, tuple[Any, int, int, int, str]] = field(default_factory=dict)
    paid: dict[Any, int] = field(default_factory=dict)
    stake_per_processor: int = 20_000_000_000
    co_percent: int = 50
    supply: int = 0
    backing: int = 0

    def rentable(self, m: Machine) -> bool:
        enabled, multiplier = self.models[m.model]
        whole, virtual = m.owners == m.shares > 0, Fraction(m.owners * (m.bonded + 1), m.shares + 1000)
        own = m.bonded if whole else min(m.bonded, int(virtual))
        stake = own + min(m.bonded - own, own * self.co_percent // (100 - self.co_percent))
        need = Fraction(self.stake_per_processor * max(100, multiplier) * m.processors, 100)
        return not m.flags and m.lease is None and enabled and stake >= need

    def levels(self) -> dict[tuple[str, str], int]:
        """(scope, number) → how it stands."""
        found: dict[tuple[str, str], int] = defaultdict(int)
        for m in self.machines.values():
            free = m.processors * self.rentable(m)
            numbers = {
                "listed": m.processors * (not m.flags & NodeFlag.RETIRED),
                "rentable": free,
                "leased": m.processors * (m.lease is not None),
                "asked": free * m.price,
                "stake": m.bonded,
            }
            for scope in ("network", f"model:{m.model}", f"country:{LETTERS[m.country]}"):
                for name, value in numbers.items():
                    found[scope, name] += value
        found["network", "supply"], found["network", "backing"] = self.supply, self.backing
        return found

    def tell(self, e: Any) -> Iterator[tuple[tuple[int, int] | None, str, int]]:
        """Take an event in; what it brought: (model and country, number, amount)."""
        kind = type(e).__name__
        m = self.machines.get(getattr(e, "node", None))
        if kind == "ModelRegistered":
            self.codes[e.model], self.models[e.code] = e.code, [True, e.multiplier]
        elif kind == "ModelEnabled":
            self.models[self.codes[e.model]][0] = e.enabled
        elif kind == "ModelChanged":
            self.models[self.codes[e.model]][1] = e.multiplier
        elif kind == "ParamsChanged":
            params = PROGRAM.codec.show_type("Params", e.params)
            self.stake_per_processor = int(params["stake_per_processor"])
            self.co_percent = params["co_stake_max_percent"]
        elif kind == "NodeRegistered":
            self.machines[e.node] = Machine(e.owner, e.model, e.processors, e.country, e.price)
        elif kind == "ClusterOpened":
            self.currencies[e.cluster] = word(Currency, e.currency)
        elif m is not None:
            yield from self._of_node(kind, e, m)
        else:
            yield from self._of_iosd(kind, e)

    def _of_node(self, kind: str, e: Any, m: Machine) -> Iterator[tuple[tuple[int, int] | None, str, int]]:
        here = (m.model, m.country)
        if kind == "NodeUpdated":
            m.price, m.country = e.price, e.country
        elif kind == "NodeFlagsChanged":
            m.flags = e.after
        elif kind in ("CaseOpened", "CaseDecided"):
            m.flags = e.flags_after
        elif kind == "Staked":
            m.bonded, m.shares = e.bonded_after, e.bonded_shares_after
            m.owners += e.shares * (e.staker == m.owner)
        elif kind == "UnbondRequested":
            m.bonded, m.shares = e.bonded_after, m.shares - e.shares_burned
            m.owners -= e.shares_burned * (e.staker == m.owner)
        elif kind == "StakeVaultClosed":
            m.bonded = 0
        elif kind == "NodeSlashed":
            m.bonded = e.bonded_after
            yield here, "slashed", e.amount
        elif kind == "LeaseBooked":
            m.lease = e.lease
            self.leases[e.lease] = (*here, e.processors, 0, self.currencies[e.cluster])
        elif kind in ("LeaseEnded", "LeaseCancelled"):
            m.lease = None if m.lease == e.lease else m.lease
        if kind in ("LeaseCancelled", "LeaseSettled", "ProofAppended"):
            model, country, processors, _, currency = self.leases[e.lease]
            here = (model, country)
            if kind == "ProofAppended":
                yield here, "proven", (e.served_secs - e.served_before) * processors
            elif e.burned:
                yield here, f"burned-time-{currency}", e.burned
            if kind == "LeaseSettled":
                secs = (e.payable_secs - self.paid.get(e.lease, 0)) * processors
                self.paid[e.lease] = e.payable_secs
                for name, value in (
                    (f"paid-{currency}", secs),
                    ("paid", secs),
                    (f"income-{currency}", e.paid - e.paid_before),
                    (f"fees-{currency}", e.supplier_fee + e.renter_fee),
                ):
                    if value:
                        yield here, name, value

    def _of_iosd(self, kind: str, e: Any) -> Iterator[tuple[tuple[int, int] | None, str, int]]:
        if kind == "IosdMinted":
            self.supply += e.iosd_minted
            self.backing += e.io_burned
            yield None, "IOSD-minted", e.iosd_minted
            yield None, "IO-burned-for-IOSD", e.io_burned
        elif kind == "IosdRedeemed":
            self.supply -= e.iosd_burned
            self.backing -= e.io_minted
            yield None, "IOSD-redeemed", e.iosd_burned
            yield None, "IO-redeemed", e.io_minted
        elif kind == "IoBoughtBack":
            yield None, "burned-IO", e.io_burned
        elif kind == "TokensBurned":
            self.supply -= e.amount * (e.mint == IOSD)
            if e.amount:
                yield None, "burned-IO" if e.mint == IO else "burned-IOSD", e.amount


class Expected:
    """Sums, counts, levels at the end and time-weighted levels of every bucket, of every scope."""

    def __init__(self, events: Sequence[Event], step: str) -> None:
        self.secs = STEPS[step]
        self.sums: dict[tuple[str, str, int], int] = defaultdict(int)
        self.counts: dict[tuple[str, str, int], int] = defaultdict(int)
        self.stood: dict[tuple[str, str, int], int] = defaultdict(int)
        self.ends: dict[tuple[str, str, int], int] = {}
        self.first: dict[tuple[str, str], int] = {}
        self.scopes: set[str] = {"network"}
        world, levels, then = World(), dict[tuple[str, str], int](), 0
        self.now = max(event.block_time or 0 for event in events)
        for event in events:
            at = event.value.at
            self._pass(levels, then, at)
            for where, name, value in world.tell(event.value):
                scopes = [f"model:{where[0]}", f"country:{LETTERS[where[1]]}"] if where else []
                for scope in ("network", *scopes):
                    self.sums[scope, name, at // self.secs] += value
                    self.counts[scope, name, at // self.secs] += 1
                    self.first.setdefault((scope, name), at // self.secs)
            now = world.levels()
            for (scope, name), value in now.items():
                if levels.get((scope, name), 0) != value:
                    self.first.setdefault((scope, name), at // self.secs)
                self.scopes.add(scope)
            levels, then = now, at
        self._pass(levels, then, self.now)
        for (scope, name), value in levels.items():
            self.ends[scope, name, self.now // self.secs] = value

    def _pass(self, levels: dict[tuple[str, str], int], start: int, end: int) -> None:
        """Nothing changes between two times."""
        while levels and start < end:
            bucket = start // self.secs
            stop = min(end, (bucket + 1) * self.secs)
            for (scope, name), value in levels.items():
                self.stood[scope, name, bucket] += value * (stop - start)
                if stop % self.secs == 0:
                    self.ends[scope, name, bucket] = value
            start = stop

    def value(self, scope: str, name: str, bucket: int) -> int | None:
        """The value of a field of the API."""
        stood = {each: self.stood[scope, each, bucket] for each in LEVELS}
        if name == "price-asked":
            return stood["asked"] // stood["rentable"] if stood["rentable"] else None
        if name == "utilisation":
            both = stood["leased"] + stood["rentable"]
            return stood["leased"] * 10_000 // both if both else None
        if name.startswith("price-settled-"):
            currency = name.rpartition("-")[2]
            secs = self.sums[scope, f"paid-{currency}", bucket]
            return self.sums[scope, f"income-{currency}", bucket] * 3_600 // secs if secs else None
        if name in ("proofs", "slashes"):
            return self.counts[scope, {"proofs": "proven", "slashes": "slashed"}[name], bucket]
        if name in ("listed", "rentable", "leased"):
            return stood[name]
        if name in ("stake", "IOSD-supply", "backing"):
            return self.ends[scope, name.removeprefix("IOSD-"), bucket]
        return self.sums[scope, name, bucket]
