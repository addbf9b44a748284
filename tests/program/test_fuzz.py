"""A few thousand inputs of the fuzzer that `scripts/fuzz` runs at length, and what it would find if it were there."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from ionet.errors import InstructionFailed
from program.fuzz import Outcome, State, attempt, fuzz, judge, number_of, robbed
from program.mutations import Draft, draw, prepare
from program.stages import INSTRUCTIONS, make
from solders.account import Account
from solders.instruction import AccountMeta

pytestmark = pytest.mark.matrix

INPUTS = 60


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_bad_input_is_refused_with_a_typed_error_and_changes_nothing(name: str) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    findings = list(fuzz(name, 0, range(INPUTS), counts))
    assert not findings
    assert counts.total() == INPUTS
    refusals = {outcome for _, kind, outcome in counts if kind != "landed"}
    assert len(refusals) >= 4, "the mutations do not get far into this instruction"


def test_an_input_is_the_same_whatever_ran_before_it() -> None:
    target, fresh = prepare(make("defend_lease")), prepare(make("defend_lease"))
    assert target.zoo == fresh.zoo
    for number in range(30):
        attempt(target, draw(number_of(7, "defend_lease", number), target))
    a, b = (draw(number_of(7, "defend_lease", 31), one) for one in (target, fresh))
    assert (a.data, a.metas, a.placed.keys(), a.done) == (b.data, b.metas, b.placed.keys(), b.done)
    assert attempt(target, a) == attempt(fresh, b)


def test_what_lands_is_put_back() -> None:
    target = prepare(make("close_cluster"))
    call = target.stage.call
    before = State.of(target.stage.world).digest()
    valid = Draft(bytes(call.instruction.data), list(call.instruction.accounts), list(call.before))
    for _ in range(2):
        assert attempt(target, valid) == Outcome("landed", "landed")
    assert State.of(target.stage.world).digest() == before


# -- the judge itself can find something


def test_panics_and_running_out_of_compute_are_findings() -> None:
    for name in ("ProgramFailedToComplete", "ComputationalBudgetExceeded", "AccessViolation"):
        assert judge(InstructionFailed(name), unchanged=True, paid=5_000).problem
    assert not judge(InstructionFailed("IllegalOwner"), unchanged=True, paid=5_000).problem


def test_a_change_in_a_refused_transaction_is_a_finding() -> None:
    assert judge(InstructionFailed("IllegalOwner"), unchanged=False, paid=5_000).problem
    assert judge(InstructionFailed("IllegalOwner"), unchanged=True, paid=5_001).problem


def test_tokens_that_leave_a_wallet_without_its_signature_are_a_finding() -> None:
    target = prepare(make("stake"))
    world, call = target.stage.world, target.stage.call
    source, staker = call.account("from"), call.account("staker")
    before = State.of(world)
    world.do(call)
    after = State.of(world)
    assert list(robbed(before, after, {staker})) == []
    assert source in list(robbed(before, after, set()))


def test_a_wrong_account_that_is_accepted_is_a_finding() -> None:
    """Shown with the network's bytes lengthened, which is accepted, but called wrong."""
    target = prepare(make("set_pause"))
    call, rng = target.stage.call, random.Random(0)
    draft = replace(draw(rng, target), data=bytes(call.instruction.data), metas=list(call.instruction.accounts))
    key = call.account("network")
    network = target.stage.world.raw(key)
    draft.placed = {key: Account(network.lamports, network.data + b"\0", network.owner)}
    draft.wrong = {}
    assert not attempt(target, draft).problem
    draft.wrong = {key: "another"}
    assert "network" in attempt(target, draft).problem


def test_nobody_signs_whose_key_the_attacker_has_not() -> None:
    target = prepare(make("set_pause"))
    call = target.stage.call
    other = prepare(make("burn")).stage.call.account("burn_vault")
    metas = [
        AccountMeta(other if meta.is_signer else meta.pubkey, meta.is_signer, True)
        for meta in call.instruction.accounts
    ]
    outcome = attempt(target, Draft(bytes(call.instruction.data), metas, []))
    assert outcome.name == "MissingRequiredSignature"
