"""The defence of a disputed lease as instructions; which steps it takes is in `rules.disputes`."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet.ed25519 import verify_instruction
from ionet.planner import PACKET, Packer
from ionet.program import Program
from ionet.rules.challenges import challenge_message
from ionet.rules.disputes import Dispute, Step

# All keys are equally long, so a step can be measured before it is known which key signed the challenges.
_ANY_KEY = Pubkey.default()


def fits(dispute: Dispute, step: Step, *, defender: Pubkey, program: Program) -> bool:
    """Whether a step fits into one transaction of `defender`, who signs and pays."""
    needed = step_instructions(dispute, step, defender=defender, challenged_by=_ANY_KEY, program=program)
    return Packer(program, defender, priority_fee=1).size(needed) <= PACKET


def step_instructions(
    dispute: Dispute, step: Step, *, defender: Pubkey, challenged_by: Pubkey, program: Program
) -> list[Instruction]:
    """One step as instructions, the check of the signature right before the one that looks back at it.

    challenged_by: the session key that signed the challenges, see `rules.disputes.challenge_key`.
    """
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
    message = challenge_message(dispute.lease, step.entries[0].interval)
    return [verify_instruction(challenged_by, message, step.evidence.signature), defend]
