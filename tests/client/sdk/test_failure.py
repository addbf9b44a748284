"""Transaction errors become typed exceptions with the program's own sentences."""

from __future__ import annotations

import pytest
from ionet.errors import ChainRefused, ForeignProgramError, InstructionFailed, ProgramError
from ionet.failure import explain, failed_program
from solders.pubkey import Pubkey
from solders.transaction_status import (
    InstructionErrorCustom,
    InstructionErrorFieldless,
    TransactionErrorFieldless,
    TransactionErrorInstructionError,
)

OURS, TOKEN = Pubkey(bytes([9] * 32)), Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")


class ZeroAmount(ProgramError, code=6000):
    """An amount of zero does nothing."""


def logs(*failed: Pubkey) -> list[str]:
    lines = [f"Program {OURS} invoke [1]", f"Program log: Program {TOKEN} failed: a lie in a log line"]
    return lines + [f"Program {program} failed: custom program error: 0x1770" for program in failed]


def custom(code: int) -> TransactionErrorInstructionError:
    return TransactionErrorInstructionError(2, InstructionErrorCustom(code))


def test_the_programs_own_error_is_typed() -> None:
    error = explain(custom(6000), logs(OURS), program=OURS, errors={6000: ZeroAmount}, signature="sig")
    assert type(error) is ZeroAmount
    assert str(error) == "An amount of zero does nothing. (ZeroAmount, 6000)"
    assert (error.index, error.signature, error.exit_code, error.logs) == (2, "sig", 3, tuple(logs(OURS)))


def test_same_code_of_inner_program_is_foreign() -> None:
    error = explain(custom(6000), logs(TOKEN, OURS), program=OURS, errors={6000: ZeroAmount})
    assert type(error) is ForeignProgramError
    assert (error.code, error.program) == (6000, str(TOKEN))
    assert str(TOKEN) in str(error)


def test_without_logs_the_outer_program_decides() -> None:
    ids = [TOKEN, TOKEN, OURS]
    assert isinstance(explain(custom(6000), [], program=OURS, errors={6000: ZeroAmount}, program_ids=ids), ZeroAmount)
    ids[2] = TOKEN
    assert isinstance(
        explain(custom(6000), [], program=OURS, errors={6000: ZeroAmount}, program_ids=ids), ForeignProgramError
    )


def test_anchor_and_builtin_errors() -> None:
    error = explain(custom(2040), logs(OURS), program=OURS, errors={})
    assert type(error) is InstructionFailed
    assert "twice for writing" in str(error)
    seeds = TransactionErrorInstructionError(0, InstructionErrorFieldless.InvalidSeeds)
    assert str(explain(seeds, logs(OURS), program=OURS, errors={})) == "an instruction failed: InvalidSeeds"


@pytest.mark.parametrize("error", [TransactionErrorFieldless.BlockhashNotFound])
def test_an_error_of_the_transaction_is_named(error: TransactionErrorFieldless) -> None:
    refused = explain(error, [], program=OURS, errors={})
    assert type(refused) is ChainRefused
    assert str(refused) == "the chain refused the transaction: BlockhashNotFound"


def test_log_lines_cannot_name_the_culprit() -> None:
    assert failed_program(logs()) is None
