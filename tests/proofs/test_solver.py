"""What z3 reads is what was compared with the program; and a proof that proves nothing is noticed."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
import z3
from proofs import rules, solver, test_division
from proofs.rules import Pool
from proofs.solver import U64, Maths, Numbers, Rule, Symbols, Term, Theorem, Theorems, Unsettled
from proofs.stage import spread

pytestmark = pytest.mark.matrix

Draw = Callable[[int], int]


def pool(draw: Draw) -> Pool:
    return Pool(draw(57), draw(107))


# Every rule, and arguments for it; `draw` gives a positive number of this many bits.
RULES: dict[Rule, Callable[[Draw], tuple[Any, ...]]] = {
    rules.earned: lambda draw: (draw(40), draw(3), draw(31)),
    rules.gross: lambda draw: (draw(40), draw(3), draw(20), 2**20 + draw(31)),
    rules.bps_floor: lambda draw: (draw(64), draw(13)),
    rules.fee: lambda draw: (draw(64), draw(13)),
    rules.with_fee: lambda draw: (draw(63), draw(13)),
    rules.shared: lambda draw: (draw(63), 2**63 + draw(63), draw(13)),
    rules.absorb: lambda draw: (pool(draw), draw(20)),
    rules.worth: lambda draw: (Pool(draw(57), 2**106 + draw(106)), draw(106)),
    rules.redeem: lambda draw: (Pool(draw(57), 2**106 + draw(106)), draw(106)),
    rules.shares_for: lambda draw: (pool(draw), draw(20), draw(107)),
    rules.slash: lambda draw: (Pool(2**56 + draw(56), draw(107)), draw(56)),
    rules.owner_part: lambda draw: (pool(draw), draw(107), draw(57)),
    rules.take_amount: lambda draw: (pool(draw), pool(draw), draw(107), draw(107), draw(57)),
    rules.divide: lambda draw: (2**57 + draw(57), draw(57), draw(60), draw(13), draw(57)),
    rules.compensation: lambda draw: (draw(40), draw(3), draw(24), draw(11), draw(40)),
    rules.cap_of: lambda draw: (draw(60), draw(13), draw(60)),
    rules.leaked: lambda draw: (draw(60), draw(31), draw(60), draw(16)),
    rules.level_after: lambda draw: (draw(60), draw(31), draw(60), draw(16), draw(60)),
    rules.secs_between: lambda draw: (draw(40), draw(40)),
    rules.slots_secs: lambda draw: (draw(50), draw(50), draw(9)),
    rules.elapsed: lambda draw: (draw(31), draw(33), draw(31), draw(33), draw(9)),
    rules.recovery_left: lambda draw: (draw(30), draw(30), draw(16), draw(9)),
    rules.halted: lambda draw: (draw(31), draw(33), draw(31), draw(33), draw(9)),
    rules.restarted_at: lambda draw: (draw(31), draw(33), draw(34), draw(31), draw(33), draw(9)),
    test_division.add_products: lambda draw: (draw(126), draw(127), draw(127), draw(127)),
    test_division.step: lambda draw: (draw(127), draw(1), 2**127 + draw(126)),
}


def flat(value: Any) -> list[Any]:
    """The numbers of a result, of its pools and parts."""
    return list(chain.from_iterable(map(flat, value))) if isinstance(value, tuple) else [value]


def terms(m: Symbols, value: Any) -> Any:
    """The same argument as z3's term."""
    return Pool(*(terms(m, part) for part in value)) if isinstance(value, Pool) else z3.IntVal(value, m.context)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_z3_computes_what_the_rule_does(rule: Rule) -> None:
    dice, m, found, expected = random.Random(rule.__name__), Symbols(), [], []
    for _ in range(20):
        arguments = RULES[rule](lambda bits: spread(dice, 1, 2**bits - 1))
        found += flat(rule(m, *(terms(m, value) for value in arguments)))
        expected += flat(rule(Numbers(), *arguments))
    model = solver.check([m.every(), *m.premises])
    assert model is not None
    assert [model.eval(z3.simplify(term)).as_long() for term in found] == expected


def test_every_rule_is_among_them() -> None:
    written = {found for name, found in vars(rules).items() if callable(found) and found.__module__ == rules.__name__}
    kinds = {kind for kind in written if isinstance(kind, type)}
    assert written - kinds - {rules.least, rules.most} <= set(RULES)


def claim(statement: Callable[[Maths], Term]) -> Theorem:
    return Theorem(statement, {"as it is": {}})


def test_a_divisor_that_may_be_zero_is_noticed() -> None:
    with pytest.raises(AssertionError):
        claim(lambda m: m.floor(1, m.number("divisor", 0, 9)) >= 0).counterexample()


def test_a_theorem_about_nothing_is_noticed() -> None:
    def nothing(m: Maths) -> Term:
        m.given(m.number("a", 1, 9) < 1)
        return m.floor(5, 2) > 10**6

    with pytest.raises(AssertionError, match="nothing is as it takes for granted"):
        claim(nothing).counterexample()


def test_what_z3_cannot_settle_is_not_taken_for_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fermat's last theorem for cubes, in a tenth of a second."""

    def fermat(m: Maths) -> Term:
        a, b, c = (m.number(name, 1, U64) for name in "abc")
        return a * a * a + b * b * b != c * c * c

    monkeypatch.setattr(solver, "LIMIT_SECS", 0.1)
    with pytest.raises(Unsettled):
        claim(fermat).counterexample()


def test_a_fault_that_breaks_nothing_is_noticed() -> None:
    with pytest.raises(AssertionError, match="holds in spite of the fault"):
        solver.refute(claim(lambda m: m.number("a", 1, 9) >= 1), "as it is")


def test_a_theorem_needs_a_fault() -> None:
    with pytest.raises(AssertionError, match="must be able to fail"):
        Theorems().add()
