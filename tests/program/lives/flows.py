"""Who put what into a node's and a cluster's vault and who got it out, from events alone: no set of people gains by
agreeing among themselves, and none has others' stake burned for nothing. The events' amounts are the token balances'
(`books.py` compares them after every step)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import singledispatchmethod
from itertools import combinations
from typing import Any

from ionet.generated import events
from ionet.generated.accounts import Node
from ionet.generated.enums import SlashReason
from solders.pubkey import Pubkey

# What a wiped pool may leave to its next staker: one part in 2^40 of all IO that a node can hold.
CRUMB = 2**17
# What others in a pool lose at most for each unit that its owner loses, for each part that they hold to one of theirs.
OTHERS_PER_OWN = 2


@dataclass
class Vault:
    """One node's stake or one cluster's budget. net: what each person got out of it less what they put in."""

    head: Pubkey
    net: Counter[Pubkey] = field(default_factory=Counter)
    given: Counter[Pubkey] = field(default_factory=Counter)
    moves: int = 0
    crumbs: int = 0


@dataclass(frozen=True)
class Harm:
    """One slash for what a lease's supplier did: what it took from the owner and from others, and who got some back."""

    owner: Pubkey
    of_owner: int
    of_others: int
    back: tuple[tuple[Pubkey, int], ...]

    def costs(self, people: Collection[Pubkey]) -> int:
        """What it costs a set with the owner in it."""
        return self.of_owner - sum(amount for person, amount in self.back if person in people)


@dataclass
class Flows:
    """A vault's head is the node's owner or the cluster's renter. A set without them takes part as a stranger: it may
    be paid for what it served, rewarded for what it reported, compensated for what it missed."""

    vaults: dict[Pubkey, Vault] = field(default_factory=dict)
    clusters_of: dict[Pubkey, Pubkey] = field(default_factory=dict)
    refills: Counter[Pubkey] = field(default_factory=Counter)
    fees: Counter[Pubkey] = field(default_factory=Counter)
    parties: set[Pubkey] = field(default_factory=set)
    income: Counter[tuple[Pubkey, Pubkey]] = field(default_factory=Counter)
    claimed: Counter[tuple[Pubkey, Pubkey]] = field(default_factory=Counter)
    shared: Counter[Pubkey] = field(default_factory=Counter)
    harms: list[Harm] = field(default_factory=list)

    def record(self, events: Iterable[Any]) -> None:
        for event in events:
            self._move(event)

    def _flow(self, vault: Pubkey, person: Pubkey, amount: int) -> None:
        found = self.vaults[vault]
        found.net[person] += amount
        found.moves += 1
        self.parties.add(person)

    @singledispatchmethod
    def _move(self, event: Any) -> None:
        """Most events move nothing."""

    @_move.register
    def _(self, event: events.NodeRegistered) -> None:
        self.vaults[event.node] = Vault(event.owner)
        self.parties.add(event.owner)

    @_move.register
    def _(self, event: events.Staked) -> None:
        vault = self.vaults[event.node]
        there = self.refills.pop(event.node, 0) if event.staker == vault.head else 0
        self._flow(event.node, event.staker, there - event.amount)
        vault.crumbs = CRUMB * event.era

    @_move.register
    def _(self, event: events.StakeRefilled) -> None:
        if event.amount:
            self._flow(event.node, event.owner, -event.amount)
            self.refills[event.node] += event.amount

    @_move.register
    def _(self, event: events.UnbondRequested) -> None:
        self._flow(event.node, event.staker, 0)
        self.vaults[event.node].crumbs = max(self.vaults[event.node].crumbs, CRUMB * event.ticket_era)

    @_move.register
    def _(self, event: events.StakeWithdrawn) -> None:
        self._flow(event.node, event.staker, event.amount)

    @_move.register
    def _(self, event: events.RewardsAdded) -> None:
        self._flow(event.node, event.by, -event.amount)
        self.vaults[event.node].given[event.by] += event.amount

    @_move.register
    def _(self, event: events.RewardsClaimed) -> None:
        self._flow(event.node, event.staker, event.amount)

    @_move.register
    def _(self, event: events.NodeSlashed) -> None:
        if event.to_renter:
            self._flow(event.node, self.vaults[self.clusters_of[event.lease]].head, event.to_renter)
        if event.to_reporter:
            self._flow(event.node, event.reporter, event.to_reporter)

    @_move.register
    def _(self, event: events.ClusterOpened) -> None:
        self.vaults[event.cluster] = Vault(event.renter)
        self._flow(event.cluster, event.renter, -event.deposit)

    @_move.register
    def _(self, event: events.LeaseBooked) -> None:
        self.clusters_of[event.lease] = event.cluster

    @_move.register
    def _(self, event: events.BudgetWithdrawn) -> None:
        self._flow(event.cluster, self.vaults[event.cluster].head, event.amount)

    @_move.register
    def _(self, event: events.LeaseSettled) -> None:
        self._flow(event.cluster, event.payout, event.supplier_amount + event.bond_paid - event.to_stakers)

    @_move.register
    def _(self, event: events.IncomeShared) -> None:
        """Out of the budget into a vault of its own; there it is its co-stakers'."""
        self.income[event.node, event.mint] += event.to_co_stakers
        self.shared[self.clusters_of[event.lease]] += event.to_co_stakers

    @_move.register
    def _(self, event: events.IncomeClaimed) -> None:
        self.claimed[event.node, event.mint] += event.amount
        self.parties.add(event.staker)

    @_move.register
    def _(self, event: events.ClusterClosed) -> None:
        self._flow(event.cluster, event.renter, event.refund)
        self.fees[event.cluster] = event.fees

    def harmed(self, event: events.NodeSlashed, node: Node) -> None:
        """What a slash took from whom; `node` is as the slash left it."""
        if event.reason == SlashReason.CASE or not node.bonded.shares * bool(event.from_bonded):
            return  # an arbiter decided it, or the pool was wiped and forgot whose it was
        of_owner = event.from_bonded * node.owner_bonded_shares // node.bonded.shares
        if node.unbonding.shares:
            of_owner += event.from_unbonding * node.owner_unbonding_shares // node.unbonding.shares
        renter = self.vaults[self.clusters_of[event.lease]].head
        back = ((renter, event.to_renter), (event.reporter, event.to_reporter))
        self.harms.append(Harm(node.owner, of_owner, event.amount - of_owner, back))

    # -- the property

    def sets(self) -> Iterator[frozenset[Pubkey]]:
        """Every set of people."""
        parties = sorted(self.parties, key=bytes)
        for size in range(1, len(parties) + 1):
            yield from map(frozenset, combinations(parties, size))

    def gain(self, vault: Vault, people: Collection[Pubkey]) -> int:
        """What these people got out of a vault beyond what they put in and what others gave as rewards."""
        gifts = sum(amount for giver, amount in vault.given.items() if giver not in people)
        return sum(vault.net[person] for person in people) - gifts

    def check(self) -> None:
        """When everything is unwound: no set with the head in it gained from their vault. Fees never come back."""
        for people in self.sets():
            for harm in (harm for harm in self.harms if harm.owner in people):
                most = OTHERS_PER_OWN * harm.costs(people) * harm.of_others
                assert harm.of_others * harm.of_owner <= most, harm
        assert all(amount <= self.income[vault] for vault, amount in self.claimed.items())
        heads: dict[Pubkey, list[Pubkey]] = defaultdict(list)
        for key, vault in self.vaults.items():
            heads[vault.head].append(key)
        for people in self.sets():
            for key in (key for head in people for key in heads[head]):
                vault = self.vaults[key]
                if key in self.fees:
                    others = sum(amount for person, amount in vault.net.items() if person not in people)
                    # What was shared with co-stakers left the budget for good.
                    gain = self.gain(vault, people)
                    assert gain == -self.fees[key] - self.shared[key] - others, key
                    assert gain + self.shared[key] <= 0, key
                else:
                    # Rounding favours who stays in a pool, by less than a unit for every move.
                    assert self.gain(vault, people) <= vault.moves + vault.crumbs, key
