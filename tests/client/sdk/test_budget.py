"""Compute budgets: the table covers the program, and the logs are read rightly."""

from __future__ import annotations

from ionet import budget
from ionet.program import PROGRAM
from solders.compute_budget import set_compute_unit_limit
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

KEY = Pubkey(bytes([5] * 32))
PAUSE = PROGRAM.ix.pause_node(owner=KEY, node=KEY, paused=True)


def test_table_covers_every_instruction() -> None:
    table = budget.measured()
    assert table.keys() == {item.name for item in PROGRAM.codec.idl.instructions}
    assert all(0 < units < 200_000 for units in table.values())


def test_limit_from_table() -> None:
    one = budget.from_table(PROGRAM, [PAUSE])
    two = budget.from_table(PROGRAM, [PAUSE, PAUSE])
    assert one is not None
    assert two is not None
    assert budget.measured()["pause_node"] < one < two
    assert budget.from_table(PROGRAM, [PAUSE] * 1000) == budget.MAX_UNITS


def test_unknown_instruction_needs_simulation() -> None:
    foreign = transfer(TransferParams(from_pubkey=KEY, to_pubkey=KEY, lamports=1))
    assert budget.from_table(PROGRAM, [PAUSE, foreign]) is None


def test_what_instructions_consumed_is_read_from_logs() -> None:
    logs = [
        "Program ComputeBudget111111111111111111111111111111 invoke [1]",
        "Program ComputeBudget111111111111111111111111111111 success",
        "Program Aaa invoke [1]",
        "Program log: Program Aaa consumed 1 of 2 compute units",
        "Program Bbb invoke [2]",
        "Program Bbb consumed 4000 of 100000 compute units",
        "Program Bbb success",
        "Program Aaa invoke [2]",
        "Program Aaa consumed 5 of 90000 compute units",
        "Program Aaa success",
        "Program Aaa consumed 7000 of 100000 compute units",
        "Program Aaa success",
    ]
    assert budget.consumed(logs) == [0, 7000]


def test_price_only_when_asked() -> None:
    assert budget.with_budget([PAUSE], 7, 0) == [set_compute_unit_limit(7), PAUSE]
    assert len(budget.with_budget([PAUSE], 7, 3)) == 3
