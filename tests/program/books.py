"""What everybody must hold, from nothing but the program's events. Compared with the chain after every step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any

from ionet.generated import events, pdas
from ionet.generated.accounts import Cluster, Iosd, Lease, Network, Node
from program.calls import ID, IO, IOSD, NETWORK, USD, ata
from program.chain import Chain
from solders.pubkey import Pubkey


@dataclass
class Books:
    """Token balances by account, and the tracked amounts of nodes and clusters."""

    usdc: Pubkey = IO  # the mint of USDC, where the network has vaults of it
    tokens: Counter[Pubkey] = field(default_factory=Counter)
    seqs: dict[Pubkey, int] = field(default_factory=dict)
    owners: dict[Pubkey, Pubkey] = field(default_factory=dict)
    renters: dict[Pubkey, Pubkey] = field(default_factory=dict)
    mints: dict[Pubkey, Pubkey] = field(default_factory=dict)
    clusters_of: dict[Pubkey, Pubkey] = field(default_factory=dict)
    stakes: dict[Pubkey, tuple[int, int]] = field(default_factory=dict)
    refills: Counter[Pubkey] = field(default_factory=Counter)
    rewards: dict[Pubkey, tuple[int, int]] = field(default_factory=dict)
    income: Counter[tuple[Pubkey, Pubkey]] = field(default_factory=Counter)  # co-stakers', by node and mint
    open_clusters: dict[Pubkey, dict[str, int]] = field(default_factory=dict)
    open_leases: set[Pubkey] = field(default_factory=set)
    iosd: Counter[str] = field(default_factory=Counter)

    def record(self, events: tuple[Any, ...]) -> None:
        for event in events:
            self._count(event)
            self._move(event)

    def _count(self, event: Any) -> None:
        """Every seq of an entity is in exactly one event: a hole would prove a loss."""
        entity, *_ = event.__struct_fields__
        counted = {getattr(event, entity): event.seq} if hasattr(event, "seq") else {}
        for other in ("node", "cluster"):
            if hasattr(event, f"{other}_seq"):
                counted[getattr(event, other)] = getattr(event, f"{other}_seq")
        for key, seq in counted.items():
            assert seq == self.seqs.get(key, 0) + 1, event
            self.seqs[key] = seq

    def transfer(self, source: Pubkey, to: Pubkey, amount: int) -> None:
        self.tokens[source] -= amount
        self.tokens[to] += amount

    def pay(self, source: Pubkey, wallet: Pubkey, mint: Pubkey, amount: int, owed: bool) -> None:
        """Out of a vault to a wallet, or to its owed account."""
        self.transfer(source, pdas.owed(ID, mint, wallet) if owed else ata(wallet, mint), amount)

    @singledispatchmethod
    def _move(self, event: Any) -> None:
        """Most events move nothing."""

    @_move.register
    def _(self, event: events.NodeRegistered) -> None:
        self.owners[event.node] = event.owner
        self.stakes[event.node] = (0, 0)

    @_move.register
    def _(self, event: events.Staked) -> None:
        # The owner's stake takes their refill along, which is in the vault already; its own event follows.
        there = self.refills[event.node] if event.staker == self.owners[event.node] else 0
        self.transfer(ata(event.staker, IO), pdas.stake_vault(ID, event.node), event.amount - there)
        self.stakes[event.node] = (event.bonded_after, self.stakes[event.node][1])

    @_move.register
    def _(self, event: events.StakeRefilled) -> None:
        self.transfer(ata(event.owner, IO), pdas.stake_vault(ID, event.node), event.amount)
        assert event.refill_after == (self.refills[event.node] + event.amount if event.amount else 0)
        self.refills[event.node] = event.refill_after

    @_move.register
    def _(self, event: events.RewardsAdded) -> None:
        self.transfer(ata(event.by, IO), pdas.stake_vault(ID, event.node), event.amount)
        assert event.amount == event.to_owner + event.to_co_stakers
        owner, co = self.rewards.get(event.node, (0, 0))
        self.rewards[event.node] = (owner + event.to_owner, co + event.to_co_stakers)
        assert self.rewards[event.node] == (event.owner_rewards_after, event.co_rewards_after)

    @_move.register
    def _(self, event: events.RewardsClaimed) -> None:
        self.pay(pdas.stake_vault(ID, event.node), event.staker, IO, event.amount, event.owed)
        assert event.amount == sum(self.rewards[event.node]) - event.owner_rewards_after - event.co_rewards_after
        self.rewards[event.node] = (event.owner_rewards_after, event.co_rewards_after)

    @_move.register
    def _(self, event: events.StakeVaultClosed) -> None:
        vault = pdas.stake_vault(ID, event.node)
        self.transfer(vault, pdas.burn_vault(ID, IO), event.surplus)
        assert self.tokens[vault] == self.refills[event.node] == 0
        self.stakes[event.node] = self.rewards[event.node] = (0, 0)

    @_move.register
    def _(self, event: events.UnbondRequested) -> None:
        bonded, unbonding = self.stakes[event.node]
        assert (bonded - event.amount, unbonding + event.amount) == (event.bonded_after, event.unbonding_after)
        self.stakes[event.node] = (event.bonded_after, event.unbonding_after)

    @_move.register
    def _(self, event: events.StakeWithdrawn) -> None:
        self.pay(pdas.stake_vault(ID, event.node), event.staker, IO, event.amount, event.owed)
        assert event.unbonding_before - event.amount == event.unbonding_after
        self.stakes[event.node] = (self.stakes[event.node][0], event.unbonding_after)

    @_move.register
    def _(self, event: events.NodeSlashed) -> None:
        vault = pdas.stake_vault(ID, event.node)
        assert event.amount == event.from_bonded + event.from_unbonding
        assert event.amount == event.to_renter + event.to_reporter + event.burned
        bonded, unbonding = self.stakes[event.node]
        assert event.bonded_after == bonded - event.from_bonded
        assert event.unbonding_after == unbonding - event.from_unbonding
        self.stakes[event.node] = (event.bonded_after, event.unbonding_after)
        if event.to_renter:
            self.transfer(vault, ata(self.renters[self.clusters_of[event.lease]], IO), event.to_renter)
        if event.to_reporter:
            self.transfer(vault, ata(event.reporter, IO), event.to_reporter)
        self.transfer(vault, pdas.burn_vault(ID, IO), event.burned)

    @_move.register
    def _(self, event: events.IosdMinted) -> None:
        self.tokens[ata(event.wallet, IO)] -= event.io_burned
        self.tokens[ata(event.wallet, USD)] += event.iosd_minted
        self.iosd.update(minted=event.iosd_minted, io_burned=event.io_burned)
        assert (event.minted_after, event.io_burned_after) == (self.iosd["minted"], self.iosd["io_burned"])

    @_move.register
    def _(self, event: events.IosdRedeemed) -> None:
        self.tokens[ata(event.wallet, USD)] -= event.iosd_burned
        self.tokens[ata(event.wallet, IO)] += event.io_minted
        self.iosd.update(redeemed=event.iosd_burned, io_redeemed=event.io_minted)
        assert (event.redeemed_after, event.io_redeemed_after) == (self.iosd["redeemed"], self.iosd["io_redeemed"])

    @_move.register
    def _(self, event: events.IoBoughtBack) -> None:
        self.tokens[ata(event.seller, IO)] -= event.io_burned
        self.transfer(pdas.fee_vault(ID, self.usdc), ata(event.seller, self.usdc), event.usdc_paid)
        self.iosd["io_other_burned"] += event.io_burned
        assert event.io_other_burned_after == self.iosd["io_other_burned"]

    @_move.register
    def _(self, event: events.TokensBurned) -> None:
        self.tokens[pdas.burn_vault(ID, event.mint)] -= event.amount
        kind = "fee_burned" if event.mint == USD else "io_other_burned"
        self.iosd[kind] += event.amount
        assert event.burned_after == self.iosd[kind]

    @_move.register
    def _(self, event: events.ClusterOpened) -> None:
        self.transfer(ata(event.renter, event.mint), pdas.escrow(ID, event.cluster), event.deposit)
        self.mints[event.cluster] = event.mint
        self.renters[event.cluster] = event.renter
        amounts = {"deposit": event.deposit, "locked": 0, "paid": 0, "fees": 0, "burned": 0, "refunded": 0}
        self.open_clusters[event.cluster] = amounts

    @_move.register
    def _(self, event: events.BudgetWithdrawn) -> None:
        self.transfer(
            pdas.escrow(ID, event.cluster), ata(self.renters[event.cluster], self.mints[event.cluster]), event.amount
        )
        self.open_clusters[event.cluster]["refunded"] = event.refunded_after

    @_move.register
    def _(self, event: events.LeaseBooked) -> None:
        self.clusters_of[event.lease] = event.cluster
        self.open_leases.add(event.lease)
        self.open_clusters[event.cluster]["locked"] = event.cluster_locked_after

    @_move.register
    def _(self, event: events.LeaseExtended) -> None:
        self.open_clusters[event.cluster]["locked"] = event.cluster_locked_after

    @_move.register
    def _(self, event: events.LeaseDisputed) -> None:
        cluster = self.open_clusters[event.cluster]
        assert event.cluster_locked_after == cluster["locked"] + event.bond
        cluster["locked"] = event.cluster_locked_after

    @_move.register
    def _(self, event: events.DisputeResolved) -> None:
        cluster = self.open_clusters[event.cluster]
        assert event.cluster_locked_after == cluster["locked"] - event.bond_returned
        cluster["locked"] = event.cluster_locked_after

    @_move.register
    def _(self, event: events.LeaseSettled) -> None:
        amount = event.supplier_amount + event.bond_paid
        # The stakers' part leaves the escrow too: `IncomeShared` says where to.
        to_payout = amount - event.to_stakers
        self.pay(pdas.escrow(ID, event.cluster), event.payout, self.mints[event.cluster], to_payout, event.owed)
        assert event.paid - event.paid_before == event.supplier_amount + event.supplier_fee
        cluster = self.open_clusters[event.cluster]
        assert event.cluster_paid_after == cluster["paid"] + amount
        assert event.cluster_fees_after == cluster["fees"] + event.supplier_fee + event.renter_fee + event.burned
        cluster["paid"], cluster["fees"] = event.cluster_paid_after, event.cluster_fees_after
        cluster["burned"] += event.burned
        cluster["locked"] = event.cluster_locked_after

    @_move.register
    def _(self, event: events.LeaseCancelled) -> None:
        cluster = self.open_clusters[event.cluster]
        assert event.cluster_fees_after == cluster["fees"] + event.burned
        assert event.cluster_locked_after == cluster["locked"] - event.burned - event.released
        cluster["fees"], cluster["locked"] = event.cluster_fees_after, event.cluster_locked_after
        cluster["burned"] += event.burned

    @_move.register
    def _(self, event: events.IncomeShared) -> None:
        escrow = pdas.escrow(ID, self.clusters_of[event.lease])
        owed = pdas.owed(ID, event.mint, event.node)
        vault = owed if event.owed else pdas.income_vault(ID, event.node, event.mint)
        self.transfer(escrow, vault, event.to_co_stakers)
        self.income[event.node, event.mint] += event.to_co_stakers
        assert event.to_co_stakers <= event.amount
        assert event.co_income_after == self.income[event.node, event.mint]

    @_move.register
    def _(self, event: events.IncomeClaimed) -> None:
        vault = pdas.income_vault(ID, event.node, event.mint)
        self.pay(vault, event.staker, event.mint, event.amount, event.owed)
        self.income[event.node, event.mint] -= event.amount
        assert event.co_income_after == self.income[event.node, event.mint]

    @_move.register
    def _(self, event: events.IncomeVaultClosed) -> None:
        """Roundings are left, and what somebody sent in."""
        vault = pdas.income_vault(ID, event.node, event.mint)
        self.transfer(vault, pdas.fee_vault(ID, event.mint), event.surplus)
        assert self.tokens[vault] == 0
        assert 0 <= self.income.pop((event.node, event.mint), 0) <= event.surplus

    @_move.register
    def _(self, event: events.LeaseClosed) -> None:
        self.open_leases.remove(event.lease)
        cluster = self.open_clusters[event.cluster]
        assert event.cluster_locked_after == cluster["locked"] - event.released
        cluster["locked"] = event.cluster_locked_after

    @_move.register
    def _(self, event: events.ClusterClosed) -> None:
        escrow = pdas.escrow(ID, event.cluster)
        cluster = self.open_clusters.pop(event.cluster)
        assert event.deposit == event.paid + event.fees + event.refunded
        assert event.burned == cluster["burned"] <= event.fees == cluster["fees"]
        assert event.refund == event.refunded - cluster["refunded"]
        mint = self.mints[event.cluster]
        self.pay(escrow, event.renter, mint, event.refund, event.owed)
        self.transfer(escrow, pdas.burn_vault(ID, mint), event.fees_to_burn)
        self.transfer(escrow, pdas.fee_vault(ID, mint), event.fees - event.fees_to_burn + event.surplus)
        assert self.tokens[escrow] == 0

    # -- against the chain

    def check(self, chain: Chain) -> None:
        for key, amount in self.tokens.items():
            assert chain.tokens(key) == amount >= 0, key
        for key, stakes in self.stakes.items():
            node = chain.get(Node, key)
            assert (node.bonded.amount, node.unbonding.amount) == stakes
            rewards = self.rewards.get(key, (0, 0))
            assert (node.owner_rewards, node.co_rewards, node.refill) == (*rewards, self.refills[key])
            assert chain.tokens(pdas.stake_vault(ID, key)) >= sum(stakes) + sum(rewards) + node.refill
            assert node.co_settled <= node.co_rewards
            income = tuple(self.income[key, mint] for mint in (USD, self.usdc, IO))
            assert node.co_income == income
            assert all(settled <= held for settled, held in zip(node.co_income_settled, income, strict=True))
            assert node.seq == self.seqs[key]
        books = chain.get(Iosd, IOSD)
        assert {name: getattr(books, name) for name in self.iosd} == self.iosd
        assert (books.seq, chain.get(Network, NETWORK).seq) == (self.seqs.get(IOSD, 0), self.seqs.get(NETWORK, 0))
        reserved: Counter[Pubkey] = Counter()
        for key in self.open_leases:
            lease = chain.get(Lease, key)
            assert lease.seq == self.seqs[key]
            reserved[lease.cluster] += lease.locked + lease.dispute_bond + lease.bond_due
            assert lease.matured_secs + lease.missed_secs <= lease.duration
            assert lease.burned <= chain.get(Cluster, lease.cluster).burned
        for key, amounts in self.open_clusters.items():
            cluster = chain.get(Cluster, key)
            assert {name: getattr(cluster, name) for name in amounts} == amounts
            escrow = cluster.deposit - cluster.paid - cluster.fees - cluster.refunded
            assert 0 <= cluster.locked == reserved[key] <= escrow
            assert cluster.burned <= cluster.fees
            assert chain.tokens(pdas.escrow(ID, key)) >= escrow + cluster.fees
            assert cluster.seq == self.seqs[key]
