"""From a transaction error, as an RPC node or LiteSVM reports it, to a typed exception. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from solders.pubkey import Pubkey
from solders.transaction_status import (
    InstructionErrorCustom,
    InstructionErrorFieldless,
    TransactionErrorFieldless,
    TransactionErrorInstructionError,
    TransactionErrorType,
)

from ionet.errors import ChainRefused, ForeignProgramError, InstructionFailed, ProgramError

_FAILED = re.compile(r"^Program (\w{32,44}) failed")

# Codes that Anchor itself returns from its account constraints; everything else it reports as a built-in error.
ANCHOR_CODES = {
    2000: "an account that is written is not writable (ConstraintMut)",
    2001: "two accounts do not belong together (ConstraintHasOne)",
    2003: "an account constraint does not hold (ConstraintRaw)",
    2005: "an account is not rent exempt (ConstraintRentExempt)",
    2007: "an account is not executable (ConstraintExecutable)",
    2011: "an account would be closed into itself (ConstraintClose)",
    2012: "an account is not the expected one (ConstraintAddress)",
    2013: "an account is not empty (ConstraintZero)",
    2019: "an account has the wrong size (ConstraintSpace)",
    2020: "an account that is needed was left out (ConstraintAccountIsNone)",
    2040: "the same account was given twice for writing (ConstraintDuplicateMutableAccount)",
    2500: "a condition does not hold (RequireViolated)",
    2501: "two values should be equal (RequireEqViolated)",
    2502: "two keys should be equal (RequireKeysEqViolated)",
    2503: "two values should differ (RequireNeqViolated)",
    2504: "two keys should differ (RequireKeysNeqViolated)",
    2505: "a value should be greater (RequireGtViolated)",
    2506: "a value should not be smaller (RequireGteViolated)",
}

TOKEN_PROGRAM, _SYSTEM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "1" * 32
_ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
TOKENS_SHORT = (TOKEN_PROGRAM, 1)
SOL_SHORT = (_SYSTEM, 1)
ACCOUNT_THERE = (_SYSTEM, 0)
# What the codes of other programs mean.
FOREIGN = {
    (TOKEN_PROGRAM, 0): "a token account would not be rent exempt",
    TOKENS_SHORT: "a token account holds too few tokens",
    (TOKEN_PROGRAM, 3): "a token account is of another token",
    (TOKEN_PROGRAM, 4): "a token account is another wallet's",
    (TOKEN_PROGRAM, 11): "a token account that still holds tokens cannot be closed",
    (TOKEN_PROGRAM, 14): "an amount is too large",
    (TOKEN_PROGRAM, 17): "a token account is frozen by the token's issuer",
    (TOKEN_PROGRAM, 18): "the token has other decimals",
    ACCOUNT_THERE: "an account that is to be made exists already",
    SOL_SHORT: "a wallet has too little SOL",
    (_SYSTEM, 2): "an account would belong to a program that cannot be",
    (_SYSTEM, 3): "an account would be too large",
    (_ASSOCIATED, 0): "a token account is given away to another wallet",
}


def explain(
    error: TransactionErrorType,
    logs: Sequence[str],
    *,
    program: Pubkey,
    errors: Mapping[int, type[ProgramError]],
    program_ids: Sequence[Pubkey] = (),
    signature: str | None = None,
) -> ChainRefused:
    """The exception for a transaction error.

    program, errors: address and error classes of the ionet program. program_ids: program of each instruction of the
    transaction, used when the logs do not say who failed.
    """
    if not isinstance(error, TransactionErrorInstructionError):
        return ChainRefused(_transaction_text(error), logs=logs, signature=signature)
    index, inner = error.index, error.err
    culprit = failed_program(logs)
    if culprit is None and index < len(program_ids):
        culprit = str(program_ids[index])
    if isinstance(inner, InstructionErrorCustom):
        own = culprit is None or culprit == str(program)
        if own and inner.code in errors:
            return errors[inner.code](index=index, program=culprit, logs=logs, signature=signature)
        if own and inner.code in ANCHOR_CODES:
            text = ANCHOR_CODES[inner.code]
            return InstructionFailed(text, index=index, program=culprit, logs=logs, signature=signature)
        meaning = FOREIGN.get((str(culprit), inner.code))
        place = f"program {culprit}, code {inner.code}"
        detail = f"{meaning} ({place})" if meaning else place
        foreign = ForeignProgramError(detail, index=index, program=culprit, logs=logs, signature=signature)
        foreign.code = inner.code
        return foreign
    detail = _name(inner) if isinstance(inner, InstructionErrorFieldless) else str(inner)
    return InstructionFailed(detail, index=index, program=culprit, logs=logs, signature=signature)


def failed_program(logs: Sequence[str]) -> str | None:
    """Address of the program that failed first, the innermost one; None when the logs do not say."""
    for line in logs:
        match = _FAILED.match(line)
        if match:
            return match[1]
    return None


def _transaction_text(error: TransactionErrorType) -> str:
    return _name(error) if isinstance(error, TransactionErrorFieldless) else str(error)


def _name(error: object) -> str:
    return str(error).rsplit(".", 1)[-1]
