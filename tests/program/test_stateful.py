"""Several suppliers, renters and strangers do anything in any order, right or wrong, while time moves or stands still.

After every step the chain is compared with what the events alone say (`books.py`); at the end everything is pushed to
zero. IONET_STATEFUL_EXAMPLES lengthens the run.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ionet import pda
from ionet.errors import ChainRefused, ProgramError
from ionet.program import PROGRAM
from ionet.types import Cluster, Iosd, Lease, StakePosition
from program import calls
from program.books import Books
from program.calls import ID, IO, IOSD, USD, ClusterRef, LeaseRef, NodeRef, ata
from program.chain import TOKEN_PROGRAM, Call, error_name, who
from program.world import H100, IO_UNIT, T4, World, required_stake
from solders.keypair import Keypair
from solders.pubkey import Pubkey

EXAMPLES = int(os.environ.get("IONET_STATEFUL_EXAMPLES", "50"))
STEPS = 60
# Refusals of the runtime, of Anchor and of the token program that a random step may meet. `Overflow` is not among
# them: with amounts like these it would mean that the books do not add up.
OTHER_REFUSALS = {
    "Custom 1",  # not enough tokens
    "AccountDataTooSmall",  # closed in the meantime
    "InvalidSeeds",  # the node's next lease has another number
    "IllegalOwner",
    "ConstraintDuplicateMutableAccount",
}
MODELS = {"a": (H100, 8), "b": (T4, 2), "both": (H100, 1)}
BOOKED, READY, ACTIVE, ENDED, CANCELLED = 1, 2, 3, 4, 5

PUSHES = ["settle_lease", "report_missed", "end_lease", "quit_lease", "cancel_lease", "close_lease", "extend_lease"]

picks = st.integers(0, 1_000)
amounts = st.sampled_from([0, 1, 777, 5_000_000, 10 * IO_UNIT, 4_000 * IO_UNIT, 2**63])


# Kinds of events that the run met, with their reasons: a run that reaches little proves little.
REACHED: set[str] = set()


class Network(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.leases: list[LeaseRef] = []
        self.clusters: list[ClusterRef] = []

    @initialize(profile=st.sampled_from([calls.MAINNET, calls.LOCAL]), intervals=st.sampled_from([12, 60, 900, 900]))
    def start(self, profile: int, intervals: float) -> None:
        """Three suppliers with stake, two renters with a cluster each, a lease that runs and one that is ready."""
        self.world = World.started(profile)
        world = self.world
        self.params = world.params
        # `both` rents and supplies.
        self.nodes = {name: NodeRef(who(f"wallet {name}"), who(f"device {name}")) for name in MODELS}
        self.renters = [who("wallet renter"), who("wallet both")]
        self.wallets = [who(f"wallet {name}") for name in ("a", "b", "both", "renter")]
        for wallet in (*self.wallets, world.stranger):
            world.fund(wallet.pubkey())
            world.give_io(wallet, 50_000 * IO_UNIT)
            world.open_ata(wallet, USD)
        for mint in (IO, USD):
            for wallet in (*self.wallets, world.stranger):
                self.books.tokens[ata(wallet, mint)] = world.tokens(ata(wallet, mint))
        self.books.seqs[IOSD] = 0
        self.lamports = {wallet: world.lamports(wallet.pubkey()) for wallet in self.wallets}
        for name, node in self.nodes.items():
            model, processors = MODELS[name]
            offer = calls.terms(node.owner, min_duration=1, price=1_234_567)
            self.attempt(calls.register_node(node, model, processors, offer), calls.stake(node, self.required(name)))
        for renter in self.renters:
            self.attempt(calls.mint_iosd(renter, world.oracle, 5_000 * IO_UNIT))
            self.open(renter, 5_000_000_000)
        for pick in range(2):
            self.book(pick, pick * 8 + 1, intervals)
            self.attempt(calls.mark_ready(self.leases[pick]))
        self.attempt(calls.accept_ready(self.leases[0]))

    def required(self, name: str) -> int:
        return required_stake(*MODELS[name])

    def attempt(self, *tried: Call) -> bool:
        """Sends one transaction and records its events; False if it was refused for a reason that is one."""
        try:
            landed = self.world.do(*tried)
        except ChainRefused as refusal:
            name = error_name(refusal)
            allowed = name != "Overflow" if isinstance(refusal, ProgramError) else name in OTHER_REFUSALS
            if not allowed:
                raise AssertionError(f"{[call.name for call in tried]}: {refusal.logs}") from refusal
            return False
        self.books.record(landed.events)
        REACHED.update(f"{type(event).__name__}{getattr(event, 'reason', '')}" for event in landed.events)
        return True

    def node(self, pick: int) -> NodeRef:
        return list(self.nodes.values())[pick % len(self.nodes)]

    def lease(self, pick: int) -> LeaseRef:
        """Mostly a lease that is open; now and then one that was closed."""
        open_ = [lease for lease in self.leases if lease.key in self.books.open_leases]
        choice = open_ if open_ and pick % 8 else self.leases
        return choice[pick % len(choice)]

    def cluster(self, pick: int) -> ClusterRef:
        open_ = [cluster for cluster in self.clusters if cluster.key in self.books.open_clusters]
        choice = open_ if open_ and pick % 8 else self.clusters
        return choice[pick % len(choice)]

    def anyone(self, pick: int) -> Keypair:
        everyone = [*self.wallets, self.world.stranger]
        return everyone[pick % len(everyone)]

    # -- time

    @rule(intervals=st.sampled_from([0.01, 0.5, 1, 1, 1, 2, 3, 3, 3, 7, 8, 12, 350]), stalled=st.integers(0, 4))
    def wait(self, intervals: float, stalled: int) -> None:
        secs = int(intervals * self.params.interval_secs)
        self.world.warp(secs, slots=1 if stalled == 0 else None)

    # -- leases

    @rule(pick=picks, other=picks, intervals=st.sampled_from([0.1, 2, 12, 12.3, 60, 900]))
    def book(self, pick: int, other: int, intervals: float) -> None:
        node, cluster = self.node(pick), self.cluster(other)
        found = self.world.of_node(node)
        lease = LeaseRef(node, cluster, found.next_lease_number)
        duration = int(intervals * self.params.interval_secs)
        if self.attempt(calls.add_lease(lease, found.model, duration, found.price, found.terms_seq)):
            self.leases.append(lease)

    @rule(pick=picks, by=picks)
    def fall_through(self, pick: int, by: int) -> None:
        """A lease that somebody leaves or lets lie before its time."""
        lease = self.lease(pick)
        if lease.key not in self.books.open_leases:
            return
        status = self.world.of(lease).status
        if status in (BOOKED, READY):
            self.world.warp(self.params.ready_deadline_secs)
            self.attempt(calls.cancel_lease(lease))
        elif by % 3 == 0:
            self.attempt(calls.quit_lease(lease))
        elif by % 3 == 1:
            self.attempt(calls.end_lease(lease, lease.cluster.renter))
        else:
            # Long enough a silence that a stranger may end it, if the lease lasts that long.
            self.world.warp(self.params.fault_after_secs + 2 * self.params.interval_secs)
            self.attempt(calls.end_lease(lease, self.world.stranger))

    @rule(pick=picks, intervals=st.integers(1, 12))
    def progress(self, pick: int, intervals: int) -> None:
        """What an honest supplier and renter would do next, so that leases live through their whole lives."""
        lease = self.lease(pick)
        if lease.key not in self.books.open_leases:
            return
        found = self.world.of(lease)
        if found.status == BOOKED:
            self.attempt(calls.mark_ready(lease))
        elif found.status == READY:
            self.attempt(calls.accept_ready(lease))
        elif found.status == ACTIVE and self.world.now < found.ends_at:
            for _ in range(intervals):
                self.world.warp(found.interval_secs)
                self.prove(pick, 1, 1.0)
            if intervals > 6:
                self.attempt(calls.settle_lease(lease))
        else:
            self.world.warp(found.interval_secs)
            self.attempt(calls.settle_lease(lease))
            self.attempt(calls.close_lease(lease))

    @rule(pick=picks, back=st.integers(-1, 2), part=st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.0, 1.5]))
    def prove(self, pick: int, back: int, part: float) -> None:
        lease = self.lease(pick)
        if lease.key in self.books.open_leases:
            found = self.world.of(lease)
            interval = (self.world.now - found.started_at) // found.interval_secs - back if found.started_at else 0
            self.attempt(calls.append_proof(lease, max(interval, 0), int(part * found.interval_secs)))

    @rule(pick=picks, name=st.sampled_from(PUSHES), by=picks)
    def push(self, pick: int, name: str, by: int) -> None:
        """One of the instructions on a lease, whether its time has come or not."""
        lease = self.lease(pick)
        if name == "report_missed":
            self.attempt(calls.report_missed(lease, self.anyone(by), rewarded=by % 3 > 0))
        elif name == "end_lease":
            self.attempt(calls.end_lease(lease, lease.cluster.renter if by % 2 else self.anyone(by)))
        elif name == "extend_lease":
            self.attempt(calls.extend_lease(lease, self.world.of_node(lease.node).model, by * 7))
        else:
            make: Any = getattr(calls, name)
            self.attempt(make(lease))

    # -- suppliers, renters, and things that happen

    @rule(pick=picks, name=st.sampled_from(["stake", "request_unbond", "withdraw", "pause", "update"]), amount=amounts)
    def supply(self, pick: int, name: str, amount: int) -> None:
        node = self.node(pick)
        if name == "withdraw" and amount == 2**63 and pick % 3 == 0:
            self.attempt(calls.retire_node(node, staked=self.world.exists(node.position)))
        elif name == "pause":
            self.attempt(calls.pause_node(node, amount % 4 == 1))
        elif name == "update":
            self.attempt(calls.update_node(node, calls.terms(node.owner, min_duration=1, price=1 + amount % 10**7)))
        elif name == "withdraw":
            self.attempt(calls.withdraw(node))
        else:
            make: Any = getattr(calls, name)
            self.attempt(make(node, amount))

    @rule(pick=picks, name=st.sampled_from(["mint", "open", "take_back", "close"]), amount=amounts)
    def rent(self, pick: int, name: str, amount: int) -> None:
        renter = self.renters[pick % 2]
        if name == "mint":
            price = 1_000_000 * (1 + pick)
            self.world.post_price(price, conf=price // 200)
            self.attempt(calls.mint_iosd(renter, self.world.oracle, amount))
        elif name == "open":
            self.open(renter, amount)
        elif name == "take_back":
            self.attempt(calls.withdraw_budget(self.cluster(pick), amount))
        else:
            self.attempt(calls.close_cluster(self.cluster(pick), signed=pick % 2 == 0))

    def open(self, renter: Keypair, deposit: int) -> None:
        number = sum(cluster.renter == renter for cluster in self.clusters)
        cluster = ClusterRef(renter, number, who(f"session {number}"))
        if self.attempt(calls.open_cluster(cluster, deposit, self.world.now + 10**8)):
            self.clusters.append(cluster)

    @rule(
        pick=picks,
        by=picks,
        name=st.sampled_from(["burn", "donate", "donate", "restart"]),
        amount=st.integers(1, 10**6),
    )
    def odd(self, pick: int, by: int, name: str, amount: int) -> None:
        """Somebody burns what is to be burned, sends tokens straight into a vault, or the chain was restarted."""
        if name == "burn":
            self.attempt(calls.burn((IO, USD)[pick % 2]))
        elif name == "restart":
            self.world.svm.set_last_restart_slot(self.world.slot)
        else:
            giver = self.anyone(by)
            to, mint = (self.cluster(pick).escrow, USD) if pick % 2 else (self.node(pick).vault, IO)
            if self.world.exists(to) and self.world.tokens(ata(giver, mint)) >= amount:
                self.world.move(giver, to, mint, amount)
                self.books.transfer(ata(giver, mint), to, amount)

    # -- what must hold

    @invariant()
    def books_and_chain_agree(self) -> None:
        self.books.check(self.world)

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        world = self.world
        held = {IO: 0, USD: 0}
        for _, account in world.svm.get_program_accounts(TOKEN_PROGRAM):
            mint = Pubkey(account.data[:32]) if len(account.data) == 165 else None
            if mint in held:
                held[mint] += int.from_bytes(account.data[64:72], "little")
        books = world.get(Iosd, IOSD)
        assert held[IO] == world.supply(IO) == 500_000_000 * IO_UNIT - books.io_burned - books.io_other_burned
        assert held[USD] == world.supply(USD) == books.minted - books.redeemed - books.fee_burned

    @invariant()
    def shares_add_up(self) -> None:
        for node in self.nodes.values():
            found = self.world.of_node(node)
            assert found.owner_bonded_shares == found.bonded.shares
            assert found.owner_unbonding_shares == found.unbonding.shares
            bonded = unbonding = 0
            if self.world.exists(node.position):
                position = self.world.get(StakePosition, node.position)
                bonded = position.shares if position.era == found.bonded.era else 0
                unbonding = sum(ticket.shares for ticket in position.tickets if ticket.era == found.unbonding.era)
            assert (bonded, unbonding) == (found.bonded.shares, found.unbonding.shares)

    # -- the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for lease in self.leases:
            self.finish(lease)
        self.world.warp(self.params.idle_close_secs)
        for cluster in self.clusters:
            if self.world.exists(cluster.key):
                assert self.attempt(calls.close_cluster(cluster, signed=False))
        for mint in (IO, USD):
            if self.world.tokens(pda.burn_vault(ID, mint)):
                assert self.attempt(calls.burn(mint))
        for node in self.nodes.values():
            self.empty(node)
        self.books_and_chain_agree()
        self.nothing_is_made_or_lost()
        kinds = [PROGRAM.codec.account_discriminator(kind) for kind in (Lease, Cluster, StakePosition)]
        left = [account for _, account in self.world.svm.get_program_accounts(ID) if account.data[:8] in kinds]
        assert left == []
        self.rent_came_back()

    def finish(self, lease: LeaseRef) -> None:
        """Strangers push a lease to its end, whatever state it is in."""
        world = self.world
        if not world.exists(lease.key):
            return
        status = world.of(lease).status
        if status in (BOOKED, READY):
            world.warp(self.params.ready_deadline_secs)
            assert self.attempt(calls.cancel_lease(lease))
        elif status in (ACTIVE, ENDED):
            found = world.of(lease)
            world.warp(max(0, found.ends_at - world.now) + 10 * self.params.interval_secs)
            assert self.attempt(calls.settle_lease(lease))
            while not self.attempt(calls.close_lease(lease)):
                assert self.attempt(calls.report_missed(lease, world.stranger))
            return
        assert self.attempt(calls.close_lease(lease))

    def empty(self, node: NodeRef) -> None:
        """The owner takes everything out; what rounding leaves in the pools is less than a unit per ticket."""
        found = self.world.of_node(node)
        if self.world.exists(node.position):
            if found.bonded.shares and not self.attempt(calls.request_unbond(node, 2**64 - 1)):
                self.world.warp(self.params.unbond_cooldown_secs)
                self.attempt(calls.withdraw(node))
                self.attempt(calls.request_unbond(node, 2**64 - 1))
            self.world.warp(10**8)
            assert self.attempt(calls.withdraw(node))
        found = self.world.of_node(node)
        assert found.bonded.amount + found.unbonding.amount <= 16

    def rent_came_back(self) -> None:
        """Only accounts that are never closed still hold their payers' rent."""
        for wallet in self.wallets:
            kept = [pda.renter(ID, wallet.pubkey())]
            for node in self.nodes.values():
                kept += [node.key, node.vault] if node.owner == wallet else []
            spent = self.lamports[wallet] - self.world.lamports(wallet.pubkey())
            assert spent == sum(self.world.lamports(key) for key in kept)


Network.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestNetwork = Network.TestCase


def test_the_run_reached_every_part_of_a_life() -> None:
    if not REACHED:
        pytest.skip("the run was not selected")
    ends = {"LeaseEnded1", "LeaseEnded3", "LeaseEnded4", "LeaseCancelled6", "LeaseClosed", "ClusterClosed"}
    money = {"LeaseSettled", "BudgetWithdrawn", "TokensBurned", "StakeWithdrawn", "NodeSlashed1", "NodeSlashed2"}
    assert ends | money | {"ProofAppended", "NodeFlagsChanged"} <= REACHED
