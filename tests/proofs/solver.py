"""Theorems about the program's integer arithmetic: what a rule is written in, and how z3 settles what is said of it.

A rule (`proofs.rules`) is one Python function over `Maths`. Over `Numbers` it computes, and is compared with the
compiled program; over `Symbols` it becomes z3's terms: unbounded integers, a quotient and a remainder for each
division. So what is proved is what was compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import z3

# An int, or z3's term for one; a bool, or z3's formula. z3 ships no types.
Term = Any
U64, U128 = 2**64, 2**128
# z3 may take this long for a theorem, in this many tries: now and then one way of searching leads nowhere.
LIMIT_SECS, TRIES = 20, 4


class Overflow(Exception):
    """A value does not fit the type that the program gives it; the program refuses such a call."""


class Maths(Protocol):
    """What rules and theorems are written in."""

    def number(self, name: str, least: int, most: int) -> Term:
        """Any integer in these bounds, both included."""

    def given(self, condition: Term) -> None:
        """What a theorem takes for granted."""

    def floor(self, numerator: Term, divisor: Term) -> Term:
        """The quotient, rounded down. The divisor must be positive."""

    def ceil(self, numerator: Term, divisor: Term) -> Term:
        """The quotient, and one more if something remains."""

    def fits(self, value: Term, below: int = U64) -> Term:
        """The value, where the program refuses one that is negative or too large for its type."""

    def all_fit(self) -> Term:
        """Whether everything that was marked with `fits` so far does."""

    def pick(self, condition: Term, then: Term, otherwise: Term) -> Term: ...

    def every(self, *conditions: Term) -> Term: ...

    def implies(self, condition: Term, then: Term) -> Term: ...


class Numbers:
    """Python's integers. A theorem is tried on the numbers given."""

    def __init__(self, values: dict[str, int] | None = None) -> None:
        self.values = values or {}
        self.is_possible = True

    def number(self, name: str, least: int, most: int) -> Term:
        assert least <= self.values[name] <= most, name
        return self.values[name]

    def given(self, condition: Term) -> None:
        self.is_possible &= condition

    def floor(self, numerator: Term, divisor: Term) -> Term:
        assert divisor > 0
        return numerator // divisor

    def ceil(self, numerator: Term, divisor: Term) -> Term:
        quotient, remainder = divmod(numerator, divisor)
        return quotient + int(remainder > 0)

    def fits(self, value: Term, below: int = U64) -> Term:
        if not 0 <= value < below:
            raise Overflow(value)
        return value

    def all_fit(self) -> Term:
        return True

    def pick(self, condition: Term, then: Term, otherwise: Term) -> Term:
        return then if condition else otherwise

    def every(self, *conditions: Term) -> Term:
        return all(conditions)

    def implies(self, condition: Term, then: Term) -> Term:
        return not condition or then


class Symbols:
    """z3's unbounded integers. Collects what holds of them."""

    def __init__(self) -> None:
        # Of its own, so that how z3 searches does not depend on what was proved before.
        self.context = z3.Context()
        self.premises: list[Term] = []
        self.names: dict[str, Term] = {}
        self.fitting: list[Term] = []
        self.quotients = 0

    def number(self, name: str, least: int, most: int) -> Term:
        assert name not in self.names, name
        self.names[name] = z3.Int(name, self.context)
        self.premises += [self.names[name] >= least, self.names[name] <= most]
        return self.names[name]

    def given(self, condition: Term) -> None:
        self.premises.append(condition)

    def floor(self, numerator: Term, divisor: Term) -> Term:
        return self._divided(numerator, divisor)[0]

    def ceil(self, numerator: Term, divisor: Term) -> Term:
        quotient, remainder = self._divided(numerator, divisor)
        return quotient + z3.If(remainder > 0, 1, 0)

    def _divided(self, numerator: Term, divisor: Term) -> tuple[Term, Term]:
        # Without this a divisor that may be zero would make every theorem true.
        assert check([*self.premises, divisor <= 0]) is None if z3.is_expr(divisor) else divisor > 0
        self.quotients += 1
        quotient, remainder = z3.Ints(f"quotient{self.quotients} remainder{self.quotients}", self.context)
        self.premises += [quotient * divisor + remainder == numerator, remainder >= 0, remainder < divisor]
        return quotient, remainder

    def fits(self, value: Term, below: int = U64) -> Term:
        self.fitting += [value >= 0, value < below]
        return value

    def all_fit(self) -> Term:
        return self.every(*self.fitting)

    def pick(self, condition: Term, then: Term, otherwise: Term) -> Term:
        return z3.If(condition, then, otherwise, self.context)

    def every(self, *conditions: Term) -> Term:
        return z3.And(z3.BoolVal(True, self.context), *conditions)

    def implies(self, condition: Term, then: Term) -> Term:
        return z3.Implies(condition, then, self.context)


class Unsettled(Exception):
    """z3 found neither a proof nor a counterexample in its time."""


def check(formulas: list[Term]) -> Any | None:
    """A model of all formulas, None if there is none."""
    for seed in range(TRIES):
        # Not `Solver`, which tries other tactics first: it takes far longer for what is said here.
        solver = z3.SimpleSolver(ctx=formulas[0].ctx)
        solver.set(timeout=int(LIMIT_SECS * 1_000 / TRIES), random_seed=seed)
        solver.add(*formulas)
        found = solver.check()
        if found != z3.unknown:
            return solver.model() if found == z3.sat else None
    raise Unsettled(solver.reason_unknown())


Rule = Callable[..., Term]


@dataclass(frozen=True)
class Theorem:
    """A claim about the rules it takes by name, each the program's unless another is given."""

    claim: Rule
    broken: dict[str, dict[str, Rule]]

    def __str__(self) -> str:
        return self.claim.__name__

    def counterexample(self, **rules: Rule) -> dict[str, int] | None:
        """Numbers for which the claim is false; None when z3 proved that there are none."""
        maths = Symbols()
        conclusion = self.claim(maths, **rules)
        model = check([*maths.premises, z3.Not(conclusion, maths.context)])
        if model is None:
            # What no numbers fulfil proves nothing.
            assert check(maths.premises) is not None, f"{self}: nothing is as it takes for granted"
            return None
        return {name: model.eval(term, model_completion=True).as_long() for name, term in maths.names.items()}

    def is_true_of(self, values: dict[str, int], **rules: Rule) -> bool:
        """Whether the claim holds for these numbers, computed without z3."""
        maths = Numbers(values)
        try:
            conclusion = bool(self.claim(maths, **rules))
        except Overflow:
            return False
        return conclusion or not maths.is_possible


class Theorems(list[Theorem]):
    """The theorems about one rule."""

    def add(self, **broken: dict[str, Rule]) -> Callable[[Rule], Rule]:
        """Adds a claim. broken: a fault's name -> rules with that fault, of which the claim must be false."""
        assert broken, "a proof must be able to fail"
        return partial(self._add, broken)

    def _add(self, broken: dict[str, dict[str, Rule]], claim: Rule) -> Rule:
        self.append(Theorem(claim, broken))
        return claim

    def faults(self) -> list[tuple[Theorem, str]]:
        return [(theorem, fault) for theorem in self for fault in theorem.broken]


def prove(theorem: Theorem) -> None:
    assert theorem.counterexample() is None


def refute(theorem: Theorem, fault: str) -> None:
    """The same claim about rules with a fault is false, and z3 names numbers that show it."""
    rules = theorem.broken[fault]
    numbers = theorem.counterexample(**rules)
    assert numbers is not None, f"{theorem} holds in spite of the fault"
    assert not theorem.is_true_of(numbers, **rules)
