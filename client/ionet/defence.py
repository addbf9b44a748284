"""How a disputed lease is defended: from the last interval to the first, along its chain of proofs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet.ed25519 import verify_instruction
from ionet.errors import InvalidInput
from ionet.generated.types import ProofEntry
from ionet.planner import PACKET, Packer
from ionet.program import Program
from ionet.rules.disputes import START, Dispute, Evidence, next_head, openings, proofs_before
from ionet.rules.merkle import challenge_message


class Step(msgspec.Struct, frozen=True):
    """One instruction of a defence. evidence: opens the first entry; None walks only."""

    prev_head: bytes
    entries: tuple[ProofEntry, ...]
    evidence: Evidence | None = None


def next_step(
    dispute: Dispute,
    proofs: Sequence[ProofEntry],
    evidence: Mapping[int, Evidence],
    *,
    defender: Pubkey,
    key: Pubkey,
    program: Program,
) -> Step | None:
    """What to send next, as much as fits into a transaction; None when nothing is left that the evidence opens.

    evidence: by interval. key: that signed the challenges. defender: signs and pays. Raises WrongChain.
    """
    lists = openings(dispute, proofs, evidence)
    if not lists:
        return None
    entries = lists[0]
    older = list(proofs_before(dispute.head, proofs))[: -len(entries)]
    before = START
    for entry in older:
        before = next_head(before, entry)
    whole = Step(before, tuple(entries), evidence[entries[0].interval])
    if _fits(dispute, whole, defender, key, program):
        return whole
    # Walk towards it from the end of the chain, with as many entries as fit.
    heads = [before]
    for entry in entries:
        heads.append(next_head(heads[-1], entry))
    for at in range(1, len(entries)):
        part = Step(heads[at], tuple(entries[at:]))
        if _fits(dispute, part, defender, key, program):
            return part
    raise InvalidInput(f"the proof of interval {entries[0].interval} has too long a path for a transaction")


def _fits(dispute: Dispute, step: Step, defender: Pubkey, key: Pubkey, program: Program) -> bool:
    made = step_instructions(dispute, step, defender=defender, key=key, program=program)
    return Packer(program, defender, priority_fee=1).size(made) <= PACKET


def step_instructions(
    dispute: Dispute, step: Step, *, defender: Pubkey, key: Pubkey, program: Program
) -> list[Instruction]:
    """One step as instructions, the check of the signature right before the one that looks back at it."""
    defend = program.ix.defend_lease(
        defender=defender,
        cluster=dispute.cluster,
        node=dispute.node,
        lease=dispute.lease,
        prev_head=step.prev_head,
        open=step.evidence is not None,
        entries=step.entries,
        path=step.evidence.path if step.evidence else (),
    )
    if step.evidence is None:
        return [defend]
    message = challenge_message(bytes(dispute.lease), step.entries[0].interval)
    return [verify_instruction(key, message, step.evidence.signature), defend]
