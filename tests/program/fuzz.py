"""Fuzzes every instruction of the program from its valid call in `stages`, and judges what comes of it.

An input is named by its seed, its instruction and its number, and does not depend on those before it: what a landed
input changed is put back. `scripts/fuzz` runs it and prints for every finding the line that repeats it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ionet.errors import ChainRefused, ForeignProgramError, InstructionFailed, ProgramError
from ionet.program import PROGRAM
from program.chain import TOKEN_PROGRAM, Chain, error_name
from program.mutations import OWNERS, Draft, Target, draw, prepare
from program.stages import INSTRUCTIONS, make
from program.swap_table import FREE, UNTYPED
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

LAMPORTS_PER_SIGNATURE = 5_000
# What the runtime and Solana's own programs answer to bad input. Anything else, a panic, an access violation or running
# out of compute among it, is a finding.
RUNTIME = frozenset(
    {
        "AccountDataTooSmall",
        "IllegalOwner",
        "IncorrectProgramId",
        "InvalidAccountData",
        "InvalidInstructionData",
        "InvalidSeeds",
        "MissingAccount",
        "MissingRequiredSignature",
        "NotEnoughAccountKeys",
        "PrivilegeEscalation",
        "UninitializedAccount",
    }
)
# What the runtime forbids to the token program when a vault of ours is given to somebody else by cheating.
CAUGHT = frozenset({"ExternalAccountDataModified"})
OTHERS = frozenset({str(TOKEN_PROGRAM)})
# Slots that may be filled otherwise than in the stage's call, and why.
EXPLAINED = {
    **FREE,
    **dict.fromkeys(UNTYPED, "a recipient who cannot receive, or a price account: read where it is"),
    ("set_pause", "pauser"): "the authority pauses too",
    ("claim_owed", "to"): "its owner says where it goes",
    ("mint_iosd", "to"): "the signer says where it goes",
    ("mint_iosd_exact", "to"): "the signer says where it goes",
    ("redeem_iosd", "to"): "the signer says where it goes",
    ("buyback", "to"): "the signer says where it goes",
    ("stake", "position"): "made where it is missing",
    ("open_cluster", "renter_account"): "made where it is missing",
}


@dataclass(frozen=True)
class Outcome:
    """What an input came to. `kind`: landed, program, anchor, runtime, foreign or transaction. `problem`: what must not
    be, empty where all is well."""

    kind: str
    name: str
    problem: str = ""


@dataclass(frozen=True)
class Finding:
    instruction: str
    number: int
    done: tuple[str, ...]
    outcome: Outcome


def number_of(seed: int, name: str, number: int) -> random.Random:
    return random.Random(f"{seed} {name} {number}")


def attempt(target: Target, draft: Draft) -> Outcome:
    """Sends one input and puts back what it changed."""
    world = target.stage.world
    metas = [AccountMeta(m.pubkey, m.is_signer and m.pubkey in target.keys, m.is_writable) for m in draft.metas]
    instruction = Instruction(target.stage.call.instruction.program_id, draft.data, metas)
    signers = list(dict.fromkeys(target.keys[meta.pubkey] for meta in metas if meta.is_signer))
    touched = {*draft.placed, *(meta.pubkey for meta in metas)}
    kept = {key: world.svm.get_account(key) for key in touched}
    for key, account in draft.placed.items():
        world.svm.set_account(key, account)
    before, purse = State.of(world), world.lamports(world.payer.pubkey())
    try:
        world.send([*draft.before, instruction], [world.payer, *signers])
    except ChainRefused as error:
        paid = purse - world.lamports(world.payer.pubkey())
        outcome = judge(error, State.of(world) == before, paid)
    else:
        taken = [str(key) for key in robbed(before, State.of(world), {key.pubkey() for key in signers})]
        accepted = (taken and f"took from {taken} without a signature") or ", ".join(accepted_wrongly(target, draft))
        outcome = Outcome("landed", "landed", accepted)
    restore(world, kept)
    return outcome


def judge(error: ChainRefused, unchanged: bool, paid: int) -> Outcome:
    name = error_name(error)
    if isinstance(error, ProgramError):
        kind = "program"
    elif isinstance(error, ForeignProgramError):
        kind = "foreign"
    elif not isinstance(error, InstructionFailed):
        kind = "transaction"
    else:
        kind = "anchor" if error.detail.endswith(f"({name})") else "runtime"
    problem = ""
    if not unchanged:
        problem = "state changed although it was refused"
    elif paid % LAMPORTS_PER_SIGNATURE:
        problem = f"the payer paid {paid} lamports for nothing"
    elif kind in ("runtime", "transaction") and name not in RUNTIME and not by_another(error):
        problem = f"{name}: " + " | ".join(error.logs[-4:])
    return Outcome(kind, name, problem)


def by_another(error: ChainRefused) -> bool:
    """Whether another program than ours was caught at what only the runtime forbids."""
    return isinstance(error, InstructionFailed) and error.program in OTHERS and error_name(error) in CAUGHT


def accepted_wrongly(target: Target, draft: Draft) -> Iterator[str]:
    """Slots of a call that went through with another account than the right one, or with one of wrong content, although
    it may not be another one there."""
    call = target.stage.call
    right = call.instruction
    if draft.data[:8] != bytes(right.data)[:8]:
        return
    slots = PROGRAM.codec.instruction(call.name).slots()
    for slot, meta, was in zip(slots, draft.metas, right.accounts, strict=False):
        wrong = draft.wrong.get(meta.pubkey, "" if meta.pubkey == was.pubkey else "another")
        absent = slot.optional and meta.pubkey == right.program_id
        if wrong and not absent and slot.name != "program" and (call.name, slot.name) not in EXPLAINED:
            yield f"landed with a wrong account ({wrong}) as {slot.name}"


# -- state


@dataclass(frozen=True)
class State:
    """Every account of a chain but the fee payer's, the one airdrops come from, and the programs themselves."""

    accounts: dict[Pubkey, Account]

    @classmethod
    def of(cls, world: Chain) -> State:
        left_out = (world.payer.pubkey(), world.svm.airdrop_pubkey())
        found = (item for owner in OWNERS for item in world.svm.get_program_accounts(owner))
        return cls({key: account for key, account in found if key not in left_out and account.lamports})

    def digest(self) -> str:
        whole = hashlib.sha256()
        for key in sorted(self.accounts, key=bytes):
            whole.update(bytes(key) + bytes(self.accounts[key]))
        return whole.hexdigest()


def robbed(before: State, after: State, signed: set[Pubkey]) -> Iterator[Pubkey]:
    """Wallets that lost lamports or tokens although they did not sign."""
    for key, old in before.accounts.items():
        new = after.accounts.get(key)
        if old.owner == TOKEN_PROGRAM and len(old.data) == 165:
            holder = Pubkey(old.data[32:64])
            lost = tokens(new) < tokens(old)
        else:
            holder = key
            lost = (new.lamports if new else 0) < old.lamports
        if lost and holder.is_on_curve() and holder not in signed:
            yield key


def tokens(account: Account | None) -> int:
    return int.from_bytes(account.data[64:72], "little") if account and len(account.data) == 165 else 0


def restore(world: Chain, kept: dict[Pubkey, Account | None]) -> None:
    for key, account in kept.items():
        if world.svm.get_account(key) != account:
            world.svm.set_account(key, account or Account(0, b"", Pubkey.default()))


# -- runs


def fuzz(name: str, seed: int, numbers: Iterable[int], counts: Counter[tuple[str, str, str]]) -> Iterator[Finding]:
    """Runs inputs of one instruction, counts outcomes as (instruction, kind, name), and yields what must not be."""
    target = prepare(make(name))
    whole = State.of(target.stage.world).digest()
    for number in numbers:
        draft = draw(number_of(seed, name, number), target)
        outcome = attempt(target, draft)
        counts[name, outcome.kind, outcome.name] += 1
        if outcome.problem:
            yield Finding(name, number, tuple(draft.done), outcome)
    if State.of(target.stage.world).digest() != whole:
        yield Finding(name, -1, (), Outcome("state", "state", "the world is not what it was before the run"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzzes every instruction of the program.")
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs in all (default 100000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=INSTRUCTIONS, help="one instruction")
    parser.add_argument("--at", type=int, help="repeat one input of it, by its number")
    asked = parser.parse_args()
    names = (asked.only,) if asked.only else INSTRUCTIONS
    each = -(-asked.inputs // len(names))
    numbers = range(each) if asked.at is None else (asked.at,)
    counts: Counter[tuple[str, str, str]] = Counter()
    started, findings = time.monotonic(), 0
    for name in names:
        for finding in fuzz(name, asked.seed, numbers, counts):
            findings += 1
            print(f"FINDING scripts/fuzz --seed {asked.seed} --only {finding.instruction} --at {finding.number}")
            print(f"  {', '.join(finding.done)}: {finding.outcome.problem}", flush=True)
    report(counts, time.monotonic() - started)
    print(f"{findings} findings")
    return 1 if findings else 0


def report(counts: Counter[tuple[str, str, str]], secs: float) -> None:
    """Prints how many inputs came to what."""
    kinds: Counter[str] = Counter()
    names: dict[str, Counter[str]] = {}
    for (_, kind, name), count in counts.items():
        kinds[kind] += count
        names.setdefault(kind, Counter())[name] += count
    print(f"{kinds.total()} inputs in {secs:.0f} s")
    for kind, count in kinds.most_common():
        print(f"{kind:12} {count:8}  {', '.join(f'{name} {n}' for name, n in names[kind].most_common())}")


if __name__ == "__main__":
    sys.exit(main())
