"""A life with every kind of account in every state, in two parts: what version 1 can do, with moments between its steps
at which the program may be upgraded, and the rest, to the last unit."""

from __future__ import annotations

from collections.abc import Iterator

from ionet import pda
from ionet.generated.accounts import Lease, Node
from program import calls, currencies, disputes, governance, staking
from program.calls import ID, IO, USD, LeaseRef, NodeRef, ata
from program.chain import refused
from program.disputes import Record
from program.governance import CaseRef
from program.staking import DAY
from program.upgrade import Recorded
from program.world import H100, HOUR, IO_UNIT
from solders.keypair import Keypair
from solders.pubkey import Pubkey

INTERVAL = 600
BOOKED, READY, ACTIVE, ENDED = 1, 2, 3, 4


class Life:
    """Seven nodes, five renters; a stranger reports and pushes."""

    def __init__(self, world: Recorded) -> None:
        self.world = world
        world.open_ata(world.stranger, IO)
        world.open_ata(world.stranger, USD)
        self.nodes = {name: world.staked_node(name) for name in "abcdefg"}
        self.idle = self.nodes["g"]
        self.clusters = {name: world.cluster(name) for name in "abcfx"}
        self.co = staking.held_by(self.idle, world.supplier("co-staker"))
        self.supply = (world.supply(IO), world.supply(USD))
        self.lamports = self.worth()

    # -- who and what

    def wallets(self) -> list[Keypair]:
        suppliers = [node.owner for node in self.nodes.values()]
        renters = [cluster.renter for cluster in self.clusters.values()]
        return [*suppliers, *renters, self.co.owner]

    def positions(self) -> list[NodeRef]:
        return [*self.nodes.values(), self.co]

    def held(self, mint: Pubkey) -> int:
        everybody = [*self.wallets(), self.world.treasury, self.world.stranger]
        return sum(self.world.tokens(ata(wallet, mint)) for wallet in everybody)

    def leases(self) -> list[LeaseRef]:
        return [self.served.lease, self.silent, self.stopped, self.booked, self.waiting, self.left]

    def status(self, lease: LeaseRef) -> int:
        return self.world.of(lease).status

    def prove(self, lease: LeaseRef, interval: int) -> None:
        self.world.do(calls.append_proof(lease, interval, INTERVAL))

    # -- the first part

    def first_part(self) -> Iterator[None]:
        """Stops where the program may be upgraded. Ten minutes pass between most stops."""
        world, nodes = self.world, self.nodes
        yield
        leases = {name: world.active(nodes[name], self.clusters[name], 4 * HOUR) for name in "abcf"}
        self.served = Record(world, leases["a"])
        self.silent, self.stopped, self.left = leases["b"], leases["c"], leases["f"]
        yield
        world.warp(INTERVAL)
        self.served.prove(0, INTERVAL)
        for lease in (self.silent, self.stopped, self.left):
            self.prove(lease, 0)
        world.do(calls.end_lease(self.stopped))
        yield
        world.warp(INTERVAL)
        self.served.prove(1, INTERVAL)
        for lease in (self.silent, self.left):
            self.prove(lease, 1)
        world.do(calls.stake(self.idle, 3_333 * IO_UNIT + 1), calls.request_unbond(self.idle, 1_111 * IO_UNIT))
        yield
        world.warp(2 * INTERVAL)  # a gap in everything
        self.served.prove(3, INTERVAL)
        self.prove(self.left, 3)
        world.do(calls.request_unbond(self.silent.node, 10 * IO_UNIT))
        yield
        world.warp(INTERVAL)
        self.served.prove(4, INTERVAL)
        self.prove(self.left, 4)
        world.do(calls.report_missed(self.silent, world.stranger))
        yield
        for interval in (5, 6):
            world.warp(INTERVAL)
            self.served.prove(interval, INTERVAL)
            self.prove(self.left, interval)
        self.booked = world.booked(nodes["d"], self.clusters["x"])
        yield
        world.warp(INTERVAL)
        self.served.prove(7, INTERVAL)
        self.prove(self.left, 7)
        for lease in (self.served.lease, self.stopped):
            world.do(calls.settle_lease(lease))  # their first ten minutes
        self.waiting = world.ready(nodes["e"], self.clusters["f"])
        yield

    # -- the second part

    def second_part(self) -> None:
        world = self.world
        states = [ACTIVE, ACTIVE, ENDED, BOOKED, READY, ACTIVE]
        assert [self.status(lease) for lease in self.leases()] == states
        world.do(calls.accept_ready(self.waiting))
        world.do(calls.quit_lease(self.left))
        world.do(calls.extend_lease(self.served.lease, H100, INTERVAL))
        self.share()
        self.dispute()
        world.do(calls.cancel_lease(self.booked))
        # The outage that version 1 charged for is charged on, not again.
        world.do(calls.report_missed(self.silent, world.stranger))
        world.do(calls.end_lease(self.silent, by=world.stranger))
        self.served.serve(15, first=10)
        assert world.of(self.served.lease).ends_at == world.now

    def dispute(self) -> None:
        """Of intervals proven under version 1: two are defended, one is not."""
        world, lease = self.world, self.served.lease
        world.warp(INTERVAL)
        self.served.prove(8, INTERVAL)
        world.do(disputes.dispute_lease(lease, 3, 5))
        with refused("WrongProofChain"):
            world.do(disputes.defend_lease(lease, bytes(32), [self.served.proofs[-2].entry]))
        self.served.defend(3, 2)  # proofs of the intervals 4 and 3
        assert world.of(lease).refunded_secs == 0
        world.warp(INTERVAL)
        self.served.prove(9, INTERVAL)
        world.do(disputes.approve_lease(world, lease, 4))
        world.do(disputes.dispute_lease(lease, 5, 6))

    def share(self) -> None:
        """A co-staker on a node of version 1, with rewards, and a case against its owner."""
        world, node = self.world, self.idle
        world.do(staking.set_co_stake_terms(node, 5_000), calls.stake(node, 2_000 * IO_UNIT, self.co.owner))
        staking.fund(world, node, 777 * IO_UNIT + 7)
        self.case = CaseRef(node, 0)
        world.do(governance.open_case(self.case))

    def end_leases(self) -> None:
        world = self.world
        world.final(self.served.lease)
        world.warp(DAY)  # nobody defended the second dispute
        for lease in self.leases():
            if self.status(lease) in (ACTIVE, ENDED):
                world.do(calls.settle_lease(lease))
                self.finish(lease)
            world.do(calls.close_lease(lease))
        for cluster in self.clusters.values():
            world.do(calls.close_cluster(cluster))

    def finish(self, lease: LeaseRef) -> None:
        """What only time ends: moves there if need be, charges the rest, settles again."""
        world = self.world
        found = world.get(Lease, lease.key)
        if world.now < found.ends_at + found.grace_intervals * INTERVAL + found.dispute_window_secs:
            world.final(lease)
        if lease == self.waiting:  # accepted, and never served
            world.do(calls.report_missed(lease, world.stranger))
        world.do(calls.settle_lease(lease))

    def end_stakes(self, bps: int = 100) -> None:
        """bps: what the case takes; 0 lets it lapse."""
        world = self.world
        for node in self.nodes.values():
            world.do(calls.retire_node(node))
        if bps:
            staking.slash(world, self.case, bps)
        else:
            world.warp_to(governance.case_of(world, self.case).decide_by)
            world.do(governance.decide_case(self.case, by=world.stranger))
        world.do(staking.push_unbond(self.co))
        world.do(staking.claim_rewards(self.co), staking.claim_rewards(self.idle))
        world.warp(21 * DAY)
        for held in self.positions():
            world.do(calls.withdraw(held))
        for node in self.nodes.values():
            world.do(staking.close_stake_vault(node))

    def end_money(self) -> None:
        """Burns the fees and gives IO for all IOSD."""
        world = self.world
        for mint in (IO, USD):
            if world.tokens(pda.burn_vault(ID, mint)):
                world.do(calls.burn(mint))
        world.post_price(3 * IO_UNIT)
        for wallet in (*self.wallets(), world.treasury, world.stranger):
            if amount := world.tokens(ata(wallet, USD)):
                world.open_ata(wallet, IO)
                world.do(currencies.redeem_iosd(wallet, world.oracle, amount))

    def check(self) -> None:
        """Nothing is left that belongs to anybody, and nobody has or lacks a unit or a lamport."""
        world = self.world
        gone = [lease.key for lease in self.leases()] + [held.position for held in self.positions()]
        gone += [key for cluster in self.clusters.values() for key in (cluster.key, cluster.escrow)]
        gone += [self.case.key, *(node.vault for node in self.nodes.values())]
        assert [key for key in gone if world.exists(key)] == []
        assert [world.tokens(pda.burn_vault(ID, mint)) for mint in (IO, USD)] == [0, 0]
        assert world.supply(USD) == self.held(USD) == 0
        assert world.supply(IO) == self.held(IO)
        for node in self.nodes.values():
            found = world.get(Node, node.key)
            assert found.bonded.amount == found.unbonding.amount == found.refill == 0
        assert self.worth() == self.lamports

    def worth(self) -> dict[str, int]:
        """Lamports of everybody, with the rent of what is his: that of leases comes back before the end."""
        world, worth = self.world, {}
        for name, node in self.nodes.items():
            worth[f"supplier {name}"] = sum(
                map(world.lamports, (node.owner.pubkey(), node.key, node.vault, node.position))
            )
        for name, cluster in self.clusters.items():
            renter = cluster.renter.pubkey()
            accounts = (renter, pda.renter(ID, renter), cluster.key, cluster.escrow)
            worth[f"renter {name}"] = sum(map(world.lamports, accounts))
        for wallet in (self.co.owner, world.arbiter, world.stranger):
            worth[str(wallet.pubkey())] = world.lamports(wallet.pubkey())
        return worth
