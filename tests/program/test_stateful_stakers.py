"""The same random lives as in `test_stateful.py`, with co-stakers, rewards, cases and refills beside everything else.

At the end strangers empty every node's vault to its rightful owners and close it. IONET_STATEFUL_EXAMPLES lengthens the
run.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from ionet.program import PROGRAM
from ionet.types import StakePosition
from program import calls, governance, staking
from program.calls import ID, NodeRef
from program.governance import CaseRef
from program.test_stateful import EXAMPLES, REACHED, STEPS, Network, picks
from program.world import IO_UNIT
from solders.keypair import Keypair
from solders.pubkey import Pubkey

DEEDS = ["stake", "stake", "stake", "unbond", "withdraw", "claim", "fund", "fund", "push"]


class Stakers(Network):
    @rule(pick=picks, share=st.sampled_from([0, 1, 2_500, 10_000, 10_000]))
    def share_rewards(self, pick: int, share: int) -> None:
        self.attempt(staking.set_co_stake_terms(self.node(pick), share))

    @rule(seed=st.integers(0, 2**32), length=st.integers(1, 50))
    def deal(self, seed: int, length: int) -> None:
        """Anyone as a co-staker of any node, often in a row; now and then a part of the cooldown passes."""
        random = Random(seed)
        for _ in range(length):
            node, wallet = self.node(random.randrange(3)), self.anyone(random.randrange(5))
            self.one(random.choice(DEEDS), node, wallet, random.choice([0, 1, 777, 10**9, 10**10, 2**63]))
            if random.random() < 0.01:
                self.attempt(calls.retire_node(node, staked=self.world.exists(node.position)))
            if random.random() < 0.03:
                self.accuse(node, random.choice([0, 1, 500, 1_000]), random.choice([0, 777, 10**9]))
            if random.random() < 0.2:
                self.world.warp(random.randrange(self.params.unbond_cooldown_secs))

    def one(self, deed: str, node: NodeRef, wallet: Keypair, amount: int) -> None:
        held = staking.held_by(node, wallet)
        deeds = {
            "stake": calls.stake(node, min(amount, 100 * IO_UNIT), wallet),
            "fund": staking.fund_rewards(node, wallet, min(amount, 100 * IO_UNIT)),
            "claim": staking.claim_rewards(held, position=wallet != node.owner),
            "unbond": calls.request_unbond(held, amount),
            "withdraw": calls.withdraw(held),
            "push": staking.push_unbond(held),
        }
        if deed == "stake" and self.world.of_node(node).co_share_bps == 0:
            self.attempt(staking.set_co_stake_terms(node, 10_000))
        if self.attempt(deeds[deed]) and wallet != node.owner:
            REACHED.add(f"co-staker: {deed}")

    def accuse(self, node: NodeRef, bps: int, amount: int) -> None:
        """A case is opened; or the owner refills while it is open, and then it may be decided."""
        found = self.world.of_node(node)
        if not found.flags & governance.FROZEN:
            self.attempt(governance.open_case(CaseRef(node, found.next_case)))
            return
        self.attempt(calls.stake(node, amount))
        case = CaseRef(node, found.next_case - 1)
        self.world.warp_to(max(self.world.now, governance.case_of(self.world, case).decide_from))
        if self.attempt(governance.decide_case(case, bps)):
            self.attempt(calls.stake(node, 0))

    @invariant()
    def shares_add_up(self) -> None:
        held: dict[Pubkey, list[StakePosition]] = {node.key: [] for node in self.nodes.values()}
        for position in self.positions():
            held[position.node].append(position)
        for node in self.nodes.values():
            found = self.world.of_node(node)
            bonded, unbonding = {True: 0, False: 0}, {True: 0, False: 0}
            for position in held[node.key]:
                own = position.staker == found.owner
                bonded[own] += position.shares if position.era == found.bonded.era else 0
                tickets = [ticket.shares for ticket in position.tickets if ticket.era == found.unbonding.era]
                unbonding[own] += sum(tickets)
            assert (bonded[True], unbonding[True]) == (found.owner_bonded_shares, found.owner_unbonding_shares)
            assert (sum(bonded.values()), sum(unbonding.values())) == (found.bonded.shares, found.unbonding.shares)
            assert sum(position.rewards for position in held[node.key]) == found.co_settled

    def positions(self) -> list[StakePosition]:
        kind = PROGRAM.codec.account_discriminator(StakePosition)
        data = [account.data for _, account in self.world.svm.get_program_accounts(ID) if account.data[:8] == kind]
        return [PROGRAM.codec.decode_account(item, StakePosition) for item in data]

    def empty(self, node: NodeRef) -> None:
        """Strangers take everything out once the owner has retired the node and taken his refill along."""
        world = self.world
        found = world.of_node(node)
        if found.flags & governance.FROZEN:
            world.warp(2 * world.params.appeal_secs)
            assert self.attempt(governance.decide_case(CaseRef(node, found.next_case - 1), by=world.stranger))
        if not found.flags & governance.RETIRED:
            assert self.attempt(calls.retire_node(node, staked=world.exists(node.position)))
        if world.of_node(node).refill:
            assert self.attempt(calls.stake(node, 0))
        wallets = {wallet.pubkey(): wallet for wallet in (*self.wallets, world.stranger)}
        held = [
            staking.held_by(node, wallets[position.staker])
            for position in self.positions()
            if position.node == node.key
        ]
        for one in held:
            self.attempt(staking.push_unbond(one))
        world.warp(10**8)
        self.attempt(staking.claim_rewards(node, position=False))
        for one in held:
            self.attempt(staking.claim_rewards(one, position=one.owner != node.owner))
            assert self.attempt(calls.withdraw(one))
        found = world.of_node(node)
        assert found.owner_rewards == found.co_settled == found.refill == 0
        assert self.attempt(staking.close_stake_vault(node))


Stakers.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestStakers = Stakers.TestCase


def test_the_run_reached_co_stakers_too() -> None:
    if "StakeVaultClosed" not in REACHED:
        pytest.skip("the run was not selected")
    assert {f"co-staker: {deed}" for deed in DEEDS} <= REACHED
    assert {"CoStakeTermsChanged", "StakeRefilled", "CaseDecided", "NodeSlashed4", "StakeVaultClosed"} <= REACHED
