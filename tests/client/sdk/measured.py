"""A client that remembers what instructions cost. In a module of its own: pytest loads conftest files apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ionet import budget
from ionet.client import Client
from ionet.plan import Receipt
from solders.instruction import Instruction

# Most compute units that each instruction took in this session.
UNITS: dict[str, int] = {}


class MeasuredClient(Client):
    """A client that remembers what instructions cost."""

    async def send(self, instructions: Sequence[Instruction], **how: Any) -> Receipt:
        receipt = await super().send(instructions, **how)
        units = budget.consumed(receipt.logs)[-len(instructions) :]
        for instruction, used in zip(instructions, units, strict=True):
            name = budget.instruction_name(self.program, instruction)
            if name is not None:
                UNITS[name] = max(used, UNITS.get(name, 0))
        return receipt
