"""Whole lives with random halts: who serves whenever the chain lets them is never charged, never missed, and paid."""

from __future__ import annotations

from random import Random

import pytest
from ionet.generated.accounts import Lease
from ionet.rules.disputes import disputable, is_disputed, is_open
from ionet.rules.restarts import caught_up, recovery_left
from program import calls, disputes
from program.calls import USD, ata
from program.disputes import INTERVAL, Record
from program.halts import DAY, HOURLY, RECOVERY, finish, moment, restart
from program.refs import LeaseRef
from program.world import HOUR, World

pytestmark = pytest.mark.matrix

DURATION = 10 * HOUR


class Life:
    """An agent that may be down while the chain recovers, and a renter who disputes what they like."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, Random(seed)
        self.record = Record(world, world.running(duration=DURATION))
        self.restart_slot = 0
        self.down_until = 0
        self.served: dict[int, int] = {}

    @property
    def lease(self) -> LeaseRef:
        return self.record.lease

    def now(self) -> Lease:
        """The lease as its next instruction finds it."""
        return caught_up(self.world.of(self.lease), moment(self.world, self.restart_slot))

    def halt(self) -> None:
        restart(self.world, self.random.choice([30, 599, HOUR, DAY, self.random.randrange(3 * DAY)]))
        self.restart_slot = self.world.slot
        if self.random.random() < 0.5:
            # Down until the last interval that is excused is over.
            left = self.world.now + RECOVERY - self.now().started_at
            self.down_until = -(-left // INTERVAL)

    def step(self, interval: int) -> None:
        world, random = self.world, self.random
        if random.random() < 0.12:
            world.warp_to(max(world.now, self.now().started_at + interval * INTERVAL + random.randrange(INTERVAL)))
            self.halt()
        world.warp_to(max(world.now, self.now().started_at + (interval + 1) * INTERVAL))
        if interval >= self.down_until:
            self.record.prove(interval, INTERVAL)
            self.served[interval] = INTERVAL
        if random.random() < 0.3:
            world.do(calls.settle_lease(self.lease))
        if random.random() < 0.3:
            self.dispute()
        # An hour is there for it, and no halt takes any of it.
        if random.random() < 0.3 or world.now - self.now().disputed_at >= 4 * INTERVAL:
            self.defend()

    def dispute(self) -> None:
        found = self.now()
        recovering = recovery_left(found, moment(self.world, self.restart_slot)) > 0
        chosen = [i for i in disputable(found, self.world.now, recovering=recovering) if is_open(found, i)]
        if is_disputed(found) or not chosen:
            return
        first = self.random.choice(chosen)
        end = first
        while end in chosen and end - first < 6:
            end += 1
        self.world.do(disputes.dispute_lease(self.lease, first, end))

    def defend(self) -> None:
        found = self.now()
        if is_disputed(found):
            ats = [at for at, proof in enumerate(self.record.proofs) if self.within(found, proof.entry.interval)]
            self.record.defend(*reversed(ats))

    @staticmethod
    def within(lease: Lease, interval: int) -> bool:
        return lease.dispute_from <= interval < lease.dispute_to


@pytest.mark.parametrize("seed", range(40))
def test_who_serves_whenever_the_chain_lets_them_loses_nothing(world: World, seed: int) -> None:
    life = Life(world, seed)
    for interval in range(DURATION // INTERVAL):
        life.step(interval)
    life.defend()
    closed = finish(world, life.lease)
    total = sum(life.served.values())
    assert (closed.served_secs, closed.missed_secs, closed.undefended_secs) == (total, 0, 0)
    gross = HOURLY * total // HOUR
    assert (closed.paid, closed.burned) == (gross, 0)
    assert world.of_node(life.lease.node).slashed == 0
    # Bonds of disputes that were lost come on top.
    assert world.tokens(ata(life.lease.node.owner, USD)) >= gross - closed.supplier_fee
