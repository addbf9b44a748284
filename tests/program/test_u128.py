"""128-bit arithmetic of the compiled program against exact integers.

The compiler's 128-bit routines are joined to the code by hand (docs/build.md), and a mistake there corrupts memory
without a sign. `arith.so` comes from the same sources of code generation as `ionet.so`: compiler, flags, linker,
routines and lock file (test_artifacts.py compares the recorded versions).
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

PROGRAM = Pubkey.from_string("AqCuMm1pN3A6aKJnWxydmWheB8YgCkGXDSoSoxodw9DC")
SO = Path(__file__).parent / "fixtures/arith.so"
M, S, U64 = 2**128, 2**127, 2**64
PAIRS_PER_CALL = 24
RANDOM_PAIRS = 400

# What Rust must answer; None where it must refuse (checked_*) or fail the transaction (plain operators).
Answer = int | None
Op = Callable[[int, int], Answer]


def u(value: int) -> Answer:
    return value if 0 <= value < M else None


def s(value: int) -> Answer:
    return value if -S <= value < S else None


def wrap(value: int) -> int:
    """Two's complement."""
    return (value + S) % M - S


def div(a: int, b: int) -> Answer:
    """Rounded to zero, as Rust does; Python rounds down."""
    return s(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)) if b else None


def rem(a: int, b: int) -> Answer:
    # Rust refuses MIN % -1 because the division behind it overflows.
    return a - b * quotient if b and (quotient := div(a, b)) is not None else None


def div_euclid(a: int, b: int) -> Answer:
    return s((a - a % abs(b)) // b) if b else None


def rem_euclid(a: int, b: int) -> Answer:
    return a % abs(b) if b and (a, b) != (-S, -1) else None


def mul_div(a: int, b: int) -> Answer:
    low, high, divisor = a % U64, a // U64, b % U64
    return value if divisor and (value := low * high // divisor) < U64 else None


UNSIGNED: list[Op] = [
    lambda a, b: u(a + b),
    lambda a, b: u(a - b),
    lambda a, b: u(a * b),
    lambda a, b: a // b if b else None,
    lambda a, b: a % b if b else None,
    lambda a, b: u(a + b),
    lambda a, b: u(a - b),
    lambda a, b: u(a * b),
    lambda a, b: a // b if b else None,
    lambda a, b: a % b if b else None,
    lambda a, b: a * b % M,
    lambda a, b: int(a * b >= M),
    lambda a, b: min(a * b, M - 1),
    lambda a, b: (a << (b & 127)) % M,
    lambda a, b: a >> (b & 127),
    lambda a, _: a.bit_length() - 1 if a else None,
    lambda a, _: a if a < U64 else None,
    mul_div,
    lambda a, b: int(a < b),
    lambda a, b: -(-a // b) if b else None,
    lambda a, _: math.isqrt(a),
]
SIGNED: list[Op] = [
    lambda a, b: s(a + b),
    lambda a, b: s(a - b),
    lambda a, b: s(a * b),
    div,
    rem,
    lambda a, b: s(a + b),
    lambda a, b: s(a - b),
    lambda a, b: s(a * b),
    div,
    rem,
    lambda a, b: wrap(a * b),
    lambda a, b: int(s(a * b) is None),
    lambda a, b: max(-S, min(a * b, S - 1)),
    lambda a, b: wrap(a << (b & 127)),
    lambda a, b: a >> (b & 127),
    lambda a, _: s(-a),
    lambda a, _: a if -(2**63) <= a < 2**63 else None,
    div_euclid,
    lambda a, b: int(a < b),
    rem_euclid,
    lambda a, _: s(abs(a)),
]
# These fail the transaction instead of answering None.
FAILS = {"unsigned": {0, 1, 2, 3, 4, 19}, "signed": {0, 1, 2, 3, 4}}

EDGES = [0, 1, 2, 3, 7, 10**4, 3600, 10**8, 2**31, 2**32 - 1, 2**63 - 1, 2**63, U64 - 1, U64, U64 + 1]
EDGES += [2**96 - 1, 2**100, S - 1, S, S + 1, M - 2, M - 1, 10**38, M // 3, M - U64, M - U64 + 1]


class Chain:
    """LiteSVM with arith.so, and one call that evaluates an operation over pairs."""

    def __init__(self) -> None:
        self.svm = LiteSVM().with_sigverify(False).with_blockhash_check(False).with_transaction_history(0)
        self.svm.add_program(PROGRAM, SO.read_bytes())
        self.payer = Keypair()
        self.svm.airdrop(self.payer.pubkey(), 10**12)

    def run(self, kind: str, op: int, pairs: list[tuple[int, int]]) -> list[Answer] | None:
        """Raw unsigned answers in the order of the pairs; None when the transaction failed."""
        operands = b"".join((value % M).to_bytes(16, "little") for pair in pairs for value in pair)
        data = hashlib.sha256(f"global:{kind}".encode()).digest()[:8]
        data += bytes([op]) + len(operands).to_bytes(4, "little") + operands
        call = Instruction(PROGRAM, data, [AccountMeta(self.payer.pubkey(), True, False)])
        message = Message([set_compute_unit_limit(1_400_000), call], self.payer.pubkey())
        result = self.svm.send_transaction(Transaction.new_unsigned(message))
        if isinstance(result, FailedTransactionMetadata):
            return None
        answers = result.return_data().data
        assert len(answers) == 17 * len(pairs)
        cut = [answers[i : i + 17] for i in range(0, len(answers), 17)]
        return [int.from_bytes(answer[1:], "little") if answer[0] else None for answer in cut]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


def pairs_of(kind: str, op: int) -> list[tuple[int, int]]:
    """Every pair of edges, and random pairs of every width (equal widths would hardly ever divide or overflow)."""
    rng = random.Random(f"{kind} {op}")
    pairs = [(a, b) for a in EDGES for b in EDGES]
    pairs += [(rng.getrandbits(rng.randint(1, 128)), rng.getrandbits(rng.randint(1, 128))) for _ in range(RANDOM_PAIRS)]
    return [(wrap(a), wrap(b)) for a, b in pairs] if kind == "signed" else pairs


@pytest.mark.parametrize(
    ("kind", "op"), [("unsigned", i) for i in range(len(UNSIGNED))] + [("signed", i) for i in range(len(SIGNED))]
)
def test_operation_agrees_with_exact_integers(chain: Chain, kind: str, op: int) -> None:
    expected = (UNSIGNED if kind == "unsigned" else SIGNED)[op]
    cases = [(pair, expected(*pair)) for pair in pairs_of(kind, op)]
    if op in FAILS[kind]:
        for pair, _ in [case for case in cases if case[1] is None]:
            assert chain.run(kind, op, [pair]) is None, f"{kind} {op} must fail on {pair}"
        cases = [case for case in cases if case[1] is not None]
    for start in range(0, len(cases), PAIRS_PER_CALL):
        batch = cases[start : start + PAIRS_PER_CALL]
        answers = chain.run(kind, op, [pair for pair, _ in batch])
        assert answers is not None, f"{kind} {op} failed on one of {batch}"
        for (pair, want), got in zip(batch, answers, strict=True):
            assert got == (None if want is None else want % M), f"{kind} {op} of {pair}"
