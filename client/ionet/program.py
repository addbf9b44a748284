"""The ionet program as the client sees it: address, codec, builder, errors; from the shipped IDL or another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction_status import TransactionErrorType

from ionet.addresses import RULES
from ionet.build import Builder
from ionet.codec import ProgramCodec
from ionet.errors import ChainRefused, ProgramError
from ionet.failure import explain
from ionet.generated.classes import CLASSES
from ionet.generated.errors import BY_CODE
from ionet.generated.instructions import Instructions
from ionet.idl import Idl, bundled


@dataclass(frozen=True, slots=True)
class Program:
    """ix: builders of its instructions. errors: class of each refusal by its code."""

    codec: ProgramCodec
    builder: Builder
    ix: Instructions
    errors: Mapping[int, type[ProgramError]]

    @property
    def id(self) -> Pubkey:
        return self.codec.id

    def explain(
        self,
        error: TransactionErrorType,
        logs: Sequence[str],
        *,
        program_ids: Sequence[Pubkey] = (),
        signature: str | None = None,
    ) -> ChainRefused:
        """The typed exception for a transaction error, as an RPC node or LiteSVM reports it."""
        return explain(error, logs, program=self.id, errors=self.errors, program_ids=program_ids, signature=signature)


def load_program(idl: Idl | None = None) -> Program:
    """The program an IDL describes; the shipped one by default."""
    codec = ProgramCodec(idl or bundled(), CLASSES)
    builder = Builder(codec, RULES)
    return Program(codec, builder, Instructions(builder), BY_CODE)


PROGRAM = load_program()
