"""No set of renter, owner, stakers, reporter and crank gains by agreeing, and none harms an honest supplier.

The general property (every set of people, every vault) is checked at the end of every life of `test_stateful.py`, by
`lives/flows.py`. Here are its two ends: one person on all sides of a lease, and everybody against one.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ionet.errors import ChainRefused
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import DisputeDefended, NodeSlashed
from program import calls, disputes, staking
from program.calls import IO, USD, ClusterRef, LeaseRef, NodeRef, ata
from program.chain import Call, Landed, who
from program.lives.agent import Agent
from program.lives.flows import Flows
from program.world import H100, HOUR, IO_UNIT, World, required_stake
from solders.keypair import Keypair

DAY = 86_400
SECS = 600
AGAINST = [
    "dispute",
    "dispute",
    "rotate",
    "silence",
    "approve",
    "report",
    "settle",
    "end",
    "take back",
    "close",
    "pass",
]
ALONE = ["prove", "prove", "half", "wait", "dispute", "defend", "report", "settle", "end", "quit", "leave", "extend"]
lives = settings(
    max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


class Table:
    """A network with one node that shares its rewards, a co-staker who takes no side, and a lease that may start."""

    def __init__(self, owner: Keypair, renter: Keypair) -> None:
        self.world = world = World.started()
        self.flows = Flows()
        self.events: list[Any] = []
        for wallet in (owner, renter, world.stranger):
            world.fund(wallet.pubkey())
            world.give_io(wallet, 50_000 * IO_UNIT)
            world.give_iosd(wallet, 5_000 * IO_UNIT)
        self.node = NodeRef(owner, who("device"))
        terms = calls.terms(owner, min_duration=1)
        self.do(calls.register_node(self.node, H100, 8, terms), calls.stake(self.node, required_stake(H100, 8)))
        self.do(staking.set_co_stake_terms(self.node, 5_000))
        self.other = staking.held_by(self.node, world.supplier("other"))
        self.do(calls.stake(self.node, 5_000 * IO_UNIT, self.other.owner))
        self.cluster = ClusterRef(renter, 0, who("session"))
        self.do(calls.open_cluster(self.cluster, 5_000_000_000, world.now + 365 * DAY))
        self.lease = LeaseRef(self.node, self.cluster, 0)
        self.agent = Agent(self.lease)
        self.session = self.cluster.session

    def do(self, *done: Call) -> Landed:
        landed = self.world.do(*done)
        self.flows.record(landed.events)
        self.events += landed.events
        return landed

    def attempt(self, *tried: Call) -> Landed | None:
        try:
            return self.do(*tried)
        except ChainRefused:
            return None

    def start(self, duration: int) -> None:
        self.do(calls.add_lease(self.lease, H100, duration))
        self.do(calls.mark_ready(self.lease))
        self.do(calls.accept_ready(self.lease))

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

    def defend(self) -> list[DisputeDefended]:
        """Everything in dispute that can be opened."""
        won = []
        while (found := self.world.of(self.lease)).dispute_to > found.dispute_from:
            call = self.agent.defence(found, self.world.of_cluster(self.cluster), self.node.device)
            if call is None:
                break
            won += [event for event in self.do(call).events if isinstance(event, DisputeDefended)]
        return won

    def is_open(self) -> bool:
        return self.world.exists(self.lease.key)

    def unwind(self) -> None:
        """Everything ends, is paid, and leaves its vault."""
        world = self.world
        if self.is_open():
            world.warp_to(max(world.now, world.of(self.lease).ends_at) + 2 * DAY)
            # A readiness without an answer is owed as well.
            self.attempt(calls.cancel_lease(self.lease))
            self.do(calls.settle_lease(self.lease))
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


def act_alone(table: Table, deed: str, number: int) -> None:
    """What one person may do with the keys of the owner, the device, the renter, the session and a reporter."""
    world, lease = table.world, table.lease
    if not table.is_open():
        return
    if deed in ("prove", "half"):
        world.warp(SECS)
        table.prove(1.0 if deed == "prove" else 0.5)
    elif deed == "wait":
        world.warp(SECS * number)
    elif deed == "dispute":
        world.warp(SECS)
        table.dispute(number % 5 + 1)
    elif deed == "defend":
        table.defend()
    else:
        made = {
            "report": calls.report_missed(lease, world.stranger),
            "settle": calls.settle_lease(lease),
            "end": calls.end_lease(lease),
            "quit": calls.quit_lease(lease),
            "leave": disputes.leave_lease(lease),
            "extend": calls.extend_lease(lease, H100, SECS),
        }
        table.attempt(made[deed])


deeds = st.lists(st.tuples(st.sampled_from(ALONE), st.sampled_from([1, 2, 7, 300, 900])), max_size=25)


@lives
@given(begin=st.sampled_from(["run", "not ready", "not accepted"]), intervals=st.sampled_from([3, 12, 60]), deeds=deeds)
def test_one_person_on_all_sides_gains_nothing(begin: str, intervals: int, deeds: list[tuple[str, int]]) -> None:
    """Disputes, missed time, broken promises and cancelled leases with oneself: nobody is ever richer in any currency,
    though a co-staker's stake lies in the same vault."""
    table = Table(me := who("me"), me)
    world = table.world
    me_too = world.stranger  # the reporter and crank
    wallets = (me, me_too)
    in_vaults = required_stake(H100, 8), 5_000_000_000
    before = table.wealth(*wallets)
    if begin == "run":
        table.start(intervals * SECS)
        for deed, number in deeds:
            act_alone(table, deed, number)
    else:
        table.do(calls.add_lease(table.lease, H100, intervals * SECS))
        if begin == "not accepted":
            table.do(calls.mark_ready(table.lease))
        world.warp(HOUR)
    table.unwind()
    after = table.wealth(*wallets)
    assert after["io"] - before["io"] <= in_vaults[0] + 2  # the stake itself; rounding of the pools
    assert after["usd"] - before["usd"] <= in_vaults[1]


def act_against(table: Table, deed: str, number: int) -> None:
    """What the renter, their session key, and any stranger may do to a supplier."""
    world, lease, cluster = table.world, table.lease, table.cluster
    if deed == "dispute":
        table.dispute(number)
    elif deed == "rotate":
        key = who(f"session {number} {world.now}")
        if table.attempt(calls.set_session_key(cluster, key.pubkey(), world.now + DAY * 300)):
            table.session = key
    else:
        made = {
            "approve": disputes.approve_lease(
                world, lease, max(1, world.of(lease).ring_next - number), by=cluster.renter
            ),
            "report": calls.report_missed(lease, world.stranger),
            "settle": calls.settle_lease(lease),
            "end": calls.end_lease(lease, cluster.renter if number % 2 else world.stranger),
            "take back": calls.withdraw_budget(cluster, 1_000_000_000 * number),
        }
        if deed in made:
            table.attempt(made[deed])


attacks = st.lists(st.tuples(st.sampled_from(AGAINST), st.integers(1, 5)), min_size=24, max_size=24)


@lives
@given(attacks=attacks)
def test_an_honest_supplier_is_paid_and_never_slashed(attacks: list[tuple[str, int]]) -> None:
    """They prove every interval, answers every challenge, defends every dispute at once, and leaves when no challenge
    comes: whatever everybody else does, their stake stays whole, and two intervals' pay is all that they can lose."""
    table = Table(who("honest"), who("renter"))
    world, lease = table.world, table.lease
    stake = world.of_node(table.node).bonded.amount
    table.start(12 * SECS)
    silent = False
    for interval in range(12):
        found = world.of(lease)
        if found.status != LeaseStatus.ACTIVE or world.now >= found.ends_at:
            break
        for deed, number in attacks[2 * interval : 2 * interval + 2]:
            act_against(table, deed, number)
            silent |= deed == "silence"
            table.defend()
        if world.of(lease).status != LeaseStatus.ACTIVE:
            break
        world.warp_to(found.started_at + (interval + 1) * SECS)
        assert table.prove(session=who("nobody") if silent else None)
        if silent and interval > 0 and table.attempt(disputes.leave_lease(lease)):
            break
    for number in (1, 2, 3):
        world.warp(SECS)
        if table.is_open():
            act_against(table, "dispute", number)
            table.defend()
    lost = 0
    if table.is_open():
        world.warp(2 * DAY)
        table.do(calls.settle_lease(lease))
        found = world.of(lease)
        lost = found.undefended_secs
        assert found.missed_secs == 0
        assert found.paid >= found.price * found.processors * found.matured_secs // 3_600
    assert lost <= (2 * SECS if silent else 0)
    table.unwind()
    assert not [event for event in table.events if isinstance(event, NodeSlashed)]
    assert staking.io_of(world, table.node.owner) + staking.io_of(world, table.other.owner) >= stake
