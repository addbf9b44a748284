"""Cells of the security checklist: one slot of one instruction each, and the valid call with something wrong in it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest
from ionet.idl.model import Account as Slot
from ionet.program import PROGRAM
from program.fuzz import Outcome, attempt
from program.mutations import Draft, Target, prepare, put
from program.stages import INSTRUCTIONS, make
from solders.pubkey import Pubkey


class Cell(NamedTuple):
    """One slot of one instruction."""

    instruction: str
    slot: str


def slots(name: str) -> tuple[Slot, ...]:
    return PROGRAM.codec.instruction(name).slots()


def cells(keep: str) -> list[Cell]:
    """Slots for which a field of the IDL's entry is set."""
    return [Cell(name, slot.name) for name in INSTRUCTIONS for slot in slots(name) if getattr(slot, keep)]


def each(found: list[Cell]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cell", found, ids=[f"{name}-{slot}" for name, slot in found])


@cache
def target(name: str) -> Target:
    """Shared: what is tried here is refused, and what lands is put back."""
    return prepare(make(name))


def valid(name: str) -> Draft:
    call = target(name).stage.call
    return Draft(bytes(call.instruction.data), list(call.instruction.accounts), list(call.before))


def index(cell: Cell) -> int:
    return [slot.name for slot in slots(cell.instruction)].index(cell.slot)


def with_account(cell: Cell, key: Pubkey) -> Outcome:
    """The valid call with another account in one slot."""
    draft = valid(cell.instruction)
    put(draft, index(cell), key)
    return attempt(target(cell.instruction), draft)
