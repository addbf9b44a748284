"""The security checklist over accounts, one named test per class and instruction; `docs/security.md` says which tests
prove the rest. Instructions, slots and seeds come from the IDL, valid calls from `stages`: a new instruction is tested
by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ionet.generated import pdas
from ionet.idl.model import AccountSeed, ArgSeed, ConstSeed, Seed
from ionet.program import PROGRAM
from program.calls import ID
from program.chain import TOKEN_PROGRAM, refused, who
from program.checklist import Cell, cells, each, index, slots, target, valid, with_account
from program.fuzz import attempt
from program.mutations import SYSTEM, put
from program.stages import INSTRUCTIONS, OTHER_PROGRAM, TOKEN_2022
from solders.account import Account
from solders.pubkey import Pubkey

pytestmark = pytest.mark.matrix

SOURCES = Path(__file__).parents[2] / "programs/ionet/src"


@pytest.fixture(scope="module", autouse=True)
def _forget_worlds() -> Iterator[None]:
    yield
    target.cache_clear()


# -- missing signer


@each(cells("signer"))
def test_missing_signer(cell: Cell) -> None:
    stage = target(cell.instruction).stage
    with refused("MissingRequiredSignature"):
        stage.world.do(stage.call.unsigned(cell.slot))


# -- missing owner, type cosplay


def types_of(name: str) -> list[Pubkey]:
    """One account of every type there is in a stage's world."""
    world = target(name).stage.world
    found: dict[tuple[Pubkey, bytes], Pubkey] = {}
    for key in target(name).zoo:
        account = world.svm.get_account(key)
        if account is not None:
            kind = account.data[:8] if account.owner == ID else len(account.data).to_bytes(8, "little")
            found.setdefault((account.owner, bytes(kind)), key)
    return list(found.values())


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_type_cosplay(name: str) -> None:
    """An account of every other type in every slot: refused with a typed error, or one that may be there."""
    for slot in slots(name):
        for key in types_of(name):
            outcome = with_account(Cell(name, slot.name), key)
            assert not outcome.problem, f"{slot.name}: {outcome}"


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_missing_owner(name: str) -> None:
    """The right bytes at the right address, but another program wrote them."""
    stage = target(name).stage
    for slot, meta in zip(slots(name), stage.call.instruction.accounts, strict=True):
        account = stage.world.svm.get_account(meta.pubkey)
        if account is None or account.owner not in (ID, TOKEN_PROGRAM) or account.executable:
            continue
        for owner in (OTHER_PROGRAM, TOKEN_2022):
            draft = valid(name)
            draft.placed[meta.pubkey] = Account(account.lamports, account.data, owner)
            draft.wrong[meta.pubkey] = "foreign"
            outcome = attempt(target(name), draft)
            assert not outcome.problem, f"{slot.name}: {outcome}"


# -- addresses


def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.rs")))


def constants() -> list[str]:
    """First seeds of every kind of address, from the sources."""
    quoted = re.findall(r'seeds = \[b"(\w+)"|SEED: &\'?\w* ?\[u8\] = b"(\w+)"|&\[b"(\w+)"', sources())
    return sorted({next(filter(None, found)) for found in quoted})


def test_pda_collision() -> None:
    """No kind of address can be made to look like another: no first seed that others follow begins another one, and
    what follows has a fixed length."""
    found = constants()
    assert len(found) >= 15
    alike = [a for a in found for b in found if a != b and b.startswith(a)]
    assert [a for a in alike if f'b"{a}",' in sources() or f"{a.title()}::SEED," in sources()] == []
    args = {name: {arg.name: arg.type for arg in PROGRAM.codec.instruction(name).args} for name in INSTRUCTIONS}
    for name in INSTRUCTIONS:
        for slot in slots(name):
            if slot.pda is not None:
                first, *rest = slot.pda.seeds
                assert isinstance(first, ConstSeed)
                assert bytes(first.value).decode() in found or slot.name == "event_authority"
                for seed in rest:
                    assert not isinstance(seed, ConstSeed)
                    number = isinstance(seed, ArgSeed) and str(args[name][seed.path]) in ("u16", "u32", "u64")
                    assert number or isinstance(seed, AccountSeed), slot.name


def test_pda_sharing() -> None:
    """Who signs for a vault is the account it belongs to, so that one's signature is worth nothing at another's."""
    stage = target("settle_lease").stage
    owners = {}
    for key in ("escrow", "stake_vault"):
        other = stage.others[key]
        assert isinstance(other, Pubkey)
        owners[key] = Pubkey(stage.world.raw(other).data[32:64])
    owners["own escrow"] = Pubkey(stage.world.raw(stage.call.account("escrow")).data[32:64])
    assert owners["escrow"] == stage.others["cluster"]
    assert owners["stake_vault"] == stage.others["node"]
    assert owners["own escrow"] == stage.call.account("cluster")


def seed_bytes(cell: Cell, seed: Seed) -> bytes:
    call = target(cell.instruction).stage.call
    if isinstance(seed, ConstSeed):
        return bytes(seed.value)
    if isinstance(seed, ArgSeed):
        item = PROGRAM.codec.instruction(cell.instruction)
        size = {arg.name: {"u16": 2, "u32": 4, "u64": 8}.get(str(arg.type), 0) for arg in item.args}[seed.path]
        value = PROGRAM.codec.decode_args(bytes(call.instruction.data)).args[seed.path]
        return int(value).to_bytes(size, "little")
    return bytes(call.account(seed.path))


def other_bump(seeds: list[bytes], canonical: int) -> Pubkey:
    """The address of the next lower bump that gives one."""
    for bump in range(canonical - 1, -1, -1):
        digest = hashlib.sha256(b"".join(seeds) + bytes([bump]) + bytes(ID) + b"ProgramDerivedAddress").digest()
        if not Pubkey(digest).is_on_curve():
            return Pubkey(digest)
    raise AssertionError("no other bump")


@each([cell for cell in cells("pda") if cell.slot != "event_authority"])
def test_bump(cell: Cell) -> None:
    """The same seeds with another valid bump, holding the right account's very bytes."""
    pda_of = slots(cell.instruction)[index(cell)].pda
    assert pda_of is not None
    seeds = [seed_bytes(cell, seed) for seed in pda_of.seeds]
    right, canonical = Pubkey.find_program_address(seeds, ID)
    stage = target(cell.instruction).stage
    assert right == stage.call.account(cell.slot)
    draft = valid(cell.instruction)
    there = other_bump(seeds, canonical)
    put(draft, index(cell), there)
    account = stage.world.svm.get_account(right)
    if account is not None:
        draft.placed[there] = account
    assert attempt(target(cell.instruction), draft).name == "InvalidSeeds"


# -- duplicate mutable accounts


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_duplicate_accounts(name: str) -> None:
    """The same account in every pair of slots: refused, and never where both are written."""
    accounts = target(name).stage.call.instruction.accounts
    for i, a in enumerate(slots(name)):
        for j, b in enumerate(slots(name)):
            key = accounts[i].pubkey
            if i == j or key == accounts[j].pubkey:
                continue
            outcome = with_account(Cell(name, b.name), key)
            assert not outcome.problem, f"{a.name} as {b.name}: {outcome}"
            both = accounts[i].is_writable and accounts[j].is_writable and ID not in (key, accounts[j].pubkey)
            assert not (both and outcome.kind == "landed"), f"{a.name} as {b.name}"


# -- arbitrary CPI


@each([cell for cell in cells("address") if cell.slot.endswith("_program")])
def test_arbitrary_cpi(cell: Cell) -> None:
    """Another program, deployed or not, where the program calls one."""
    right = target(cell.instruction).stage.call.account(cell.slot)
    for key in (TOKEN_PROGRAM, TOKEN_2022, OTHER_PROGRAM, SYSTEM, ID, who("nowhere").pubkey()):
        if key != right:
            outcome = with_account(cell, key)
            assert outcome.name in ("IncorrectProgramId", "ConstraintExecutable", "ConstraintDuplicateMutableAccount")


@each([cell for cell in cells("address") if cell.slot == "program"] or [Cell("burn", "program")])
def test_arbitrary_program_of_events(cell: Cell) -> None:
    """Events are sent to this program whatever is in the slot; it only has to be in the list."""
    for key in (TOKEN_2022, OTHER_PROGRAM, SYSTEM):
        assert with_account(cell, key).name == "MissingAccount"


def test_every_class_has_cells() -> None:
    assert len(cells("signer")) > 40
    assert len(cells("pda")) > 100
    assert {cell.slot for cell in cells("address")} >= {"token_program", "system_program"}
    assert pdas.event_authority(ID) == target("burn").stage.call.account("event_authority")
