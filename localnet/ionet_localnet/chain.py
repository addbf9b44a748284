"""The local chain itself, without any network: LiteSVM plus blocks, commitment levels, history and forks."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from solders.account import Account
from solders.clock import Clock
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, VersionedMessage
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from ionet_localnet.errors import ForkError, LocalnetError, TransactionRefused
from ionet_localnet.execution import names_current_nonce, new_svm, resolve_keys, token_balances, writable_flags
from ionet_localnet.genesis import LAMPORTS_PER_SOL, UPGRADEABLE_LOADER, Genesis, deployed_program, wallet
from ionet_localnet.history import History, TransactionRecord
from ionet_localnet.journal import Journal, Kind
from ionet_localnet.timeline import FINALIZED_LAG, Commitment, Timeline

SLOT_MS = 400
HISTORY_LIMIT = 500_000
FAUCET_LAMPORTS = 500_000_000 * LAMPORTS_PER_SOL

Accounts = dict[Pubkey, Account | None]


@dataclass(slots=True)
class Block:
    """Accounts a block wrote, as they were before it and as they are after it; None = no such account."""

    before: Accounts = field(default_factory=dict)
    after: Accounts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Simulation:
    """Outcome of a transaction that was run without effect; `accounts` is empty when it failed."""

    error: str | dict[str, Any] | None
    meta: TransactionMetadata
    accounts: dict[Pubkey, Account]


class Observer(Protocol):
    """Notified of everything that becomes visible at `processed`."""

    def landed(self, record: TransactionRecord) -> None: ...
    def changed(self, accounts: Accounts) -> None: ...
    def block_begun(self) -> None: ...
    def rewound(self, height: int) -> None: ...


class LocalChain:
    """A chain in this process. Not thread safe; nothing advances by itself.

    unix_time: time of the first block, in seconds; now if None. slot_ms: length of a slot, used by `advance` only.
    history_limit: transactions kept for reading. seed: 32 bytes from which blockhashes, the faucet and the validator's
    identity are derived. journal: where every change is recorded; None keeps the chain in memory.
    """

    def __init__(
        self,
        genesis: Genesis | None = None,
        *,
        unix_time: int | None = None,
        slot_ms: int = SLOT_MS,
        history_limit: int = HISTORY_LIMIT,
        seed: bytes = bytes(32),
        journal: Journal | None = None,
    ) -> None:
        self.slot_ms = slot_ms
        self.journal = journal
        self.observer: Observer | None = None
        self.history = History(history_limit)
        self.timeline = Timeline(seed, int(time.time()) if unix_time is None else unix_time)
        self.genesis_hash = Hash(sha256(b"genesis " + seed).digest())
        self.faucet = Keypair.from_seed(sha256(b"faucet " + seed).digest())
        self.identity = Keypair.from_seed(sha256(b"identity " + seed).digest()).pubkey()
        # Every address ever written, so that all of the state can be enumerated.
        self.addresses: set[Pubkey] = set()
        self._svm = new_svm()
        self.epoch_schedule = self._svm.get_epoch_schedule()
        self._blocks: deque[Block] = deque([Block()], maxlen=FINALIZED_LAG + 1)
        self._fork_floor = 0
        self._synced_height = -1
        self._write_account(self.faucet.pubkey(), wallet(FAUCET_LAMPORTS))
        for address, account in (genesis or Genesis()).entries():
            self._write_account(address, account)
        self._begin_block(self.timeline.slot + 1, self.timeline.unix_time)

    # Time

    @property
    def slot(self) -> int:
        return self.timeline.slot

    @property
    def unix_time(self) -> int:
        """Time of the open block, seconds; what programs read from the Clock sysvar."""
        return self.timeline.unix_time

    def latest_blockhash(self, commitment: Commitment = "processed") -> Hash:
        return self.timeline.latest_blockhash(commitment)[0]

    def begin_block(self, *, unix_time: int | None = None, slot: int | None = None) -> None:
        """Close the open block and begin the next one, at the same time and in the next slot unless told otherwise."""
        slot = self.slot + 1 if slot is None else slot
        unix_time = self.unix_time if unix_time is None else unix_time
        if slot <= self.slot:
            raise LocalnetError(f"slot {slot} is not after the current slot {self.slot}")
        if self.journal:
            self.journal.add_block(slot, unix_time)
            if slot > self.slot + 1:
                # A crash may lose a run of empty blocks, but not a leap.
                self.journal.flush()
        self._begin_block(slot, unix_time)

    def _begin_block(self, slot: int, unix_time: int) -> None:
        self.timeline.begin(slot, unix_time)
        self._blocks.append(Block())
        if self.observer:
            self.observer.block_begun()

    def begin_blocks(self, count: int) -> None:
        for _ in range(count):
            self.begin_block()

    def advance(self, seconds: int) -> None:
        """Let `seconds` pass: the clock moves, and slots are skipped as they would have gone by."""
        if seconds < 0:
            raise LocalnetError("time cannot go backwards")
        slots = max(1, seconds * 1000 // self.slot_ms)
        self.begin_block(unix_time=self.unix_time + seconds, slot=self.slot + slots)

    def _sync(self) -> None:
        """Bring LiteSVM's sysvars to the open block. Empty blocks never get that far, which keeps them cheap."""
        if self._synced_height == self.timeline.height:
            return
        epoch = self.epoch_schedule.get_epoch(self.slot)
        first_slot = self.epoch_schedule.get_first_slot_in_epoch(epoch)
        epoch_start = self.timeline.time_at(self.timeline.heights_between(first_slot, self.slot).start)
        self._svm.set_clock(Clock(self.slot, epoch_start, epoch, epoch + 1, self.unix_time))
        self._svm.set_slot_hashes(self.timeline.slot_hashes())
        self._synced_height = self.timeline.height

    # Accounts

    def get_account(self, address: Pubkey, commitment: Commitment = "processed") -> Account | None:
        """The account as of the newest block at `commitment`. Sysvars are always those of the open block."""
        for block in self._blocks_after(commitment):
            if address in block.before:
                return block.before[address]
        self._sync()
        return self._svm.get_account(address)

    def _blocks_after(self, commitment: Commitment) -> itertools.islice[Block]:
        """Blocks not yet at `commitment`, oldest first."""
        lag = self.timeline.height - self.timeline.committed_height(commitment)
        return itertools.islice(self._blocks, len(self._blocks) - lag, None)

    def block_changes(self, lag: int) -> Accounts:
        """Accounts changed by the block `lag` (at most FINALIZED_LAG) before the open one, as it left them."""
        return self._blocks[-1 - lag].after if lag < len(self._blocks) else {}

    def get_program_accounts(self, owner: Pubkey, commitment: Commitment = "processed") -> dict[Pubkey, Account]:
        self._sync()
        found = dict(self._svm.get_program_accounts(owner))
        for block in reversed(list(self._blocks_after(commitment))):
            for address, account in block.before.items():
                if account is not None and account.owner == owner:
                    found[address] = account
                else:
                    found.pop(address, None)
        return found

    def minimum_balance(self, size: int) -> int:
        """Lamports that make an account of `size` bytes rent exempt."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Write an account by force; zero lamports remove it."""
        if self.journal:
            self.journal.append(Kind.ACCOUNT, bytes(address) + bytes(account))
        self._blocks[-1].before.setdefault(address, self.get_account(address))
        if account.executable or account.owner == UPGRADEABLE_LOADER:
            self._fork_floor = self.timeline.height
        self._write_account(address, account)
        self._publish({address: self._svm.get_account(address)})

    def _write_account(self, address: Pubkey, account: Account) -> None:
        self._svm.set_account(address, account)
        self.addresses.add(address)

    def _publish(self, changes: Accounts) -> None:
        self._blocks[-1].after.update(changes)
        if self.observer:
            self.observer.changed(changes)

    def add_program(self, program_id: Pubkey, elf: bytes, authority: Pubkey | None = None) -> None:
        """Deploy a program as the upgradeable loader leaves it."""
        for address, account in deployed_program(program_id, elf, authority, self.slot):
            self.set_account(address, account)

    # Transactions

    def airdrop(self, address: Pubkey, lamports: int) -> TransactionRecord:
        """Transfer from the faucet, by an ordinary transaction."""
        payer = self.faucet.pubkey()
        pay = transfer(TransferParams(from_pubkey=payer, to_pubkey=address, lamports=lamports))
        for number in itertools.count(self.history.next_number):
            # The unit limit makes equal airdrops under one blockhash different transactions.
            instructions = [set_compute_unit_limit(10_000 + number % 1_000_000), pay]
            message = MessageV0.try_compile(payer, instructions, [], self.latest_blockhash())
            transaction = VersionedTransaction(message, [self.faucet])
            if self.history.get(transaction.signatures[0]) is None:
                break
        return self.submit(transaction)

    def submit(self, transaction: VersionedTransaction | Transaction, *, verify: bool = True) -> TransactionRecord:
        """Execute in the open block; a transaction that fails but pays its fee lands all the same (see `error`).

        Raises TransactionRefused when it cannot land: replayed, expired, badly signed, payer without money.
        `verify=False` skips the signature check of a transaction that was simulated with it.
        """
        if isinstance(transaction, Transaction):
            transaction = VersionedTransaction.from_legacy(transaction)
        self._admit(transaction)
        record, changes = self._execute(transaction, verify)
        if self.journal:
            payload = bytes([record.error is None]) + bytes(transaction)
            self.journal.append(Kind.TRANSACTION, payload)
        if self.observer:
            self.observer.landed(record)
        self._publish(changes)
        return record

    def _admit(self, transaction: VersionedTransaction) -> None:
        if not transaction.signatures:
            raise TransactionRefused("SanitizeFailure")
        # In this order, as a cluster: of an expired transaction it does not know whether it landed.
        blockhash = transaction.message.recent_blockhash
        if not self.timeline.is_blockhash_valid(blockhash) and not names_current_nonce(transaction, self.get_account):
            raise TransactionRefused("BlockhashNotFound")
        if self.history.get(transaction.signatures[0]) is not None:
            raise TransactionRefused("AlreadyProcessed")

    def _execute(self, transaction: VersionedTransaction, verify: bool) -> tuple[TransactionRecord, Accounts]:
        self._sync()
        read = self._svm.get_account
        message = transaction.message
        keys, loaded_writable, loaded_readonly = resolve_keys(message, read)
        writable = writable_flags(message, len(keys), loaded_writable)
        # Programs are large and hold no tokens: their lamports are enough.
        programs = {instruction.program_id_index for instruction in message.instructions}
        before = [None if i in programs else read(key) for i, key in enumerate(keys)]
        balances = [self._lamports(key, account) for key, account in zip(keys, before, strict=True)]
        tokens = token_balances(before, read)

        self._svm.with_sigverify(verify)
        result = self._svm.send_transaction(transaction)
        after = [
            read(key) if may_write and i not in programs else old
            for i, (key, may_write, old) in enumerate(zip(keys, writable, before, strict=True))
        ]
        post_balances = [self._lamports(key, account) for key, account in zip(keys, after, strict=True)]
        error: str | dict[str, Any] | None = None
        if isinstance(result, FailedTransactionMetadata):
            error = json.loads(result.to_json())["err"]
            result = result.meta()
            # What LiteSVM refuses before execution it does not charge, and only then.
            if error is not None and post_balances[0] == balances[0]:
                raise TransactionRefused(error, result.logs())

        slot, block = self.slot, self._blocks[-1]
        first_in_block = not self.history.count_in_slot(slot)
        if first_in_block:
            # Durable nonces advance with LiteSVM's own blockhash: one step for each block that holds transactions.
            self._svm.expire_blockhash()
        if UPGRADEABLE_LOADER in keys:
            self._fork_floor = self.timeline.height
        changes: Accounts = {}
        for i, key in enumerate(keys):
            if writable[i] and i not in programs:
                block.before.setdefault(key, before[i])
                if before[i] != after[i]:
                    changes[key] = after[i]
        self.addresses.update(changes)
        record = TransactionRecord(
            number=self.history.next_number,
            signature=transaction.signatures[0],
            transaction=transaction,
            slot=slot,
            height=self.timeline.height,
            index=self.history.count_in_slot(slot),
            unix_time=self.unix_time,
            error=error,
            meta=result,
            keys=keys,
            loaded_writable=loaded_writable,
            loaded_readonly=loaded_readonly,
            pre_balances=balances,
            post_balances=post_balances,
            pre_tokens=tokens,
            post_tokens=token_balances(after, read),
        )
        self.history.add(record)
        return record, changes

    def simulate(
        self, transaction: VersionedTransaction, *, verify: bool = True, replace_blockhash: bool = False
    ) -> Simulation:
        """Run without effect. `replace_blockhash` accepts any blockhash and a transaction that has landed before.

        Raises TransactionRefused where `submit` would before executing.
        """
        if not replace_blockhash:
            self._admit(transaction)
        self._sync()
        self._svm.with_sigverify(verify)
        result = self._svm.simulate_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return Simulation(json.loads(result.to_json())["err"], result.meta(), {})
        return Simulation(None, result.meta(), dict(result.post_accounts()))

    def keys_of(self, message: VersionedMessage) -> list[Pubkey]:
        """All account keys of a message, those from lookup tables included."""
        return resolve_keys(message, self.get_account)[0]

    def fee(self, message: VersionedMessage) -> int:
        """Lamports that a transaction with this message costs, signatures and priority together."""
        unsigned = VersionedTransaction.populate(
            message, [Signature.default()] * message.header.num_required_signatures
        )
        return self.simulate(unsigned, verify=False, replace_blockhash=True).meta.fee()

    # Forks

    def fork(self, depth: int, keep: Callable[[TransactionRecord], bool] = lambda _: False) -> list[TransactionRecord]:
        """Abandon the newest `depth` blocks, 1 to 31, and go on in a later slot.

        Their transactions vanish, but those that `keep` accepts are executed again, in their order, in the first
        block of the new fork, as far as they still can be. Blockhashes of the abandoned blocks stay valid until they
        expire (a cluster would forget them), so that a transaction can be seen to move. Returns what was dropped.
        """
        if not 0 < depth < FINALIZED_LAG:
            raise ForkError(f"depth must be 1 to {FINALIZED_LAG - 1}, not {depth}")
        next_slot, unix_time = self.slot + 1, self.unix_time
        self._check_fork(depth)
        if self.journal:
            self.journal.append(Kind.REWIND, bytes([depth]))
        dropped = self.rewind(depth)
        self.begin_block(slot=next_slot, unix_time=unix_time)
        for record in dropped:
            if keep(record):
                with contextlib.suppress(TransactionRefused):
                    self.submit(record.transaction, verify=False)
        return dropped

    def _check_fork(self, depth: int) -> None:
        if self.timeline.height - depth < max(self._fork_floor, 1):
            raise ForkError("a fork cannot undo the first block or the deployment of a program")

    def rewind(self, depth: int) -> list[TransactionRecord]:
        """The first half of `fork`: undo blocks and return their transactions. A new block must be begun after it."""
        for _ in range(depth):
            for address, account in self._blocks.pop().before.items():
                self._svm.set_account(address, account or wallet(0))
        self.timeline.rewind(depth)
        self._synced_height = -1
        if self.observer:
            self.observer.rewound(self.timeline.height)
        return self.history.drop_after(self.timeline.slot)

    def _lamports(self, key: Pubkey, account: Account | None) -> int:
        return account.lamports if account is not None else self._svm.get_balance(key) or 0
