"""What the program costs: compute units of every instruction when it succeeds."""

from __future__ import annotations

from program.stages import INSTRUCTIONS, make


def measure() -> dict[str, int]:
    """Compute units by instruction, without the transaction's other instructions. The same in every run."""
    units = {}
    for name in INSTRUCTIONS:
        stage = make(name, usual=True)
        units[name] = stage.world.do(stage.call).units
    return units
