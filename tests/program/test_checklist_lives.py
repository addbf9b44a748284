"""The security checklist over time: accounts that are made twice, closed and revived; accounts and bytes nobody asked
for; events that are forged or drowned; mints of Token-2022."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ionet.codec.program import EVENT_TAG
from ionet.errors import ChainRefused
from ionet.program import PROGRAM
from program import calls, staking
from program.calls import ID
from program.chain import Call, refused, who
from program.checklist import Cell, each, target
from program.fuzz import State, restore
from program.refs import NodeRef
from program.stages import INSTRUCTIONS, TOKEN_2022, make
from program.world import World
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer

pytestmark = pytest.mark.matrix

INSTRUCTION_SOURCES = Path(__file__).parents[2] / "programs/ionet/src/instructions"
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
RENT = 10_000_000
MADE = re.compile(r"#\[account\(\s*(init\w*)\b.*?\)\]\s*pub (\w+):", re.DOTALL)
CLOSED = re.compile(r"\b(\w+)\.close\(|token::close\(")


def in_sources(kind: str) -> list[Cell]:
    """Slots that instructions make, with `init` or with `init_if_needed`."""
    return [
        Cell(path.stem, slot)
        for path in sorted(INSTRUCTION_SOURCES.rglob("*.rs"))
        for found, slot in MADE.findall(path.read_text(encoding="utf-8"))
        if found == kind
    ]


# -- re-initialisation


@each(in_sources("init"))
def test_reinitialisation(cell: Cell) -> None:
    """What an instruction made is there: it is not made again, and stays as it is."""
    stage = make(cell.instruction)
    stage.world.do(stage.call)
    before = State.of(stage.world)
    key = stage.call.account(cell.slot)
    assert key in before.accounts
    with pytest.raises(ChainRefused):
        stage.world.do(stage.call)
    assert State.of(stage.world) == before


def test_only_counters_are_made_where_they_are_missing() -> None:
    """`init_if_needed` is only where the handler adds to what is there: a position's shares, a renter's counter."""
    assert in_sources("init_if_needed") == [Cell("open_cluster", "renter_account"), Cell("stake", "position")]


@each(in_sources("init") + in_sources("init_if_needed"))
def test_lamports_at_an_address_do_not_keep_it_from_being_made(cell: Cell) -> None:
    """Anybody can send lamports to an address that is yet to be made."""
    stage = make(cell.instruction)
    key = stage.call.account(cell.slot)
    if stage.world.exists(key):  # the position and counter of the stage's own supplier and renter
        return
    stage.world.fund(key, RENT)
    stage.world.do(stage.call)
    assert stage.world.raw(key).data


# -- close and revive


def _empty_position(world: World, call: Call) -> Call:
    """A withdrawal of everything, which closes the position."""
    node = NodeRef(who("supplier a"), who("device a"))
    world.do(calls.retire_node(node))
    world.warp(14 * staking.DAY)
    return call


CLOSES: dict[str, dict[str, Callable[[World, Call], Call]]] = {
    "claim_owed": {"owed": lambda _, call: call},
    "collect_owed": {"owed": lambda _, call: call},
    "close_cluster": {"cluster": lambda _, call: call, "escrow": lambda _, call: call},
    "close_income_vault": {"income_vault": lambda _, call: call},
    "close_lease": {"lease": lambda _, call: call},
    "close_stake_vault": {"stake_vault": lambda _, call: call},
    "decide_case": {"case": lambda _, call: call},
    "withdraw": {"position": _empty_position},
}


def test_everything_that_is_closed_is_revived_here() -> None:
    sources = {path.stem: path.read_text(encoding="utf-8") for path in INSTRUCTION_SOURCES.rglob("*.rs")}
    assert set(CLOSES) == {name for name, text in sources.items() if CLOSED.search(text)}


@each([Cell(name, slot) for name, closes in CLOSES.items() for slot in closes])
def test_close_and_revive(cell: Cell) -> None:
    """Closed, funded and used again: refused in the same transaction and afterwards."""
    stage = make(cell.instruction)
    world, key = stage.world, stage.call.account(cell.slot)
    call = CLOSES[cell.instruction][cell.slot](world, stage.call)
    refund = transfer(TransferParams(from_pubkey=world.payer.pubkey(), to_pubkey=key, lamports=RENT))
    signers = [world.payer, *call.signers]
    before = State.of(world)
    for again in ([refund, call.instruction], [call.instruction, refund]):
        with pytest.raises(ChainRefused):
            world.send([*call.before, call.instruction, *again], signers)
        assert State.of(world) == before
    world.send([*call.before, call.instruction, refund], signers)
    revived = world.raw(key)
    assert (revived.data, revived.owner, revived.lamports) == (b"", Pubkey.default(), RENT)
    after = State.of(world)
    with pytest.raises(ChainRefused):
        world.do(call)
    assert State.of(world) == after


# -- remaining accounts and bytes


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_remaining_accounts(name: str) -> None:
    """Accounts and bytes after those an instruction needs have no effect: same events, same state."""
    stage = make(name)
    world, call = stage.world, stage.call
    extra = [
        AccountMeta(world.stranger.pubkey(), False, True),
        AccountMeta(call.instruction.accounts[0].pubkey, False, False),
        AccountMeta(who("nowhere").pubkey(), False, True),
        AccountMeta(ID, False, False),
    ]
    padded = Instruction(ID, bytes(call.instruction.data) + b"\1\2\3", [*call.instruction.accounts, *extra])
    kept = {meta.pubkey: world.svm.get_account(meta.pubkey) for meta in padded.accounts}
    plain = world.do(call)
    expected = State.of(world)
    restore(world, kept)
    assert State.of(world) != expected
    landed = world.do(replace(call, instruction=padded))
    assert landed.events == plain.events
    assert State.of(world) == expected


def test_no_handler_reads_remaining_accounts() -> None:
    texts = [path.read_text(encoding="utf-8") for path in INSTRUCTION_SOURCES.parent.rglob("*.rs")]
    assert texts
    assert not [text for text in texts if "remaining_accounts" in text]


# -- events: spoof and loss


@pytest.mark.parametrize("name", [event.name for event in PROGRAM.codec.idl.events])
def test_event_spoof(name: str) -> None:
    """No event is recorded without the signature of the event authority, which only the program can give."""
    stage = target("burn").stage
    world, authority = stage.world, stage.call.account("event_authority")
    (tag,) = [bytes(event.discriminator) for event in PROGRAM.codec.idl.events if event.name == name]
    data = EVENT_TAG + tag + bytes(300)
    forgeries = {
        "MissingRequiredSignature": [AccountMeta(authority, False, False)],
        "InvalidSeeds": [AccountMeta(world.stranger.pubkey(), True, False)],
        "NotEnoughAccountKeys": [],
    }
    for error, metas in forgeries.items():
        signers = [world.stranger] if metas and metas[0].is_signer else []
        with refused(error):
            world.send([Instruction(ID, data, metas)], [world.payer, *signers])


@pytest.mark.parametrize("name", ["settle_lease", "report_missed", "decide_case", "close_cluster"])
def test_event_loss(name: str) -> None:
    """Log lines that fill the log first do not cut an event off."""
    plain, noisy = make(name), make(name)
    noise = [Instruction(MEMO, bytes([1]) * 400, []), *(Instruction(MEMO, bytes([65 + i]), []) for i in range(40))]
    call = noisy.call
    noisy.world.svm = noisy.world.svm.with_log_bytes_limit(10_000)  # as on a validator
    signers = list(dict.fromkeys([noisy.world.payer, *call.signers]))
    landed = noisy.world.send([*noise, *call.before, call.instruction], signers)
    assert any("truncated" in line for line in landed.logs)
    assert not any(f"{ID} invoke" in line for line in landed.logs)
    expected = plain.world.do(plain.call).events
    assert expected
    assert landed.events == expected


# -- Token-2022

# Instructions of Token-2022 that give a mint an extension before it is initialised, and how many bytes the account has:
# 166 for a mint padded to a token account's length and its type, 4 for the extension's header, and the extension.
NOBODY, SOMEBODY = bytes(32), bytes(who("issuer").pubkey())
EXTENSIONS: dict[str, tuple[int, bytes]] = {
    "transfer fee": (108, bytes([26, 0, 0, 0]) + (100).to_bytes(2, "little") + (10**9).to_bytes(8, "little")),
    "close authority": (32, bytes([25, 1]) + SOMEBODY),
    "default frozen": (1, bytes([28, 0, 2])),
    "non-transferable": (0, bytes([32])),
    "interest bearing": (52, bytes([33, 0]) + SOMEBODY + (500).to_bytes(2, "little")),
    "permanent delegate": (32, bytes([35]) + SOMEBODY),
    "transfer hook": (64, bytes([36, 0]) + SOMEBODY + SOMEBODY),
    "metadata pointer": (64, bytes([39, 0]) + SOMEBODY + SOMEBODY),
    "group pointer": (64, bytes([40, 0]) + SOMEBODY + SOMEBODY),
    "member pointer": (64, bytes([41, 0]) + SOMEBODY + SOMEBODY),
    "scaled amount": (56, bytes([43, 0]) + SOMEBODY + b"\0\0\0\0\0\0\xf0\x3f"),
    "pausable": (33, bytes([44, 0]) + SOMEBODY),
    "confidential": (65, bytes([27, 0]) + SOMEBODY + bytes([1]) + NOBODY),
}


def mint_2022(world: World, key: Keypair, space: int, *setup: bytes) -> Pubkey:
    """A mint of Token-2022 with six decimals, made by that program."""
    params = CreateAccountParams(
        from_pubkey=world.payer.pubkey(), to_pubkey=key.pubkey(), lamports=RENT, space=space, owner=TOKEN_2022
    )
    metas = [AccountMeta(key.pubkey(), False, True)]
    initialize = bytes([20, 6]) + SOMEBODY + bytes([1]) + SOMEBODY
    data = [*setup, initialize]
    world.send([create_account(params), *(Instruction(TOKEN_2022, item, metas) for item in data)], [world.payer, key])
    return key.pubkey()


@pytest.mark.parametrize("extension", ["none", *EXTENSIONS])
def test_token_2022_mint(extension: str) -> None:
    """The one mint that somebody chooses is the network's USDC."""
    stage = target("init_network").stage
    size, setup = EXTENSIONS.get(extension, (0, b""))
    key = who(f"mint with {extension}")
    mint = mint_2022(stage.world, key, 170 + size, setup) if setup else mint_2022(stage.world, key, 82)
    assert stage.world.raw(mint).owner == TOKEN_2022
    with refused("IllegalOwner"):
        stage.world.do(stage.call.swapped(usdc_mint=mint))


@pytest.mark.parametrize("name", ["init_vaults", "open_owed", "open_cluster"])
def test_token_2022_mint_beside_the_networks(name: str) -> None:
    """Elsewhere a mint must be one of the network's three."""
    stage = target(name).stage
    mint = mint_2022(stage.world, who(f"mint for {name}"), 82)
    with refused("IllegalOwner"):
        stage.world.do(stage.call.swapped(mint=mint))
