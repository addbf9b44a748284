"""Nodes, their stakers, arbiter cases, and the network's roles."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import rule
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.enums import NetworkRole
from program import calls, governance, staking
from program.calls import EVERY_CURRENCY, ID
from program.chain import who
from program.governance import ARBITER, AUTHORITY, FROZEN, PAUSER, RETIRED, CaseRef
from program.lives.base import MODELS, MOST_NODES, amounts, picks
from program.lives.money import Money
from program.refs import NodeRef
from program.world import IO_UNIT, T4
from program.world import MODELS as MULTIPLIERS

DEEDS = ["stake", "stake", "stake", "unbond", "withdraw", "claim", "fund", "fund", "push"]
SUPPLIES = ["stake", "unbond", "withdraw", "pause", "update", "terms", "rotate", "register", "retire", "close vault"]
# Figures that a proposal may change, with values within the bounds of the program.
FIGURES = {
    "renter_fee_bps": [0, 25, 300],
    "supplier_fee_bps": [0, 25, 300],
    "usdc_fee_bps": [0, 100, 200],
    "renter_share_bps": [0, 1_000, 2_500],
    "reporter_bps": [0, 500, 10_000],
    "promise_bps": [0, 50, 100],
    "promise_limit": [1, 3],
    "dispute_bond_bps": [0, 100, 500],
    "fault_bps": [0, 500, 10_000],
    "co_stake_max_percent": [0, 10, 50],
    "case_cap_bps": [0, 1_000, 2_000],
    "spread_bps": [0, 50, 500],
}


class Stakes(Money):
    @rule(pick=picks, name=st.sampled_from(SUPPLIES), amount=amounts)
    def supply(self, pick: int, name: str, amount: int) -> None:
        node = self.node(pick)
        if name == "stake":
            self.attempt(calls.stake(node, amount))
        elif name == "unbond":
            self.attempt(calls.request_unbond(node, amount))
        elif name == "withdraw":
            self.withdraw(node, prepared=pick % 4 > 0)
        elif name == "pause":
            self.attempt(calls.pause_node(node, amount % 4 == 1))
        elif name == "terms":
            self.attempt(staking.set_co_stake_terms(node, pick * 10, amount % 10_001))
        elif name == "update":
            payout = (node.owner, *self.wallets)[pick % 8].pubkey()
            offer = calls.terms(
                node.owner,
                min_duration=1,
                price=1 + amount % 10**7,
                currencies=EVERY_CURRENCY,
                payout=payout,
            )
            self.attempt(calls.update_node(node, msgspec.structs.replace(offer, min_coverage_bps=pick % 2 * 5_000)))
        elif name == "rotate":
            self.attempt(calls.rotate_device_key(node, (node.device, *self.devices(node))[pick % 3]))
        elif name == "register":
            self.register(pick)
        elif name == "retire" and pick % 3 == 0:
            self.attempt(calls.retire_node(node, staked=self.world.exists(node.position)))
        else:
            self.attempt(staking.close_stake_vault(node))

    def register(self, pick: int) -> None:
        """Another small node of one of the suppliers, at once with the stake it needs."""
        owner = self.node(pick).owner
        name = f"node {len(self.nodes)}"
        node = NodeRef(owner, who(f"device {name}"))
        offer = calls.terms(owner, min_duration=1, price=7_654_321, currencies=EVERY_CURRENCY)
        made = calls.register_node(node, T4, 2, offer), calls.stake(node, self.required("b"))
        if len(self.nodes) < MOST_NODES and self.attempt(*made):
            self.nodes[name] = node

    @rule(pick=picks, by=picks, deed=st.sampled_from(DEEDS), amount=amounts)
    def deal(self, pick: int, by: int, deed: str, amount: int) -> None:
        """Anyone as a staker of any node."""
        node, wallet = self.node(pick), self.anyone(by)
        held = staking.held_by(node, wallet)
        if deed == "stake":
            self.stake(node, min(amount, 100 * IO_UNIT), wallet)
        elif deed == "fund":
            self.attempt(staking.fund_rewards(node, wallet, amount))
        elif deed == "claim":
            self.claim(held, prepared=by % 4 > 0)
        elif deed == "unbond":
            self.attempt(calls.request_unbond(held, amount))
        elif deed == "withdraw":
            self.withdraw(held, prepared=by % 4 > 0)
        else:
            self.attempt(staking.push_unbond(held))

    @rule(pick=picks, by=picks, share=st.sampled_from([1, 2_500, 10_000]), amount=st.sampled_from([777, IO_UNIT]))
    def join(self, pick: int, by: int, share: int, amount: int) -> None:
        """A node opens itself, mostly its income too, and somebody stakes with it; then there is a reward."""
        node, wallet = self.node(pick), self.anyone(by)
        if by % 4:
            self.attempt(staking.open_income_vault(node, node.owner, self.mints[pick % 3]))
        self.attempt(staking.set_co_stake_terms(node, share, share if by % 4 else 0))
        self.stake(node, amount, wallet)
        self.attempt(staking.fund_rewards(node, wallet, amount))

    @rule(pick=picks, by=picks)
    def give_up(self, pick: int, by: int) -> None:
        """A node retires, and a stranger sends everybody out of it."""
        node = self.node(pick)
        if by % 4 == 0:
            self.attempt(calls.retire_node(node, staked=self.world.exists(node.position)))
        for wallet in self.everyone.values():
            self.attempt(staking.push_unbond(staking.held_by(node, wallet)))

    @rule(pick=picks, by=picks, mint=st.integers(0, 2), deed=st.sampled_from(["open", "claim", "claim", "close"]))
    def income(self, pick: int, by: int, mint: int, deed: str) -> None:
        """The vault of a node's income in a mint is opened by its owner, claimed from by anyone for anyone, closed."""
        node, key = self.node(pick), self.mints[mint]
        if deed == "open":
            self.attempt(staking.open_income_vault(node, node.owner, key))
        elif deed == "claim":
            self.claim_income(staking.held_by(node, self.anyone(by)), key, prepared=by % 4 > 0)
        else:
            self.attempt(staking.close_income_vault(node, key))

    @rule(pick=picks, other=picks, by=picks, length=st.integers(1, 3), share=st.sampled_from([1, 2_500, 10_000]))
    def share_income(self, pick: int, other: int, by: int, length: int, share: int) -> None:
        """A lease from which a co-staker gets their part."""
        node, cluster, wallet = self.node(pick), self.cluster(other), self.anyone(by)
        mint, secs = self.mint_of(cluster), self.params.interval_secs
        self.attempt(staking.open_income_vault(node, node.owner, mint))
        self.attempt(staking.set_co_stake_terms(node, share, share))
        self.stake(node, IO_UNIT, wallet)
        if not self.book(node, cluster, length * secs):
            return
        lease = self.leases[-1]
        self.attempt(calls.mark_ready(lease, device=self.device_of(node)))
        if not self.attempt(calls.accept_ready(lease, by=cluster.renter)):
            return
        for _ in range(length):
            self.world.warp(secs)
            self.prove_of(lease, self.world.of(lease), 1, 1.0)
        self.world.warp(self.world.of(lease).dispute_window_secs + secs)
        self.settle(lease)
        self.claim_income(staking.held_by(node, wallet), mint)

    @rule(pick=picks, by=picks, secs=st.sampled_from([0, 1, 3_600, 10**6, 10**9]), release=st.booleans())
    def lock(self, pick: int, by: int, secs: int, release: bool) -> None:
        """A node's payout is locked to somebody, or released by them or by somebody else."""
        node, wallet = self.node(pick), self.anyone(by)
        lease = next((lease for lease in self.leases if lease.key == self.world.of_node(node).current_lease), None)
        if release:
            payout = self.everyone[self.world.of_node(node).payout]
            self.attempt(calls.release_payout(node, payout if by % 2 else wallet))
        elif pick % 3 == 0:
            self.attempt(calls.lock_payout(node, wallet.pubkey(), self.world.now + secs, lease))

    @rule(pick=picks, days=st.sampled_from([1, 14, 22, 35]))
    def sleep(self, pick: int, days: int) -> None:
        """As long as a cooldown, a notice or an appeal lasts, in parts of the profile's."""
        self.world.warp(self.params.unbond_cooldown_secs * days // 14)
        self.withdraw(self.node(pick))

    # -- cases

    @rule(pick=picks, bps=st.sampled_from([0, 0, 1, 500, 1_000, 9_999]), amount=amounts, early=st.booleans())
    def accuse(self, pick: int, bps: int, amount: int, early: bool) -> None:
        """A case is opened, answered or decided; while it is open the owner refills."""
        node = self.node(pick)
        found = self.world.of_node(node)
        if not found.flags & FROZEN:
            if pick % 6 == 0:
                call = governance.open_case(CaseRef(node, found.next_case), self.role("arbiter"), 1 + pick % 5)
                self.attempt(call)
            return
        case = CaseRef(node, found.next_case - 1)
        self.attempt(calls.stake(node, amount))
        if early:
            self.attempt(governance.appeal_case(case))
        elif pick % 2 == 0:
            self.world.warp_to(max(self.world.now, governance.case_of(self.world, case).decide_from))
            self.decide(case, bps, blocked=pick % 3 == 0)
            self.attempt(calls.stake(node, 0))

    @rule(pick=picks, bps=st.sampled_from([1, 500, 1_000]), blocked=st.booleans())
    def convict(self, pick: int, bps: int, blocked: bool) -> None:
        """A case from its opening to a decision against the node."""
        node = self.node(pick)
        case = CaseRef(node, self.world.of_node(node).next_case)
        if pick % 3 == 0 and self.attempt(governance.open_case(case, self.role("arbiter"))):
            self.attempt(governance.appeal_case(case))
            self.decide(case, bps, blocked)

    def decide(self, case: CaseRef, bps: int, blocked: bool, stranger: bool = False) -> bool:
        by = self.world.stranger if stranger else self.role("arbiter")
        arbiters = {key.pubkey(): key for key in (self.world.arbiter, self.heir("arbiter"))}
        opened_by = arbiters[governance.case_of(self.world, case).arbiter]
        return self.attempt(governance.decide_case(case, bps, blocked, by, opened_by))

    # -- roles

    @rule(bits=st.sampled_from([0, 0, 0, 4, 8, 31]), model=st.sampled_from(sorted(MODELS)), enabled=st.integers(0, 3))
    def stop(self, bits: int, model: str, enabled: int) -> None:
        """Entries are paused or open again, a device model is switched off or on."""
        self.attempt(calls.set_pause(self.role("pauser") if bits % 2 else self.role("authority"), bits))
        self.attempt(governance.set_model(self.role("authority"), MODELS[model][0], enabled > 0))

    @rule(name=st.sampled_from(sorted(FIGURES)), value=st.integers(0, 2), apply=st.booleans())
    def propose(self, name: str, value: int, apply: bool) -> None:
        """Another figure; it binds after the timelock, and only what is booked then."""
        values = FIGURES[name]
        params = governance.changed(self.world, **{name: values[value % len(values)]})
        self.attempt(governance.propose_params(self.role("authority"), params))
        self.apply(apply)

    @rule(role=st.sampled_from([AUTHORITY, PAUSER, ARBITER]), heir=st.booleans(), apply=st.booleans())
    def hand_over(self, role: NetworkRole, heir: bool, apply: bool) -> None:
        name = {AUTHORITY: "authority", PAUSER: "pauser", ARBITER: "arbiter"}[role]
        key = self.heir(name) if heir else getattr(self.world, name)
        self.world.fund(key.pubkey())
        self.attempt(governance.propose_role(self.role("authority"), role, bytes(key.pubkey())))
        self.apply(apply)

    @rule(model=st.sampled_from(sorted(MODELS)), throughput=st.integers(0, 10**9), due=st.booleans())
    def remodel(self, model: str, throughput: int, due: bool) -> None:
        """Another figure of a device model, proposed or in force; what nodes must stake stays."""
        code = MODELS[model][0]
        if not due:
            terms = governance.propose_model(
                self.role("authority"), code, multiplier=MULTIPLIERS[code], throughput=throughput
            )
            self.attempt(terms)
        elif throughput % 3 == 0:
            pending_at = self.world.get(DeviceModel, pdas.model(ID, code)).pending_at
            self.world.warp_to(max(self.world.now, pending_at))
            self.attempt(governance.apply_model(code))

    def apply(self, due: bool) -> None:
        """What is due takes effect; mostly nobody waits, since days end every lease."""
        if due and self.world.slot % 3 == 0:
            network = self.network()
            self.world.warp_to(max(self.world.now, network.pending_effective_at, network.pending_role_at))
        successor = self.network().pending_authority
        key = next(
            key
            for key in (self.world.authority, self.heir("authority"), self.world.stranger)
            if key.pubkey() == successor or key is self.world.stranger
        )
        self.attempt(governance.apply_pending(key))

    @rule(code=st.integers(100, 105), again=st.booleans())
    def enlarge(self, code: int, again: bool) -> None:
        """Another device model, once; vaults a second time."""
        self.attempt(calls.register_model(self.role("authority"), code))
        if again:
            assert not self.attempt(calls.init_vaults(self.world.stranger, self.mints[code % 3]))

    def retired(self, node: NodeRef) -> bool:
        return bool(self.world.of_node(node).flags & RETIRED)
