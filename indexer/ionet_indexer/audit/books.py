"""Sums over the program's events: what each of its vaults must hold and what each account must say."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import singledispatchmethod
from typing import Any

from ionet.generated import events, pdas
from solders.pubkey import Pubkey

from ionet_indexer.topics.fold import links


class Books:
    """Fed with every event in order. Amounts are base units; `vaults` are flows in and out of token accounts."""

    def __init__(self, program: Pubkey) -> None:
        self.program = program
        self.network = pdas.network(program)
        self.io, self.iosd_mint = pdas.io_mint(program), pdas.iosd_mint(program)
        self.genesis = 0
        self.currencies: tuple[Pubkey, ...] = ()
        self.holes: list[str] = []
        self.wrong: dict[str, list[str]] = defaultdict(list)  # rule → events that contradict themselves
        self.seqs: dict[str, int] = {}
        self.vaults: dict[str, Counter[Pubkey]] = defaultdict(Counter)  # kind → token account → amount
        self.clusters: dict[Pubkey, Counter[str]] = {}
        self.mints: dict[Pubkey, Pubkey] = {}
        self.closed: set[Pubkey] = set()
        self.clusters_of: dict[Pubkey, Pubkey] = {}
        self.paid: Counter[Pubkey] = Counter()  # by lease: what left the escrow for the supplier and as their fee
        self.open_leases: set[Pubkey] = set()
        self.owners: dict[Pubkey, Pubkey] = {}
        self.pools: dict[Pubkey, tuple[int, int]] = {}
        self.rewards: Counter[tuple[Pubkey, str]] = Counter()
        self.refills: Counter[Pubkey] = Counter()
        self.slashed: Counter[Pubkey] = Counter()
        self.income: Counter[tuple[Pubkey, Pubkey]] = Counter()
        self.iosd: Counter[str] = Counter()
        self.events = 0

    def take(self, value: Any) -> None:
        """The next event."""
        self.events += 1
        for entity, seq in links(value):
            if seq != self.seqs.get(entity, 0) + 1:
                self.holes.append(f"{entity}: {seq} after {self.seqs.get(entity, 0)}")
            self.seqs[entity] = seq
        self._take(value)

    def _pay(self, kind: str, vault: Pubkey, wallet: Pubkey, mint: Pubkey, amount: int, owed: bool) -> None:
        self.vaults[kind][vault] -= amount
        if owed:
            self.vaults["owed"][pdas.owed(self.program, mint, wallet)] += amount

    def _fees(self, mint: Pubkey, amount: int, waiting: int) -> None:
        self.vaults["fees"][pdas.fee_vault(self.program, mint)] += amount - waiting
        self.vaults["owed"][pdas.owed(self.program, mint, self.network)] += waiting

    def _burn(self, mint: Pubkey, amount: int) -> None:
        self.vaults["burn"][pdas.burn_vault(self.program, mint)] += amount

    def _agree(self, rule: str, what: object, expected: int, said: int) -> None:
        if expected != said:
            self.wrong[rule].append(f"{what}: {expected} by the events before, {said} said")

    @singledispatchmethod
    def _take(self, _: Any) -> None:
        """Most events move nothing."""

    @_take.register
    def _(self, e: events.NetworkInitialized) -> None:
        self.genesis = e.genesis_amount
        self.currencies = (e.iosd_mint, e.usdc_mint, e.io_mint)

    # -- stake

    @_take.register
    def _(self, e: events.NodeRegistered) -> None:
        self.owners[e.node] = e.owner
        self.pools[e.node] = (0, 0)

    @_take.register
    def _(self, e: events.Staked) -> None:
        # The owner's stake takes their refill along, which is in the vault already; its own event follows.
        there = self.refills[e.node] if e.staker == self.owners.get(e.node) else 0
        self.vaults["stake"][pdas.stake_vault(self.program, e.node)] += e.amount - there
        self.pools[e.node] = (e.bonded_after, self.pools[e.node][1])

    @_take.register
    def _(self, e: events.StakeRefilled) -> None:
        self.vaults["stake"][pdas.stake_vault(self.program, e.node)] += e.amount
        self.refills[e.node] = e.refill_after

    @_take.register
    def _(self, e: events.UnbondRequested) -> None:
        bonded, unbonding = self.pools[e.node]
        self._agree("stake", e.node, bonded - e.amount, e.bonded_after)
        self._agree("stake", e.node, unbonding + e.amount, e.unbonding_after)
        self.pools[e.node] = (e.bonded_after, e.unbonding_after)

    @_take.register
    def _(self, e: events.StakeWithdrawn) -> None:
        self._pay("stake", pdas.stake_vault(self.program, e.node), e.staker, self.io, e.amount, e.owed)
        self._agree("stake", e.node, self.pools[e.node][1] - e.amount, e.unbonding_after)
        self.pools[e.node] = (self.pools[e.node][0], e.unbonding_after)

    @_take.register
    def _(self, e: events.NodeSlashed) -> None:
        bonded, unbonding = self.pools[e.node]
        self._agree("slashes", e.node, e.from_bonded + e.from_unbonding, e.amount)
        self._agree("slashes", e.node, e.to_renter + e.to_reporter + e.burned, e.amount)
        self._agree("slashes", e.node, bonded - e.from_bonded, e.bonded_after)
        self._agree("slashes", e.node, unbonding - e.from_unbonding, e.unbonding_after)
        self.pools[e.node] = (e.bonded_after, e.unbonding_after)
        self.slashed[e.node] += e.amount
        self.vaults["stake"][pdas.stake_vault(self.program, e.node)] -= e.amount
        self._burn(self.io, e.burned)

    @_take.register
    def _(self, e: events.RewardsAdded) -> None:
        self.vaults["stake"][pdas.stake_vault(self.program, e.node)] += e.amount
        self._rewarded(e, e.to_owner + e.to_co_stakers)

    @_take.register
    def _(self, e: events.RewardsClaimed) -> None:
        self._pay("stake", pdas.stake_vault(self.program, e.node), e.staker, self.io, e.amount, e.owed)
        self._rewarded(e, -e.amount)

    def _rewarded(self, e: events.RewardsAdded | events.RewardsClaimed, amount: int) -> None:
        before = self.rewards[e.node, "owner"] + self.rewards[e.node, "co"]
        self._agree("pools", e.node, before + amount, e.owner_rewards_after + e.co_rewards_after)
        self.rewards[e.node, "owner"], self.rewards[e.node, "co"] = e.owner_rewards_after, e.co_rewards_after

    @_take.register
    def _(self, e: events.StakeVaultClosed) -> None:
        # The surplus, somebody's gift, is burned with the rest.
        del self.vaults["stake"][pdas.stake_vault(self.program, e.node)]
        self.pools[e.node] = (0, 0)
        self.rewards[e.node, "owner"] = self.rewards[e.node, "co"] = 0
        self._burn(self.io, e.surplus)

    # -- clusters

    @_take.register
    def _(self, e: events.ClusterOpened) -> None:
        self.vaults["escrow"][pdas.escrow(self.program, e.cluster)] += e.deposit
        self.mints[e.cluster] = e.mint
        self.clusters[e.cluster] = Counter(deposit=e.deposit)

    @_take.register
    def _(self, e: events.BudgetWithdrawn) -> None:
        self.vaults["escrow"][pdas.escrow(self.program, e.cluster)] -= e.amount
        self.clusters[e.cluster]["refunded"] += e.amount
        self._agree("escrow", e.cluster, self.clusters[e.cluster]["refunded"], e.refunded_after)

    @_take.register
    def _(self, e: events.LeaseBooked) -> None:
        self.clusters_of[e.lease] = e.cluster
        self.open_leases.add(e.lease)

    @_take.register
    def _(self, e: events.LeaseSettled) -> None:
        amount, cluster = e.supplier_amount + e.bond_paid, self.clusters[e.cluster]
        escrow, mint = pdas.escrow(self.program, e.cluster), self.mints[e.cluster]
        # The stakers' part leaves the escrow too: `IncomeShared` says where to.
        self._pay("escrow", escrow, e.payout, mint, amount - e.to_stakers, e.owed)
        self._agree("payouts", e.lease, self.paid[e.lease], e.paid_before)
        self.paid[e.lease] += e.supplier_amount + e.supplier_fee
        self._agree("payouts", e.lease, self.paid[e.lease], e.paid)
        cluster.update(paid=amount, fees=e.supplier_fee + e.renter_fee + e.burned, burned=e.burned)
        self._agree("payouts", e.cluster, cluster["paid"], e.cluster_paid_after)
        self._agree("fees", e.cluster, cluster["fees"], e.cluster_fees_after)

    @_take.register
    def _(self, e: events.LeaseCancelled) -> None:
        cluster = self.clusters[e.cluster]
        cluster.update(fees=e.burned, burned=e.burned)
        self._agree("fees", e.cluster, cluster["fees"], e.cluster_fees_after)

    @_take.register
    def _(self, e: events.LeaseClosed) -> None:
        self.open_leases.discard(e.lease)

    @_take.register
    def _(self, e: events.ClusterClosed) -> None:
        cluster, mint = self.clusters[e.cluster], self.mints[e.cluster]
        cluster["refunded"] += e.refund
        for name in ("deposit", "paid", "fees", "burned", "refunded"):
            self._agree("escrow", f"{e.cluster} {name}", cluster[name], getattr(e, name))
        self._agree("escrow", e.cluster, e.paid + e.fees + e.refunded, e.deposit)
        self._pay("escrow", pdas.escrow(self.program, e.cluster), e.renter, mint, e.refund, e.owed)
        del self.vaults["escrow"][pdas.escrow(self.program, e.cluster)]
        self._burn(mint, e.fees_to_burn)
        self._fees(mint, e.fees - e.fees_to_burn + e.surplus, e.fees_owed)
        self.closed.add(e.cluster)

    # -- income of stakers

    @_take.register
    def _(self, e: events.IncomeShared) -> None:
        self.vaults["escrow"][pdas.escrow(self.program, self.clusters_of[e.lease])] -= e.to_co_stakers
        waiting, vault = pdas.owed(self.program, e.mint, e.node), pdas.income_vault(self.program, e.node, e.mint)
        self.vaults["owed" if e.owed else "income"][waiting if e.owed else vault] += e.to_co_stakers
        self.income[e.node, e.mint] += e.to_co_stakers
        self._agree("income", e.node, self.income[e.node, e.mint], e.co_income_after)

    @_take.register
    def _(self, e: events.IncomeClaimed) -> None:
        vault = pdas.income_vault(self.program, e.node, e.mint)
        self._pay("income", vault, e.staker, e.mint, e.amount, e.owed)
        self.income[e.node, e.mint] -= e.amount
        self._agree("income", e.node, self.income[e.node, e.mint], e.co_income_after)

    @_take.register
    def _(self, e: events.IncomeVaultClosed) -> None:
        self.vaults["income"].pop(pdas.income_vault(self.program, e.node, e.mint), None)
        self.income.pop((e.node, e.mint), None)
        self._fees(e.mint, e.surplus, e.fees_owed)

    @_take.register
    def _(self, e: events.OwedClaimed) -> None:
        self.vaults["owed"][pdas.owed(self.program, e.mint, e.owner)] -= e.amount
        if e.owner == self.network:
            self._fees(e.mint, e.amount, 0)
        elif e.owner in self.pools:
            self.vaults["income"][pdas.income_vault(self.program, e.owner, e.mint)] += e.amount

    # -- IOSD

    @_take.register
    def _(self, e: events.IosdMinted) -> None:
        self.iosd.update(minted=e.iosd_minted, io_burned=e.io_burned)
        self._agree("minted", "IOSD", self.iosd["minted"], e.minted_after)
        self._agree("minted", "IO burned for IOSD", self.iosd["io_burned"], e.io_burned_after)

    @_take.register
    def _(self, e: events.IosdRedeemed) -> None:
        self.iosd.update(redeemed=e.iosd_burned, io_redeemed=e.io_minted)
        self._agree("minted", "IOSD redeemed", self.iosd["redeemed"], e.redeemed_after)
        self._agree("minted", "IO redeemed", self.iosd["io_redeemed"], e.io_redeemed_after)

    @_take.register
    def _(self, e: events.IoBoughtBack) -> None:
        self.vaults["fees"][pdas.fee_vault(self.program, self.currencies[1])] -= e.usdc_paid
        self._burned("io_other_burned", e.io_burned, e.io_other_burned_after)

    @_take.register
    def _(self, e: events.TokensBurned) -> None:
        self.vaults["burn"][pdas.burn_vault(self.program, e.mint)] -= e.amount
        self._burned("fee_burned" if e.mint == self.iosd_mint else "io_other_burned", e.amount, e.burned_after)

    def _burned(self, kind: str, amount: int, after: int) -> None:
        self.iosd[kind] += amount
        self._agree("minted", kind, self.iosd[kind], after)
