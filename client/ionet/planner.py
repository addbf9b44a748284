"""Which instructions travel together: as many per transaction as the chain's limits allow, measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey

from ionet import budget
from ionet.program import Program
from ionet.wallet import compile_message

# Bytes of a transaction, and accounts that it may lock.
PACKET, MAX_ACCOUNTS = 1232, 64
# Instructions that run in a transaction, those that programs call included. Two set the compute budget; booking a node
# makes three: itself, the system program's for the new account, its event.
MAX_TRACE, TRACE_BUDGET, TRACE_EACH = 64, 2, 3

Tables = tuple[AddressLookupTableAccount, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Instructions of one transaction, as positions in the list they came from, and the lookup tables it may use."""

    positions: tuple[int, ...]
    tables: Tables = ()


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs for one payer. priority_fee: micro-lamports per compute unit; its instruction takes room too."""

    program: Program
    payer: Pubkey
    priority_fee: int = 0

    def pack(
        self,
        instructions: Sequence[Instruction],
        tables_of: Callable[[int], Tables] = lambda _: (),
        positions: Sequence[int] | None = None,
    ) -> list[Batch]:
        """Split instructions, or those at some positions, into as few transactions as fit.

        tables_of: the lookup tables that serve the instruction at a position; only those with the same ones travel
        together. The first one's come first; among instructions with the same tables the order stays.
        """
        chosen = list(range(len(instructions)) if positions is None else positions)
        groups: dict[tuple[bytes, ...], list[int]] = {}
        for at in chosen:
            groups.setdefault(tuple(bytes(table.key) for table in tables_of(at)), []).append(at)
        packed: list[Batch] = []
        for group in groups.values():
            tables, guess = tables_of(group[0]), len(group)
            while group:
                guess = self._longest([instructions[at] for at in group], tables, guess)
                packed.append(Batch(tuple(group[:guess]), tables))
                group = group[guess:]
        return packed

    def size(self, instructions: Sequence[Instruction], tables: Tables = ()) -> int:
        """Bytes on the wire, compute budget included."""
        whole = budget.with_budget(instructions, budget.MAX_UNITS, self.priority_fee)
        message = compile_message(self.payer, whole, Hash.default(), tables)
        return 1 + 64 * message.header.num_required_signatures + len(to_bytes_versioned(message))

    def _longest(self, instructions: list[Instruction], tables: Tables, guess: int) -> int:
        """How many of the first instructions fit, at least one. Neighbours mostly take as many: looks there first."""
        count = max(1, min(guess, len(instructions), MAX_TRACE // TRACE_EACH))
        while count > 1 and not self.fits(instructions[:count], tables):
            count -= 1
        while count < len(instructions) and self.fits(instructions[: count + 1], tables):
            count += 1
        return count

    def fits(self, instructions: Sequence[Instruction], tables: Tables = ()) -> bool:
        """Whether they can be one transaction."""
        accounts = {meta.pubkey for item in instructions for meta in item.accounts}
        units = budget.from_table(self.program, instructions)
        return (
            TRACE_BUDGET + TRACE_EACH * len(instructions) <= MAX_TRACE
            and len(accounts | {self.payer, *(item.program_id for item in instructions)}) <= MAX_ACCOUNTS
            # The sum is cut at the limit.
            and (units is None or units < budget.MAX_UNITS)
            and self.size(instructions, tables) <= PACKET
        )
