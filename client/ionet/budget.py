"""Compute budget: a limit from measured figures where all instructions are known, from a simulation otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction

from ionet.program import Program

_INVOKED = re.compile(r"^Program \w+ invoke \[1\]$")
_CONSUMED = re.compile(r"^Program (\w+) consumed (\d+) of \d+ compute units$")

# The chain's own limit for one transaction.
MAX_UNITS = 1_400_000
# What the two budget instructions themselves cost.
OVERHEAD = 300
# Measured figures vary with the bump seeds of new accounts (1,500 units a try), so the limit leaves room.
MARGIN_PERCENT = 150
MARGIN_UNITS = 15_000
# A simulation has just seen the very accounts.
SIMULATED_PERCENT = 120


@cache
def measured() -> dict[str, int]:
    """Compute units of each instruction as `scripts/measure-compute` found them."""
    table: dict[str, int] = json.loads((files("ionet") / "compute_table.json").read_text())
    return table


def from_table(program: Program, instructions: Sequence[Instruction]) -> int | None:
    """The limit for a transaction of known instructions; None when one of them is not in the table."""
    table = measured()
    total = OVERHEAD
    for instruction in instructions:
        name = instruction_name(program, instruction)
        if name is None or name not in table:
            return None
        total += table[name] * MARGIN_PERCENT // 100 + MARGIN_UNITS
    return min(total, MAX_UNITS)


def consumed(logs: Sequence[str]) -> list[int]:
    """Compute units of each top-level instruction, in order, as the logs say; 0 for built-in programs."""
    units: list[int] = []
    for line in logs:
        if _INVOKED.match(line):
            units.append(0)
            depth_one = line.split()[1]
        found = _CONSUMED.match(line)
        # Deeper calls end first, so the last line of the top-level program is the one that counts.
        if found and units and found[1] == depth_one:
            units[-1] = int(found[2])
    return units


def instruction_name(program: Program, instruction: Instruction) -> str | None:
    """What the IDL calls an instruction; None for other programs' instructions."""
    if instruction.program_id != program.id:
        return None
    names = {bytes(item.discriminator): item.name for item in program.codec.idl.instructions}
    return names.get(bytes(instruction.data[:8]))


def from_simulation(units: int) -> int:
    """The limit for a transaction that used `units` when simulated."""
    return min(units * SIMULATED_PERCENT // 100 + OVERHEAD, MAX_UNITS)


def instruction_count(micro_lamports: int) -> int:
    """How many instructions `with_budget` puts first."""
    return 2 if micro_lamports > 0 else 1


def with_budget(instructions: Sequence[Instruction], limit: int, micro_lamports: int) -> list[Instruction]:
    """The instructions behind a limit and, where one is asked for, a price per unit."""
    head = [set_compute_unit_limit(limit)]
    if micro_lamports > 0:
        head.append(set_compute_unit_price(micro_lamports))
    return [*head, *instructions]
