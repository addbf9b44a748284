"""A chain in memory with the programs deployed as on a real one; time moves only when a test says so."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from ionet import addresses, ed25519
from ionet.errors import ChainRefused, ForeignProgramError, ProgramError
from ionet.events import events_in_metadata
from ionet.program import PROGRAM
from ionet_localnet.genesis import deployed_program
from solders.account import Account
from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import FeatureSet, LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

T = TypeVar("T")
ARTIFACTS = Path(__file__).parents[2] / "client/ionet/artifacts"
TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
LAMPORTS = 10**9
START_TIME, START_SLOT = 1_800_000_000, 1_000
SLOT_MS = 250


@cache
def who(name: str) -> Keypair:
    """A wallet that is the same in every run."""
    return Keypair.from_seed(hashlib.sha256(b"test wallet:" + name.encode()).digest())


@cache
def elf(name: str) -> bytes:
    return (ARTIFACTS / f"{name}.so").read_bytes()


def runtime(features: str) -> LiteSVM:
    """Solana's runtime as it is on mainnet, or (`all`) with every feature on that it knows."""
    if features not in ("mainnet", "all"):
        raise ValueError(f"IONET_FEATURES is mainnet or all, not {features!r}")
    chosen = FeatureSet.all_enabled() if features == "all" else LiteSVM.mainnet_feature_set()
    bare = LiteSVM.default().with_feature_set(chosen).with_builtins().with_lamports(LAMPORTS**2).with_sysvars()
    whole = bare.with_feature_accounts().with_default_programs().with_sigverify(True).with_blockhash_check(True)
    # Only the whole constructor, which has mainnet's set, knows the precompiled programs.
    precompile = LiteSVM().get_account(ed25519.PROGRAM)
    assert precompile is not None
    whole.set_account(ed25519.PROGRAM, precompile)
    return whole.with_log_bytes_limit(None)


@dataclass(frozen=True)
class Call:
    """One instruction, who must sign it, and what comes before it in its transaction."""

    name: str
    instruction: Instruction
    signers: tuple[Keypair, ...] = ()
    before: tuple[Instruction, ...] = ()

    def swapped(self, **accounts: Pubkey) -> Call:
        """The same call with other accounts in named slots."""
        return replace(self, instruction=PROGRAM.builder.replace(self.name, self.instruction, **accounts))

    def signed_by(self, slot: str, signer: Keypair) -> Call:
        """The same call with another wallet in a signer's slot."""
        old = self.account(slot)
        kept = tuple(key for key in self.signers if key.pubkey() != old)
        swapped = self.swapped(**{slot: signer.pubkey()})
        return replace(swapped, signers=(*kept, signer))

    def unsigned(self, slot: str) -> Call:
        """The same call without the signature of one slot."""
        key = self.account(slot)
        metas = [
            AccountMeta(m.pubkey, m.is_signer and m.pubkey != key, m.is_writable) for m in self.instruction.accounts
        ]
        bare = Instruction(self.instruction.program_id, self.instruction.data, metas)
        signers = tuple(signer for signer in self.signers if signer.pubkey() != key)
        return replace(self, instruction=bare, signers=signers)

    def account(self, slot: str) -> Pubkey:
        return PROGRAM.builder.accounts(self.name, self.instruction)[slot]


@dataclass(frozen=True)
class Landed:
    """What a transaction did: events in order, compute units, log lines."""

    events: tuple[Any, ...]
    units: int
    logs: tuple[str, ...]

    def event(self, kind: type[T]) -> T:
        """The only event of this class."""
        (found,) = [event for event in self.events if isinstance(event, kind)]
        return found


class Chain:
    """LiteSVM with the ionet program (upgradeable) and the price poster at the oracle's address."""

    def __init__(self, upgrade_authority: Pubkey) -> None:
        self.svm = runtime(os.environ.get("IONET_FEATURES", "mainnet"))
        for key, account in deployed_program(PROGRAM.id, elf("ionet"), upgrade_authority):
            self.svm.set_account(key, account)
        self.svm.add_program(addresses.PYTH_RECEIVER, elf("price_poster"))
        self.payer = who("fee payer")
        self.fund(self.payer.pubkey(), 1_000 * LAMPORTS)
        self.now, self.slot = START_TIME, START_SLOT
        self._set_clock()

    # -- time

    def warp(self, secs: int, slots: int | None = None) -> None:
        """Moves the clock by `secs` and the slot by as many slots as that takes, or by `slots`."""
        self.now += secs
        self.slot += -(-secs * 1_000 // SLOT_MS) if slots is None else slots
        self._set_clock()

    def warp_to(self, at: int) -> None:
        """Moves the clock to a moment in unix seconds."""
        self.warp(at - self.now)

    def _set_clock(self) -> None:
        clock = self.svm.get_clock()
        epoch, schedule = clock.epoch, clock.leader_schedule_epoch
        self.svm.set_clock(Clock(self.slot, clock.epoch_start_timestamp, epoch, schedule, self.now))

    # -- transactions

    def do(self, *calls: Call, also: Sequence[Instruction] = ()) -> Landed:
        """Sends one transaction: `also`, then the calls. Raises what the client would raise."""
        instructions = [*also, *(item for call in calls for item in (*call.before, call.instruction))]
        signers = [self.payer, *dict.fromkeys(key for call in calls for key in call.signers)]
        return self.send(instructions, [key for i, key in enumerate(signers) if key not in signers[:i]])

    def send(self, instructions: Sequence[Instruction], signers: Sequence[Keypair]) -> Landed:
        """Sends one transaction, paid by the first signer."""
        self.svm.expire_blockhash()
        message = MessageV0.try_compile(signers[0].pubkey(), instructions, [], self.svm.latest_blockhash())
        result = self.svm.send_transaction(VersionedTransaction(message, list(signers)))
        if isinstance(result, FailedTransactionMetadata):
            logs = result.meta().logs()
            raise PROGRAM.explain(result.err(), logs, program_ids=[item.program_id for item in instructions])
        records = events_in_metadata(PROGRAM.codec, message, result)
        return Landed(tuple(item.event for item in records), result.compute_units_consumed(), tuple(result.logs()))

    # -- accounts

    def fund(self, key: Pubkey, lamports: int = 10 * LAMPORTS) -> None:
        self.svm.expire_blockhash()
        self.svm.airdrop(key, lamports)

    def raw(self, key: Pubkey) -> Account:
        account = self.svm.get_account(key)
        assert account is not None, f"no account {key}"
        return account

    def exists(self, key: Pubkey) -> bool:
        account = self.svm.get_account(key)
        return account is not None and account.lamports > 0

    def lamports(self, key: Pubkey) -> int:
        return self.svm.get_balance(key) or 0

    def get(self, kind: type[T], key: Pubkey) -> T:
        """An account of the program."""
        account = self.raw(key)
        assert account.owner == PROGRAM.id, f"{key} is not the program's"
        return PROGRAM.codec.decode_account(account.data, kind)

    def tokens(self, account: Pubkey) -> int:
        """Amount in a token account, base units; 0 where there is none."""
        found = self.svm.get_account(account)
        return int.from_bytes(found.data[64:72], "little") if found is not None and found.data else 0

    def supply(self, mint: Pubkey) -> int:
        return int.from_bytes(self.raw(mint).data[36:44], "little")

    def put_copy(self, of: Pubkey, to: Pubkey, owner: Pubkey | None = None) -> Pubkey:
        """Writes the bytes of one account to another address, as its owner's or as somebody else's."""
        account = self.raw(of)
        copy = Account(account.lamports, account.data, owner or account.owner, account.executable, account.rent_epoch)
        self.svm.set_account(to, copy)
        return to


def error_name(error: ChainRefused) -> str:
    """Name of the program's own error, of Anchor's or of a built-in one; `Custom n` of another program."""
    if isinstance(error, ProgramError):
        return type(error).__name__
    if isinstance(error, ForeignProgramError):
        return f"Custom {error.code}"
    anchors = re.search(r"\((\w+)\)$", error.detail)
    return anchors[1] if anchors else error.detail


@contextmanager
def refused(name: str) -> Iterator[None]:
    """The block must be refused with exactly this error."""
    with pytest.raises(ChainRefused) as caught:
        yield
    assert error_name(caught.value) == name, f"{caught.value}\n" + "\n".join(caught.value.logs)
