"""`Chain`: reads accounts and events, sends transactions; over one RPC url and one wallet. `Client` is built on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from solana.rpc.commitment import Commitment, Confirmed
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import VersionedMessage
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import EncodedConfirmedTransactionWithStatusMeta

from ionet import base58, budget
from ionet.arguments import check_arguments
from ionet.codec import DecodeError
from ionet.diagnosis import diagnosed
from ionet.errors import NotFound, RpcError, RpcUnreachable, WalletError
from ionet.events import events_in_transaction
from ionet.fees import MAX_PRIORITY_FEE
from ionet.plan import Plan, Receipt
from ionet.program import PROGRAM, Program
from ionet.refusals import UNSUPPORTED_VERSION, PreflightFailed
from ionet.rpc import LAST_SLOT, Blockhash, Landed, Rpc
from ionet.wallet import (
    KeypairSigner,
    Message,
    Signer,
    Unsigned,
    compile_message,
    compile_message_v1,
    read_signed,
    sign_all,
    unsigned,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)

# Transactions of an account's history that are asked for at the same time.
FETCHED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A transaction that was only simulated. units: of compute. after: the accounts asked for, None where none is."""

    units: int
    after: tuple[Account | None, ...]


class OtherAccount(DecodeError):
    """the account is of another type"""


@check_arguments
class Chain:
    """Reads need no wallet. Everything that changes the chain is a `Plan`: await it, or take its unsigned bytes.

    url: of an RPC node; or an `Rpc`, whose connections several chains share. wallet: a keypair, or any Signer (`Watch`
    where only the address is known); it pays and signs. max_priority_fee: micro-lamports per compute unit. version: of
    the transactions that it sends, 0 or 1. Version 1 has room for 4,096 bytes and uses no lookup table; some hardware
    wallets do not sign it.
    """

    def __init__(
        self,
        url: str | Rpc,
        wallet: Signer | Keypair | None = None,
        *,
        program: Program = PROGRAM,
        commitment: Commitment = Confirmed,
        max_priority_fee: int = MAX_PRIORITY_FEE,
        version: Literal[0, 1] = 0,
    ) -> None:
        self.rpc = Rpc(url, commitment=commitment) if isinstance(url, str) else url
        self.wallet = KeypairSigner(wallet) if isinstance(wallet, Keypair) else wallet
        self.program = program
        self.max_priority_fee = max_priority_fee
        self.version = version

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rpc.close()

    @property
    def address(self) -> Pubkey:
        """The wallet's address. Raises WalletError without a wallet."""
        if self.wallet is None:
            raise WalletError("this client has no wallet; it can only read")
        return self.wallet.pubkey

    # -- reading

    async def fetch(self, kind: type[T], key: Pubkey) -> T:
        """One account. Raises NotFound, or OtherAccount, a DecodeError, when it is of another type."""
        found = await self.find(kind, key)
        if found is None:
            raise NotFound(f"{kind.__name__} {key}")
        return found

    async def find(self, kind: type[T], key: Pubkey) -> T | None:
        """One account, None when it does not exist."""
        return (await self.fetch_many(kind, [key]))[0]

    async def fetch_many(self, kind: type[T], keys: Sequence[Pubkey]) -> list[T | None]:
        """Accounts in the order of the keys, None where there is none (or it belongs to another program)."""
        accounts = await self.rpc.accounts(keys)
        own = [account if account is not None and account.owner == self.program.id else None for account in accounts]
        pairs = zip(keys, own, strict=True)
        return [None if account is None else self._decoded(kind, key, account.data) for key, account in pairs]

    def _decoded(self, kind: type[T], key: Pubkey, data: bytes) -> T:
        codec = self.program.codec
        try:
            return codec.decode_account(data, kind)
        except DecodeError:
            other = codec.account_name(data)
            if other is None or other == kind.__name__:
                raise
            raise OtherAccount(f"{key} is of the type {other}, not {kind.__name__}") from None

    async def fetch_all(self, kind: type[T], **fields: Any) -> list[tuple[Pubkey, T]]:
        """Every account of a type whose fields have the given values, with its address."""
        codec = self.program.codec
        matches = [(0, codec.account_discriminator(kind))]
        matches += [codec.field_match(kind, name, value) for name, value in fields.items()]
        encoded = [(offset, base58.encode(data)) for offset, data in matches]
        found = await self.rpc.program_accounts(self.program.id, encoded)
        return [(key, codec.decode_account(account.data, kind)) for key, account in found]

    async def events(self, key: Pubkey) -> list[Any]:
        """Events of every transaction that names an account, newest first, as far as the node's history goes."""
        return [event async for event in self.newest_events(key)]

    async def newest_events(self, key: Pubkey, first_slot: int = 0, last_slot: int = LAST_SLOT) -> AsyncIterator[Any]:
        """Events of the transactions of some slots that name an account, newest first; fetched as they are taken.

        Anyone may name an account, so stop when enough is known. A transaction in a format that this client does not
        read is left out, with a warning.
        """
        async for page in self.rpc.signatures(key, first_slot, last_slot):
            for start in range(0, len(page), FETCHED_AT_ONCE):
                chunk = page[start : start + FETCHED_AT_ONCE]
                for events in await asyncio.gather(*map(self._events_of, chunk)):
                    for event in reversed(events):
                        yield event

    async def recent_events(self, key: Pubkey, most: int = 32) -> list[Any]:
        """Events of the last `most` transactions that name an account, newest first; empty where nobody kept them."""
        try:
            async for page in self.rpc.signatures(key):
                found = await asyncio.gather(*map(self._events_of, page[:most]))
                return [event for events in found for event in reversed(events)]
        except RpcUnreachable:
            raise
        except RpcError:
            return []
        return []

    async def _events_of(self, signature: Signature) -> list[Any]:
        try:
            answer = await self.rpc.landed_transaction(signature)
        except RpcError as error:
            if error.code != UNSUPPORTED_VERSION:
                raise
            _log.warning("transaction %s is left out: this client does not read its format", signature)
            return []
        return [record.event for record in events_in_transaction(self.program.codec, answer)]

    # -- sending

    def batch(self, *plans: Plan) -> Plan:
        """Several plans as one transaction."""

        async def build() -> list[Instruction]:
            return [instruction for plan in plans for instruction in await plan.instructions()]

        return Plan(self, build, signers=[signer for plan in plans for signer in plan.signers])

    async def send(
        self,
        instructions: Sequence[Instruction],
        *,
        signers: Sequence[Signer] = (),
        tables: Sequence[AddressLookupTableAccount] = (),
        priority_fee: int | None = None,
        block: Blockhash | None = None,
    ) -> Receipt:
        """Sign, send and confirm one transaction. Raises ChainRefused (see `program_errors`), TransactionExpired.

        tables: lookup tables it may use. priority_fee: micro-lamports per compute unit, by default what recent blocks
        asked for. block: a recent blockhash that no equal transaction named, by default the newest.
        """
        if self.wallet is None:
            raise WalletError("this client has no wallet; it can only read")
        message, last_valid = await self._message(instructions, self.wallet.pubkey, tables, priority_fee, block)
        return await self._deliver(await sign_all(message, [self.wallet, *signers]), last_valid)

    async def unsigned(
        self, instructions: Sequence[Instruction], *, signers: Sequence[Signer] = (), payer: Pubkey | None = None
    ) -> Unsigned:
        """The transaction for a wallet somewhere else, signed by `signers` only; payer defaults to the wallet."""
        message, last_valid = await self._message(instructions, payer or self.address)
        return await unsigned(message, last_valid, signers)

    async def compile(self, instructions: Sequence[Instruction], *, payer: Pubkey) -> tuple[Message, int]:
        """The message of one transaction that nobody has signed, and the last block height at which it can land."""
        return await self._message(instructions, payer)

    async def rehearse(self, message: VersionedMessage, after: Sequence[Pubkey] = ()) -> Rehearsal:
        """What a message would do, without a signature or a trace. Raises ChainRefused, as sending it would.

        after: accounts whose state afterwards is told.
        """
        result = await self.rpc.simulate(message, after)
        if result.err is not None:
            refusal = self.program.explain(result.err, result.logs or (), program_ids=_program_ids(message))
            raise await diagnosed(self.rpc, self.program, refusal, message)
        return Rehearsal(result.units_consumed or 0, tuple(result.accounts or ()))

    async def submit(self, transaction: str) -> Receipt:
        """Send what another wallet has signed (base64) and confirm it. Raises as `send` does.

        TransactionExpired also when the node does not know its blockhash: build and sign it again.
        """
        return await self._deliver(read_signed(transaction), None)

    async def _message(
        self,
        instructions: Sequence[Instruction],
        payer: Pubkey,
        tables: Sequence[AddressLookupTableAccount] = (),
        priority_fee: int | None = None,
        known_block: Blockhash | None = None,
    ) -> tuple[Message, int]:
        async def newest() -> Blockhash:
            return known_block or await self.rpc.blockhash()

        async def offer() -> int:
            return await self.priority_fee(instructions) if priority_fee is None else priority_fee

        block, fee = await asyncio.gather(newest(), offer())

        def compiled(limit: int) -> Message:
            if self.version == 1:
                return compile_message_v1(payer, instructions, block.hash, limit, fee)
            return compile_message(payer, budget.with_budget(instructions, limit, fee), block.hash, tables)

        limit = budget.from_table(self.program, instructions)
        if limit is None:
            limit = await self._simulated_limit(compiled(budget.MAX_UNITS))
        return compiled(limit), block.last_valid_block_height

    async def priority_fee(self, instructions: Sequence[Instruction]) -> int:
        """Micro-lamports per compute unit to offer for these instructions, at most `max_priority_fee`."""
        if self.max_priority_fee == 0:
            return 0
        writable = [meta.pubkey for item in instructions for meta in item.accounts if meta.is_writable]
        return min(await self.rpc.priority_fee(writable), self.max_priority_fee)

    async def _simulated_limit(self, message: Message) -> int:
        return budget.from_simulation((await self.rehearse(message)).units)

    async def _deliver(self, transaction: VersionedTransaction, last_valid: int | None) -> Receipt:
        try:
            landed = await self.rpc.send(transaction, last_valid)
        except PreflightFailed as failure:
            ids = _program_ids(transaction.message)
            refusal = self.program.explain(failure.error, failure.logs, program_ids=ids)
            raise await diagnosed(self.rpc, self.program, refusal, transaction.message) from None
        return await self._receipt(landed, transaction.message)

    async def _receipt(self, landed: Landed, message: VersionedMessage) -> Receipt:
        answer = await self.rpc.landed_transaction(landed.signature)
        meta = answer.transaction.meta
        logs = tuple(meta.log_messages or ()) if meta else ()
        if landed.error is not None:
            ids = _program_ids(message)
            refusal = self.program.explain(landed.error, logs, program_ids=ids, signature=str(landed.signature))
            raise await diagnosed(self.rpc, self.program, refusal, message)
        return self._receipt_of(answer, logs, landed)

    def _receipt_of(
        self, answer: EncodedConfirmedTransactionWithStatusMeta, logs: tuple[str, ...], landed: Landed
    ) -> Receipt:
        meta = answer.transaction.meta
        if meta is None:
            raise RpcError(f"the node keeps no result of {landed.signature}")
        try:
            events = tuple(events_in_transaction(self.program.codec, answer))
        except DecodeError as error:
            # The transaction landed; a program newer than this client must not make that look like a failure.
            _log.warning("transaction %s recorded events that this client cannot read: %s", landed.signature, error)
            events = ()
        return Receipt(landed.signature, answer.slot, meta.fee, meta.compute_units_consumed or 0, events, logs)


def _program_ids(message: VersionedMessage) -> list[Pubkey]:
    return [message.account_keys[item.program_id_index] for item in message.instructions]
