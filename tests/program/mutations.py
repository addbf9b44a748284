"""What fuzzing does to a valid call: to its bytes, to its list of accounts, and to the accounts themselves. Generic
over the IDL: nothing here names an instruction. An attacker's powers are respected: they cannot sign for others,
and the data of the program's own accounts is only the program's to write."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ionet import addresses
from ionet.generated import pdas
from ionet.program import PROGRAM
from program.calls import ID, IO
from program.chain import TOKEN_PROGRAM, who
from program.stages import TOKEN_2022, Stage
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

SYSTEM = Pubkey.default()
# Programs whose accounts a stage has, and which could change.
OWNERS = (ID, TOKEN_PROGRAM, SYSTEM, addresses.PYTH_RECEIVER)
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
INSTRUCTIONS_SYSVAR = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
# A transaction locks at most 64 accounts; the payer and programs are among them.
MAX_ACCOUNTS, MAX_DATA = 60, 2_000
TAGS = [bytes(item.discriminator) for item in PROGRAM.codec.idl.instructions]


@dataclass(frozen=True)
class Target:
    """A stage, prepared: every account that can be put into a slot, and the keys that can sign."""

    stage: Stage
    zoo: tuple[Pubkey, ...]
    keys: dict[Pubkey, Keypair]


@dataclass
class Draft:
    """A call that is being changed. `placed` overwrites accounts before it is sent; `wrong` says what is wrong with
    those that no instruction may take."""

    data: bytes
    metas: list[AccountMeta]
    before: list[Instruction]
    placed: dict[Pubkey, Account] = field(default_factory=dict)
    wrong: dict[Pubkey, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)


Mutation = Callable[[random.Random, Draft, Target], None]


def prepare(stage: Stage) -> Target:
    world = stage.world
    mine = [key for key in stage.others.values() if isinstance(key, Keypair)]
    keys = {key.pubkey(): key for key in [*stage.call.signers, *mine, world.stranger, world.authority, who("heir")]}
    svm = world.svm
    found = [key for owner in OWNERS for key, _ in svm.get_program_accounts(owner)]
    fixed = [
        ID,
        TOKEN_PROGRAM,
        TOKEN_2022,
        SYSTEM,
        CLOCK,
        INSTRUCTIONS_SYSVAR,
        addresses.PYTH_RECEIVER,
        who("nowhere").pubkey(),
    ]
    left_out = {
        world.payer.pubkey(),
        svm.airdrop_pubkey(),
    }  # the payer of the test, and a wallet that is never the same
    zoo = sorted({*found, *fixed, pdas.owed(ID, IO, who("nowhere").pubkey())} - left_out, key=bytes)
    return Target(stage, tuple(zoo), keys)


# -- bytes


def flip_bits(rng: random.Random, draft: Draft, _target: Target) -> None:
    data = bytearray(draft.data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
    draft.data = bytes(data)


def boundary(rng: random.Random, draft: Draft, _target: Target) -> None:
    """A number at its limits, or next to what it was, wherever one may be."""
    size = rng.choice((1, 2, 4, 8, 16, 32))
    top = 1 << (8 * size)
    if len(draft.data) >= 8 + size:
        at = rng.randrange(8, len(draft.data) - size + 1)
        was = int.from_bytes(draft.data[at : at + size], "little")
        limits = (0, 1, top - 1, top - 2, top >> 1, (top >> 1) - 1)
        value = rng.choice((*limits, was + 1, was - 1, was * 2, rng.randrange(top))) % top
        draft.data = draft.data[:at] + value.to_bytes(size, "little") + draft.data[at + size :]


def random_arguments(rng: random.Random, draft: Draft, _target: Target) -> None:
    draft.data = draft.data[:8] + rng.randbytes(len(draft.data[8:]))


def random_tail(rng: random.Random, draft: Draft, _target: Target) -> None:
    draft.data = draft.data[:8] + rng.randbytes(rng.choice((0, 1, 7, 8, 40, 300, MAX_DATA)))


def truncate(rng: random.Random, draft: Draft, _target: Target) -> None:
    draft.data = draft.data[: rng.randrange(len(draft.data) + 1)]


def extend(rng: random.Random, draft: Draft, _target: Target) -> None:
    draft.data += rng.randbytes(rng.choice((1, 8, 32, 1_000)))


def other_instruction(rng: random.Random, draft: Draft, _target: Target) -> None:
    """The accounts and arguments of one instruction, given to another one."""
    draft.data = rng.choice(TAGS) + draft.data[8:]


def vector_length(rng: random.Random, draft: Draft, target: Target) -> None:
    """A vector that says it is longer or shorter than it is."""
    offsets = vectors(target)
    if offsets:
        at = rng.choice(offsets)
        length = rng.choice((0, 1, 2, 3, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32)))
        draft.data = draft.data[:at] + length.to_bytes(4, "little") + draft.data[at + 4 :]


def vector_items(rng: random.Random, draft: Draft, target: Target) -> None:
    """A vector with none or with many of its own items."""
    call = target.stage.call
    item = PROGRAM.codec.instruction(call.name)
    args = PROGRAM.codec.decode_args(bytes(call.instruction.data)).args
    names = [arg.name for arg in item.args if isinstance(arg.type, dict) and "vec" in arg.type]
    if names:
        name = rng.choice(names)
        args[name] = list(args[name]) * rng.choice((0, 2, 5, 30))
        draft.data = PROGRAM.codec.encode_args(call.name, args)


def vectors(target: Target) -> list[int]:
    """Where in the data the length of each vector is."""
    call = target.stage.call
    whole = bytes(call.instruction.data)
    args = PROGRAM.codec.decode_args(whole).args
    offsets = []
    for arg in PROGRAM.codec.instruction(call.name).args:
        if isinstance(arg.type, dict) and "vec" in arg.type and args[arg.name]:
            shorter = PROGRAM.codec.encode_args(call.name, {**args, arg.name: args[arg.name][:-1]})
            offsets.append(next(i for i, (a, b) in enumerate(zip(whole, shorter, strict=False)) if a != b))
    return offsets


# -- the list of accounts


def shuffle(rng: random.Random, draft: Draft, _target: Target) -> None:
    rng.shuffle(draft.metas)


def exchange(rng: random.Random, draft: Draft, _target: Target) -> None:
    """Two slots trade their accounts and keep their flags, as a client's wrong table would."""
    if len(draft.metas) > 1:
        i, j = rng.sample(range(len(draft.metas)), 2)
        a, b = draft.metas[i], draft.metas[j]
        draft.metas[i] = AccountMeta(b.pubkey, a.is_signer, a.is_writable)
        draft.metas[j] = AccountMeta(a.pubkey, b.is_signer, b.is_writable)


def drop(rng: random.Random, draft: Draft, _target: Target) -> None:
    if draft.metas:
        at = rng.randrange(len(draft.metas))
        draft.metas = draft.metas[:at] if rng.random() < 0.3 else draft.metas[:at] + draft.metas[at + 1 :]


def duplicate(rng: random.Random, draft: Draft, _target: Target) -> None:
    """The account of one slot in another one too."""
    if len(draft.metas) > 1:
        source, to = rng.sample(draft.metas, 2)
        put(draft, draft.metas.index(to), source.pubkey)


def insert(rng: random.Random, draft: Draft, target: Target) -> None:
    """Accounts nobody asked for, in between or at the end."""
    for _ in range(rng.choice((1, 1, 3, 30))):
        at = rng.choice((len(draft.metas), rng.randrange(len(draft.metas) + 1)))
        key = rng.choice(target.zoo)
        if len(draft.metas) < MAX_ACCOUNTS:
            draft.metas.insert(at, AccountMeta(key, rng.random() < 0.2, rng.random() < 0.5))


def another(rng: random.Random, draft: Draft, target: Target) -> None:
    """Any account that there is in one of the slots: another's, of another type, a wallet, a program, a sysvar."""
    if draft.metas:
        put(draft, rng.randrange(len(draft.metas)), rng.choice(target.zoo))


def toggle_signer(rng: random.Random, draft: Draft, _target: Target) -> None:
    if draft.metas:
        at = rng.randrange(len(draft.metas))
        meta = draft.metas[at]
        draft.metas[at] = AccountMeta(meta.pubkey, not meta.is_signer, meta.is_writable)


def toggle_writable(rng: random.Random, draft: Draft, _target: Target) -> None:
    """Everywhere: a transaction knows one flag for an account."""
    if draft.metas:
        key = rng.choice(draft.metas).pubkey
        draft.metas = [AccountMeta(m.pubkey, m.is_signer, m.is_writable ^ (m.pubkey == key)) for m in draft.metas]


def put(draft: Draft, at: int, key: Pubkey) -> None:
    meta = draft.metas[at]
    draft.metas[at] = AccountMeta(key, meta.is_signer, meta.is_writable)


# -- the accounts themselves


def look_alike(rng: random.Random, draft: Draft, target: Target) -> None:
    """The same bytes at another address, owned by another program."""
    picked = existing(rng, draft, target)
    if picked is not None:
        at, account = picked
        there = who(f"look-alike {at}").pubkey()
        draft.placed[there] = Account(account.lamports, account.data, stranger_to(rng, account))
        draft.wrong[there] = "look-alike"
        put(draft, at, there)


def reowned(rng: random.Random, draft: Draft, target: Target) -> None:
    """The right address and bytes, but of another program."""
    rewrite(rng, draft, target, "reowned", lambda it: Account(it.lamports, it.data, stranger_to(rng, it)))


def stranger_to(rng: random.Random, account: Account) -> Pubkey:
    """A program that does not own the account. Never this one: nobody else writes an account of its own."""
    return rng.choice(
        [owner for owner in (addresses.PYTH_RECEIVER, TOKEN_2022, TOKEN_PROGRAM, SYSTEM) if owner != account.owner]
    )


def closed(rng: random.Random, draft: Draft, target: Target) -> None:
    """Gone, or gone and funded again."""
    rewrite(rng, draft, target, "closed", lambda it: Account(rng.choice((0, it.lamports)), b"", SYSTEM))


def emptied(rng: random.Random, draft: Draft, target: Target) -> None:
    """Still its program's, but without data, or with nothing but zeros."""
    zeros = rng.random() < 0.5
    rewrite(
        rng, draft, target, "emptied", lambda it: Account(it.lamports, bytes(len(it.data)) if zeros else b"", it.owner)
    )


def shortened(rng: random.Random, draft: Draft, target: Target) -> None:
    """Shorter than its type."""
    rewrite(
        rng,
        draft,
        target,
        "shortened",
        lambda it: Account(it.lamports, it.data[: rng.randrange(len(it.data))], it.owner),
    )


def lengthened(rng: random.Random, draft: Draft, target: Target) -> None:
    """Longer than its type. Not wrong: only the owner of an account can lengthen it."""
    more = bytes(rng.choice((1, 8, 10_240)))
    rewrite(rng, draft, target, "", lambda it: Account(it.lamports, it.data + more, it.owner))


def rewrite(rng: random.Random, draft: Draft, target: Target, wrong: str, change: Callable[[Account], Account]) -> None:
    picked = existing(rng, draft, target)
    if picked is not None:
        at, account = picked
        key = draft.metas[at].pubkey
        draft.placed[key] = change(account)
        if wrong:
            draft.wrong[key] = wrong


def existing(rng: random.Random, draft: Draft, target: Target) -> tuple[int, Account] | None:
    """A slot with an account as it is on the chain that holds data and is not a program or sysvar."""
    world = target.stage.world
    found = []
    for at, meta in enumerate(draft.metas):
        account = None if meta.pubkey in draft.placed else world.svm.get_account(meta.pubkey)
        if account is not None and account.data and not account.executable and account.owner in OWNERS:
            found.append((at, account))
    return rng.choice(found) if found else None


def bare(_rng: random.Random, draft: Draft, _target: Target) -> None:
    """Without the instructions that should come before it."""
    draft.before = []


BYTES: tuple[Mutation, ...] = (
    flip_bits,
    boundary,
    random_arguments,
    random_tail,
    truncate,
    extend,
    other_instruction,
    vector_length,
    vector_items,
)
LIST: tuple[Mutation, ...] = (
    shuffle,
    exchange,
    drop,
    duplicate,
    insert,
    another,
    toggle_signer,
    toggle_writable,
    bare,
)
ACCOUNTS: tuple[Mutation, ...] = (look_alike, reowned, closed, emptied, shortened, lengthened)


def draw(rng: random.Random, target: Target) -> Draft:
    """One input: the valid call with one to three mutations."""
    call = target.stage.call
    draft = Draft(bytes(call.instruction.data), list(call.instruction.accounts), list(call.before))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        mutation = rng.choice(rng.choice((BYTES, BYTES, LIST, ACCOUNTS)))
        mutation(rng, draft, target)
        draft.done.append(mutation.__name__)
    return draft
