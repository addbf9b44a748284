"""Who takes part in the random lives, how they act, and how what they did is recorded."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from ionet.errors import ChainRefused, ProgramError
from ionet.generated import pdas
from ionet.generated.accounts import Lease, Network, Node
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import NodeSlashed
from program import calls, currencies, governance, staking
from program.books import Books
from program.calls import EVERY_CURRENCY, ID, IO, IOSD, NETWORK, USD, ata
from program.chain import Call, Landed, error_name, who
from program.lives.agent import Agent
from program.lives.attacker import Attack
from program.lives.flows import Flows
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, IO_UNIT, T4, USD_UNIT, World, required_stake
from solders.keypair import Keypair
from solders.pubkey import Pubkey

# Refusals of the runtime, of Anchor and of the token program that a random step may meet. `Overflow` is not among
# them: with amounts like these it would mean that the books do not add up.
OTHER_REFUSALS = {
    "Custom 0",  # there is such an account already
    "Custom 1",  # not enough tokens
    "Custom 4",  # the token account was given away
    "Custom 17",  # the token account is frozen
    "AccountDataTooSmall",  # closed in the meantime
    "AccountAlreadyInitialized",  # or opened
    "UninitializedAccount",
    "InvalidSeeds",  # the node's next lease has another number
    "IllegalOwner",
    "ConstraintDuplicateMutableAccount",
}
MODELS = {"a": (H100, 8), "b": (T4, 2), "both": (H100, 1)}
BOOKED, READY, ACTIVE, ENDED, CANCELLED = LeaseStatus
MOST_NODES, MOST_CLUSTERS = 6, 12

picks = st.integers(0, 1_000)
amounts = st.sampled_from([0, 1, 777, 5_000_000, 10 * IO_UNIT, 4_000 * IO_UNIT, 2**63])

# What all lives together met: kinds of events with their reasons, instructions that succeeded, attacks by instruction.
REACHED: set[str] = set()
DONE: Counter[str] = Counter()
ATTACKED: Counter[str] = Counter()


class Base(RuleBasedStateMachine):
    """Three suppliers, three renters, co-stakers, a stranger who pushes and reports, the roles, and a thief."""

    def __init__(self) -> None:
        super().__init__()
        self.leases: list[LeaseRef] = []
        self.clusters: list[ClusterRef] = []
        self.sessions: dict[Pubkey, Keypair] = {}
        self.agents: dict[Pubkey, Agent] = {}
        self.spares: set[tuple[Pubkey, Pubkey]] = set()
        self.attacks: list[Attack] = []
        self.flows = Flows()
        self.excuses: dict[Pubkey, set[tuple[int, int]]] = {}
        self.refusal = ""

    @initialize(profile=st.sampled_from([calls.MAINNET, calls.LOCAL]), intervals=st.sampled_from([12, 60, 900, 900]))
    def start(self, profile: int, intervals: float) -> None:
        """Three suppliers with stake, a cluster in each currency, a lease that runs and one that is ready."""
        self.world = world = World.started(profile)
        self.mints = (IO, USD, world.usdc)
        self.books = Books(usdc=world.usdc)
        self.nodes = {name: NodeRef(who(f"wallet {name}"), who(f"device {name}")) for name in MODELS}
        # `both` rents and supplies; `co a` and `co b` only stake.
        self.renters = [who("wallet renter"), who("wallet both"), who("wallet third")]
        self.wallets = [who(f"wallet {name}") for name in ("a", "b", "both", "renter", "third", "co a", "co b")]
        self.thief = who("thief")
        for wallet in (*self.wallets, world.stranger, world.treasury, self.thief):
            world.fund(wallet.pubkey())
            for mint in self.mints:
                world.open_ata(wallet, mint)
        for wallet in (*self.wallets, world.stranger):
            world.give_io(wallet, 50_000 * IO_UNIT)
        for renter in self.renters:
            world.give_usdc(renter, 50_000 * USD_UNIT)
        self.everyone = {key.pubkey(): key for key in (*self.wallets, world.stranger)}
        self.remember()
        self.attempt(calls.init_vaults(world.stranger, world.usdc))
        for name, node in self.nodes.items():
            model, processors = MODELS[name]
            offer = calls.terms(node.owner, min_duration=1, price=1_234_567, currencies=EVERY_CURRENCY)
            self.attempt(calls.register_node(node, model, processors, offer), calls.stake(node, self.required(name)))
        for mint, renter in zip((USD, IO, world.usdc), self.renters, strict=True):
            self.attempt(calls.mint_iosd(renter, world.oracle, 5_000 * IO_UNIT))
            self.open(renter, mint, 5_000 * (IO_UNIT if mint == IO else USD_UNIT))
        for pick, name in enumerate(("a", "b")):
            self.book(self.nodes[name], self.clusters[pick], int(intervals * world.params.interval_secs))
            self.attempt(calls.mark_ready(self.leases[pick]))
        self.attempt(calls.accept_ready(self.leases[0]))

    def remember(self) -> None:
        """Balances at the start: of tokens for the books, of lamports for whoever pays rent, and of all for the end."""
        world = self.world
        for mint in self.mints:
            for wallet in (*self.everyone, world.treasury.pubkey(), self.thief.pubkey()):
                self.books.tokens[ata(wallet, mint)] = world.tokens(ata(wallet, mint))
        self.books.seqs.update({IOSD: 0, NETWORK: 1, pdas.model(ID, H100): 1, pdas.model(ID, T4): 1})
        self.lamports = {wallet: world.lamports(wallet.pubkey()) for wallet in self.wallets}
        self.usdc_issued = world.supply(world.usdc)

    def required(self, name: str) -> int:
        return required_stake(*MODELS[name])

    # -- acting

    def attempt(self, *tried: Call) -> bool:
        """Sends one transaction and records its events; False if it was refused for a reason that is one.

        An attack that is waiting goes first: the same call with a wrong account, which must change nothing.
        """
        armed = self.attacks.pop() if self.attacks and len(tried) == 1 else None
        struck = armed is not None and armed.strike(self.world, tried[0], self.thief, self.record)
        try:
            landed = self.world.do(*tried)
        except ChainRefused as refusal:
            name = error_name(refusal)
            allowed = name != "Overflow" if isinstance(refusal, ProgramError) else name in OTHER_REFUSALS
            if not allowed:
                raise AssertionError(f"{[call.name for call in tried]}: {name} {refusal.logs}") from refusal
            self.refusal = name
            return False
        self.record(landed)
        DONE.update(call.name for call in tried)
        ATTACKED.update([tried[0].name] if struck else [])
        return True

    def record(self, landed: Landed) -> None:
        self.books.record(landed.events)
        self.flows.record(landed.events)
        for event in landed.events:
            if isinstance(event, NodeSlashed):
                self.flows.harmed(event, self.world.get(Node, event.node))
        REACHED.update(f"{type(event).__name__}{getattr(event, 'reason', '')}" for event in landed.events)

    def payable(self, call: Call, wallet: Pubkey, mint: Pubkey, prepared: bool = True) -> Call:
        """The call with the recipient's owed account, opened by a stranger, where they cannot receive otherwise."""
        if self.can_receive(wallet, mint) or not prepared:
            return call
        if not self.world.exists(pdas.owed(ID, mint, wallet)):
            # Nobody opens their own: payer and owner would be one account of the instruction.
            payer = self.world.treasury if wallet == self.world.stranger.pubkey() else self.world.stranger
            assert self.attempt(staking.open_owed(payer, wallet, mint)), self.refusal
        return staking.with_owed(call, wallet, mint)

    def can_receive(self, wallet: Pubkey, mint: Pubkey) -> bool:
        key = ata(wallet, mint)
        if not self.world.exists(key):
            return False
        data = self.world.raw(key).data
        return data[32:64] == bytes(wallet) and data[108] == 1

    def open(self, renter: Keypair, mint: Pubkey, deposit: int) -> None:
        number = sum(cluster.renter == renter for cluster in self.clusters)
        cluster = ClusterRef(renter, number, who(f"session {renter.pubkey()} {number}"))
        call = calls.open_cluster(cluster, deposit, self.world.now + 10**8)
        if self.attempt(currencies.paid_in(mint, call, renter)):
            self.clusters.append(cluster)
            self.sessions[cluster.key] = cluster.session

    def book(self, node: NodeRef, cluster: ClusterRef, duration: int) -> bool:
        found = self.world.of_node(node)
        lease = LeaseRef(node, cluster, found.next_lease_number)
        call = calls.add_lease(lease, found.model, duration, found.price, found.terms_seq)
        if self.mint_of(cluster) == IO or found.min_coverage_bps:
            self.world.post_price(3 * IO_UNIT)
            call = currencies.priced(call, self.world.oracle)
        if not self.attempt(call):
            return False
        self.leases.append(lease)
        self.agents[lease.key] = Agent(lease)
        return True

    def settle(self, lease: LeaseRef, prepared: bool = True) -> bool:
        mint, payout = self.mint_of(lease.cluster), self.world.of_node(lease.node).payout
        call = calls.settle_lease(lease).swapped(payout_account=ata(payout, mint))
        if self.world.exists(lease.key) and self.world.of(lease).income_share_bps:
            call = staking.filled(call, income_vault=pdas.income_vault(ID, lease.node.key, mint))
        return self.attempt(self.payable(call, payout, mint, prepared))

    def close(self, cluster: ClusterRef, signed: bool, prepared: bool = True) -> bool:
        mint = self.mint_of(cluster)
        call = currencies.paid_in(mint, calls.close_cluster(cluster, signed), cluster.renter)
        return self.attempt(self.payable(call, cluster.renter.pubkey(), mint, prepared))

    def withdraw(self, held: NodeRef, prepared: bool = True) -> bool:
        return self.attempt(self.payable(calls.withdraw(held), held.owner.pubkey(), IO, prepared))

    def stake(self, node: NodeRef, amount: int, staker: Keypair | None = None) -> bool:
        """A stranger names the lease that the node is in."""
        found = self.world.of_node(node)
        lease = next((lease for lease in self.leases if lease.key == found.current_lease), None)
        named = None if staker in (None, node.owner) else lease
        return self.attempt(calls.stake(node, amount, staker, named))

    def claim_income(self, held: NodeRef, mint: Pubkey, prepared: bool = True) -> bool:
        call = staking.claim_income(held, mint)
        return self.attempt(self.payable(call, held.owner.pubkey(), mint, prepared))

    def claim(self, held: NodeRef, prepared: bool = True) -> bool:
        own = held.owner == self.owner_of(held)
        call = staking.claim_rewards(held, position=not own)
        return self.attempt(self.payable(call, held.owner.pubkey(), IO, prepared))

    # -- choosing

    def node(self, pick: int) -> NodeRef:
        return list(self.nodes.values())[pick % len(self.nodes)]

    def lease(self, pick: int) -> LeaseRef:
        """Mostly a lease that is open; now and then one that was closed."""
        open_ = [lease for lease in self.leases if lease.key in self.books.open_leases]
        choice = open_ if open_ and pick % 8 else self.leases
        return choice[pick % len(choice)]

    def running(self, pick: int) -> tuple[LeaseRef, Lease] | None:
        """An open lease with what is on the chain of it."""
        lease = self.lease(pick)
        return (lease, self.world.of(lease)) if lease.key in self.books.open_leases else None

    def cluster(self, pick: int) -> ClusterRef:
        open_ = [cluster for cluster in self.clusters if cluster.key in self.books.open_clusters]
        choice = open_ if open_ and pick % 8 else self.clusters
        return choice[pick % len(choice)]

    def anyone(self, pick: int) -> Keypair:
        everyone = [*self.wallets, self.world.stranger]
        return everyone[pick % len(everyone)]

    def mint_of(self, cluster: ClusterRef) -> Pubkey:
        return self.books.mints[cluster.key]

    def owner_of(self, node: NodeRef) -> Keypair:
        """The owner, also where a co-staker looks at the node."""
        return self.everyone[self.books.owners[node.key]]

    def device_of(self, node: NodeRef) -> Keypair:
        """The device key that signs now."""
        now = self.world.of_node(node).device_key
        return next(key for key in (node.device, *self.devices(node)) if key.pubkey() == now)

    def devices(self, node: NodeRef) -> list[Keypair]:
        """The keys that a node's device may be given later."""
        return [who(f"rotated {node.key} {turn}") for turn in range(2)]

    def network(self) -> Network:
        return governance.network(self.world)

    def role(self, name: str) -> Keypair:
        """Who holds a role of the network now."""
        now = getattr(self.network(), name)
        return next(key for key in (getattr(self.world, name), self.heir(name)) if key.pubkey() == now)

    def heir(self, name: str) -> Keypair:
        return who(f"heir {name}")

    def wait_for(self, secs: int) -> None:
        self.world.warp(max(0, secs))

    def interval_of(self, found: Any) -> int:
        """The interval that runs now."""
        return (self.world.now - found.started_at) // found.interval_secs if found.started_at else 0
