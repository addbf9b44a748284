"""What must hold after every step, and the end: everything goes back to whom it belongs."""

from __future__ import annotations

import sys
from typing import TypeVar

from hypothesis.stateful import invariant
from ionet.generated import pdas
from ionet.generated.accounts import Case, Cluster, Iosd, Lease, StakePosition
from ionet.generated.enums import EndReason
from ionet.program import PROGRAM
from program import calls, currencies, staking
from program.calls import ID, IO, IOSD, USD, ata
from program.chain import TOKEN_PROGRAM
from program.governance import BLOCKED, FROZEN, CaseRef
from program.lives.base import ACTIVE, BOOKED, CANCELLED, DONE, ENDED, READY
from program.lives.stakes import Stakes
from program.refs import LeaseRef, NodeRef
from program.world import IO_UNIT
from solders.pubkey import Pubkey

T = TypeVar("T")
TAKEN = 2**32 - 1
GENESIS = 500_000_000 * IO_UNIT


class Truths(Stakes):
    @invariant()
    def all_is_well(self) -> None:
        DONE["steps"] += 1
        self.books_and_chain_agree()
        self.nothing_is_made_or_lost()
        self.the_thief_has_nothing()
        self.shares_add_up()
        self.every_second_is_in_one_place()

    def books_and_chain_agree(self) -> None:
        self.books.check(self.world)

    def nothing_is_made_or_lost(self) -> None:
        world = self.world
        held = dict.fromkeys(self.mints, 0)
        for _, account in world.svm.get_program_accounts(TOKEN_PROGRAM):
            mint = Pubkey(account.data[:32]) if len(account.data) == 165 else None
            if mint in held:
                held[mint] += int.from_bytes(account.data[64:72], "little")
        books = world.get(Iosd, IOSD)
        supply = GENESIS - books.io_burned - books.io_other_burned + books.io_redeemed
        assert held[IO] == world.supply(IO) == supply
        assert held[USD] == world.supply(USD) == books.minted - books.redeemed - books.fee_burned
        assert held[world.usdc] == world.supply(world.usdc) == self.usdc_issued
        assert books.io_burned >= books.io_redeemed

    def the_thief_has_nothing(self) -> None:
        assert [self.world.tokens(ata(self.thief, mint)) for mint in self.mints] == [0, 0, 0]

    def shares_add_up(self) -> None:
        held: dict[Pubkey, list[StakePosition]] = {node.key: [] for node in self.nodes.values()}
        for position in self.all_of(StakePosition):
            held[position.node].append(position)
        for node in self.nodes.values():
            found = self.world.of_node(node)
            bonded, unbonding = {True: 0, False: 0}, {True: 0, False: 0}
            for position in held[node.key]:
                own = position.staker == found.owner
                bonded[own] += position.shares if position.era == found.bonded.era else 0
                unbonding[own] += sum(item.shares for item in position.tickets if item.era == found.unbonding.era)
            assert (bonded[True], unbonding[True]) == (found.owner_bonded_shares, found.owner_unbonding_shares)
            assert (sum(bonded.values()), sum(unbonding.values())) == (found.bonded.shares, found.unbonding.shares)
            assert sum(position.rewards for position in held[node.key]) == found.co_settled
            income = [sum(position.income[place] for position in held[node.key]) for place in range(3)]
            assert income == list(found.co_income_settled)

    def every_second_is_in_one_place(self) -> None:
        """Of the intervals that left the ring, or that were taken out of it, each second is matured, missed, held,
        undefended or burned; of those after a restart it may be nobody's fault. A lease that was quit ended at its last
        proof, and may have had missed more than what is left of it."""
        disputes = dict.fromkeys(self.books.open_clusters, 0)
        for key in self.books.open_leases:
            found = self.world.get(Lease, key)
            disputed = found.dispute_to > found.dispute_from
            disputes[found.cluster] += disputed
            assert disputed == (found.held_secs > 0)
            assert disputed or found.dispute_bond == 0
            booked = found.matured_secs + found.missed_secs + found.held_secs + found.undefended_secs
            booked += found.burned_secs
            assert found.undefended_early_secs <= found.undefended_secs
            assert found.undefended_early_secs + found.held_early_secs <= min(found.min_charge_secs, found.duration)
            assert found.ring_next - found.ring_base <= 16
            if found.status == CANCELLED:
                assert booked == found.burned_secs
                assert found.burned_secs + found.unanswered_secs <= min(found.accept_deadline_secs, found.duration)
                continue
            past = self.length_of(found, 0, found.ring_base)
            for interval in range(found.ring_base, found.ring_next):
                past += self.length_of(found, interval, interval + 1) if found.ring[interval % 16] == TAKEN else 0
            excused = self.excused_secs(key, found)
            assert past - excused <= booked <= past or (booked > past and found.end_reason == EndReason.QUIT)
            # Whatever a supplier does, a renter's money is burned for an hour and two named intervals at most.
            hour = max(min(found.min_charge_secs, found.duration), found.fault_after_secs)
            named = hour + found.tier1_intervals * found.interval_secs
            assert found.burned <= found.price * found.processors * named // 3_600
            assert found.paid + found.burned <= found.price * found.processors * found.duration // 3_600
        assert disputes == {key: self.world.get(Cluster, key).disputes_open for key in disputes}

    def excused_secs(self, key: Pubkey, found: Lease) -> int:
        """Seconds of all intervals that were nobody's fault at any time of the lease."""
        spans = self.excuses.setdefault(key, set())
        if found.excused_to > 0:
            spans.add((found.excused_from - found.started_at, found.excused_to - found.started_at))
        length = found.interval_secs
        touched = {
            interval
            for first, end in spans
            for interval in range(max(0, first) // length, -(-max(0, end) // length))
            if interval * length < found.ends_at - found.started_at
        }
        return sum(self.length_of(found, interval, interval + 1) for interval in touched)

    def length_of(self, found: Lease, first: int, end: int) -> int:
        """Seconds of intervals first..end."""
        span = found.ends_at - found.started_at
        return max(0, min(end * found.interval_secs, span) - min(first * found.interval_secs, span))

    def all_of(self, kind: type[T]) -> list[T]:
        """Every account of a kind."""
        tag = PROGRAM.codec.account_discriminator(kind)
        data = [account.data for _, account in self.world.svm.get_program_accounts(ID) if account.data[:8] == tag]
        return [PROGRAM.codec.decode_account(item, kind) for item in data]

    # -- the end

    def teardown(self) -> None:
        if not hasattr(self, "world") or sys.exc_info()[0]:
            return  # a step failed: that is what is to be seen
        self.attacks = []
        for lease in self.leases:
            self.finish(lease)
        self.world.warp(90 * 86_400)
        for cluster in self.clusters:
            if self.world.exists(cluster.key):
                assert self.close(cluster, signed=False)
        for node in self.nodes.values():
            self.empty(node)
        self.fetch()
        self.redeem()
        self.drain()
        for check in (self.books_and_chain_agree, self.nothing_is_made_or_lost, self.the_thief_has_nothing):
            check()
        assert [self.all_of(kind) for kind in (Lease, Cluster, StakePosition, Case)] == [[], [], [], []]
        self.rent_came_back()
        self.flows.check()

    def finish(self, lease: LeaseRef) -> None:
        """Strangers push a lease to its end, whatever state it is in."""
        world = self.world
        if not world.exists(lease.key):
            return
        found = world.of(lease)
        if found.status in (BOOKED, READY):
            world.warp(max(found.ready_deadline_secs, found.accept_deadline_secs) + found.recovery_secs)
            assert self.attempt(calls.cancel_lease(lease)), self.refusal
        if found.status in (ACTIVE, ENDED):
            # A halt that the lease has not seen yet moves its end.
            assert self.settle(lease), self.refusal
            found = world.of(lease)
            world.warp(max(0, found.ends_at - world.now) + found.dispute_window_secs + 2 * found.interval_secs)
            world.warp(found.recovery_secs + found.defend_window_secs)
            assert self.settle(lease), self.refusal
            world.warp(found.interval_secs)
            assert self.settle(lease), self.refusal
            while not self.attempt(calls.close_lease(lease)):
                assert self.refusal == "MissedNotCharged", self.refusal
                rewarded = self.can_receive(world.stranger.pubkey(), IO)
                assert self.attempt(calls.report_missed(lease, world.stranger, rewarded)), self.refusal
            return
        assert self.settle(lease), self.refusal
        assert self.attempt(calls.close_lease(lease)), self.refusal

    def empty(self, node: NodeRef) -> None:
        """Strangers take everything out once the owner has retired the node and taken their refill along."""
        world = self.world
        found = world.of_node(node)
        if found.flags & FROZEN:
            world.warp(2 * world.params.appeal_secs)
            blocked = bool(found.flags & BLOCKED)
            assert self.decide(CaseRef(node, found.next_case - 1), 0, blocked, stranger=True), self.refusal
        if not self.retired(node):
            assert self.attempt(calls.retire_node(node, staked=world.exists(node.position))), self.refusal
        if world.of_node(node).refill:
            if not self.can_receive(node.owner.pubkey(), IO):
                self.unblock(node.owner, IO)  # or they name another account of theirs
            assert self.attempt(calls.stake(node, 0)), self.refusal
        held = [
            staking.held_by(node, self.everyone[position.staker])
            for position in self.all_of(StakePosition)
            if position.node == node.key
        ]
        for one in held:
            self.attempt(staking.push_unbond(one))
        world.warp(90 * 86_400 * 2)
        self.claim(node)
        for one in held:
            self.claim(one)
            for mint in self.mints:
                if self.world.exists(pdas.income_vault(ID, node.key, mint)):
                    self.claim_income(one, mint)
            assert self.withdraw(one), self.refusal
        for mint in self.mints:
            if self.world.exists(pdas.income_vault(ID, node.key, mint)):
                assert self.attempt(staking.close_income_vault(node, mint)), self.refusal
        if world.exists(node.vault):
            found = world.of_node(node)
            assert found.owner_rewards == found.co_settled == found.refill == 0
            assert self.attempt(staking.close_stake_vault(node))
        assert not world.exists(node.vault)

    def fetch(self) -> None:
        """Everybody takes what they were owed, even if that is nothing."""
        for wallet in self.everyone.values():
            for mint in self.mints:
                if self.world.exists(pdas.owed(ID, mint, wallet.pubkey())):
                    assert self.claim_owed(wallet, mint)

    def redeem(self) -> None:
        """Everybody redeems their IOSD, as fast as the limiter lets them; less than a unit of IO is nobody's loss."""
        world = self.world
        for wallet in self.everyone.values():
            if not self.can_receive(wallet.pubkey(), USD):
                self.unblock(wallet, USD)
            self.world.post_price(3 * IO_UNIT)
            while (left := world.tokens(ata(wallet, USD))) and self.can_receive(wallet.pubkey(), IO):
                world.warp(self.params.limiter_window_secs)
                world.post_price(3 * IO_UNIT)
                part = min(left, self.params.redeem_floor)
                if not self.attempt(currencies.redeem_iosd(wallet, world.oracle, part)):
                    assert left < 100
                    break

    def drain(self) -> None:
        """What is to be burned is burned, and IO is bought and burned for all fees in USDC."""
        world = self.world
        for mint in (IO, USD):
            if world.tokens(pdas.burn_vault(ID, mint)):
                assert self.attempt(calls.burn(mint))
            assert world.tokens(pdas.burn_vault(ID, mint)) == 0
        fees = world.tokens(pdas.fee_vault(ID, world.usdc))
        if fees:
            world.warp(1)
            world.post_price(IO_UNIT)
            seller = world.treasury
            assert self.attempt(currencies.buyback(world, seller, world.oracle, fees * 100, fees))
        assert world.tokens(pdas.fee_vault(ID, world.usdc)) == 0

    def rent_came_back(self) -> None:
        """Only accounts that are never closed still hold their payers' rent."""
        for wallet in self.wallets:
            kept = [pdas.renter_account(ID, wallet.pubkey())]
            kept += [node.key for node in self.nodes.values() if node.owner == wallet]
            spent = self.lamports[wallet] - self.world.lamports(wallet.pubkey())
            assert spent == sum(self.world.lamports(key) for key in kept)
