"""One lease with everybody who takes part in it, and who ends with what."""

from __future__ import annotations

from typing import Any

from ionet.errors import ChainRefused
from ionet.generated.events import DisputeDefended, LeaseCancelled, LeaseSettled, NodeSlashed
from program import calls, disputes, staking
from program.calls import IO, USD, ata
from program.chain import Call, Landed, who
from program.lives.agent import Agent
from program.lives.flows import Flows
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, IO_UNIT, USD_UNIT, World, required_stake
from solders.keypair import Keypair

DAY = 86_400
SECS = 600
TAKEN = 2**32 - 1


class Table:
    """A network with one node that shares its rewards, a co-staker who takes no side, and a lease that may start."""

    def __init__(
        self, owner: Keypair, renter: Keypair, price: int = 2_000_000, co_stake: int = 5_000, deposit: int = 5_000
    ) -> None:
        self.world = world = World.started()
        self.flows = Flows()
        self.events: list[Any] = []
        for wallet in (owner, renter, world.stranger):
            world.fund(wallet.pubkey())
            world.give_io(wallet, 50_000 * IO_UNIT)
            world.give_iosd(wallet, max(5_000, deposit // 2) * IO_UNIT)
        self.node = NodeRef(owner, who("device"))
        terms = calls.terms(owner, min_duration=1, price=price)
        self.do(calls.register_node(self.node, H100, 8, terms), calls.stake(self.node, required_stake(H100, 8)))
        self.do(staking.set_co_stake_terms(self.node, 5_000))
        self.other = staking.held_by(self.node, world.supplier("other"))
        self.co_stake = co_stake * IO_UNIT
        self.do(calls.stake(self.node, self.co_stake, self.other.owner))
        self.cluster = ClusterRef(renter, 0, who("session"))
        self.do(calls.open_cluster(self.cluster, deposit * USD_UNIT, world.now + 365 * DAY))
        self.lease = LeaseRef(self.node, self.cluster, 0)
        self.agent = Agent(self.lease)
        self.session = self.cluster.session

    def do(self, *done: Call) -> Landed:
        landed = self.world.do(*done)
        self.flows.record(landed.events)
        for event in landed.events:
            if isinstance(event, NodeSlashed):
                self.flows.harmed(event, self.world.of_node(self.node))
        self.events += landed.events
        return landed

    def attempt(self, *tried: Call) -> Landed | None:
        try:
            return self.do(*tried)
        except ChainRefused:
            return None

    def start(self, duration: int) -> None:
        self.book(duration)
        self.do(calls.mark_ready(self.lease))
        self.do(calls.accept_ready(self.lease))

    def book(self, duration: int) -> None:
        """The price of IO that was seen last is a few seconds old: it compensates missed time."""
        self.do(calls.add_lease(self.lease, H100, duration, self.world.of_node(self.node).price))

    def prove(self, part: float = 1.0, session: Keypair | None = None) -> bool:
        """The interval that ended last, answering the session key's challenge."""
        found = self.world.of(self.lease)
        interval = (self.world.now - found.started_at - 1) // SECS
        key = session or self.session
        call, proof = self.agent.proof(interval, int(part * SECS), self.node.device, key)
        if self.attempt(call) is None:
            return False
        self.agent.keep(proof, key)
        return True

    def dispute(self, length: int) -> None:
        """By the renter or their session key: the last intervals that can no longer be proven."""
        found = self.world.of(self.lease)
        end = min(found.ring_next, max(0, (self.world.now - found.started_at) // SECS - 1))
        self.attempt(disputes.dispute_lease(self.lease, max(0, end - length), end, by=self.cluster.renter))

    def dispute_all(self) -> None:
        """By the renter: everything that is there and not in dispute already."""
        self.do(calls.settle_lease(self.lease))
        found = self.world.of(self.lease)
        end = min(found.ring_next, (self.world.now - found.started_at) // SECS - 1)
        there = [item for item in range(found.ring_base, end) if found.ring[item % 16] != TAKEN]
        if not found.held_secs and there:
            self.do(disputes.dispute_lease(self.lease, there[0], there[-1] + 1))

    def defend(self) -> list[DisputeDefended]:
        """Everything in dispute that can be opened."""
        won = []
        while (found := self.world.of(self.lease)).dispute_to > found.dispute_from:
            call = self.agent.defence(found, self.world.of_cluster(self.cluster), self.node.device)
            if call is None:
                break
            won += [event for event in self.do(call).events if isinstance(event, DisputeDefended)]
        return won

    def paid(self) -> int:
        """To the supplier, before fees."""
        return sum(event.paid - event.paid_before for event in self.events if isinstance(event, LeaseSettled))

    def burned(self) -> int:
        """Of the renter's money, beside fees."""
        return sum(event.burned for event in self.events if isinstance(event, LeaseSettled | LeaseCancelled))

    def is_open(self) -> bool:
        return self.world.exists(self.lease.key)

    def unwind(self) -> None:
        """Everything ends, is paid, and leaves its vault."""
        world = self.world
        if self.is_open():
            world.warp_to(max(world.now, world.of(self.lease).ends_at) + 2 * DAY)
            self.attempt(calls.cancel_lease(self.lease))
            for _ in range(2):
                self.attempt(calls.settle_lease(self.lease))
                world.warp(SECS)
            while self.attempt(calls.close_lease(self.lease)) is None:
                self.do(calls.report_missed(self.lease, world.stranger))
        self.do(calls.close_cluster(self.cluster))
        self.do(calls.retire_node(self.node), staking.push_unbond(self.other))
        world.warp(22 * DAY)
        for held in (self.node, self.other):
            self.attempt(staking.claim_rewards(held, position=held is self.other))
            self.do(calls.withdraw(held))
        self.do(staking.close_stake_vault(self.node))
        self.flows.check()

    def wealth(self, *wallets: Keypair) -> dict[str, int]:
        world, keys = self.world, dict.fromkeys(wallets)
        return {
            name: sum(world.tokens(ata(key, mint)) for key in keys) for name, mint in {"io": IO, "usd": USD}.items()
        }
