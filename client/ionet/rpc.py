"""Sending transactions so that they land once or certainly never, over solana-py's AsyncClient."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Commitment, Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.jsonrpc import SolanaJsonRpcError
from solana.rpc.models import DataSliceOpts, MemcmpOpts, TxOpts
from solders.account import Account
from solders.commitment_config import CommitmentLevel
from solders.errors import SerdeJSONError
from solders.hash import Hash
from solders.message import VersionedMessage
from solders.pubkey import Pubkey
from solders.rpc.config import RpcContextConfig
from solders.rpc.requests import IsBlockhashValid
from solders.rpc.responses import IsBlockhashValidResp, RpcSimulateTransactionResult
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import (
    EncodedConfirmedTransactionWithStatusMeta,
    TransactionErrorFieldless,
    TransactionErrorType,
    TransactionStatus,
)

from ionet import addresses
from ionet.errors import RpcError, RpcUnreachable, TransactionExpired
from ionet.patient_http import PatientClient, check_url
from ionet.refusals import PreflightFailed, refusal
from ionet.statuses import Statuses, pause

T = TypeVar("T")
_log = logging.getLogger(__name__)

# Rising; solders' status converts to the position in this list.
_COMMITMENTS = ["processed", "confirmed", "finalized"]
# Most keys of one getMultipleAccounts, most signatures of one list.
ACCOUNTS_PER_CALL, SIGNATURES_PER_CALL = 100, 1000
# Newest transaction format that is read. Without it a node refuses whatever anyone sent in a newer one.
MAX_VERSION = 1
LAST_SLOT = 2**64 - 1
_TIMES_ASKED = 8


@dataclass(frozen=True, slots=True)
class Blockhash:
    """A recent blockhash and the last block height at which a transaction that uses it can land."""

    hash: Hash
    last_valid_block_height: int


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a transaction landed. error is what it failed with, None for success."""

    signature: Signature
    slot: int
    error: TransactionErrorType | None


class Rpc:
    """One RPC node. Errors of every call are RpcError (the node refuses) or RpcUnreachable (no answer).

    commitment: what counts as landed, and what reads see. timeout: seconds per request. resend_every: seconds after
    which bytes that have not landed are sent again. patience: seconds without any answer before waiting is given up.
    """

    def __init__(
        self,
        url: str,
        *,
        commitment: Commitment = Confirmed,
        timeout: float = 30.0,
        resend_every: float = 2.0,
        patience: float = 30.0,
    ) -> None:
        check_url(url)
        self.url = url
        self.commitment = commitment
        self.resend_every, self.patience = resend_every, patience
        self._statuses = Statuses(self._ask_statuses)
        self.client = AsyncClient(url, commitment=commitment, timeout=timeout, http2=False)
        # The library takes no HTTP client of ours, and its own neither waits for a busy node nor skips a proxy.
        self.client._provider.session = PatientClient(url, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.client.close()

    # -- reading

    async def account(self, key: Pubkey) -> Account | None:
        return (await self._call(self.client.get_account_info(key))).value

    async def accounts(self, keys: Sequence[Pubkey]) -> list[Account | None]:
        """Accounts in the order of the keys; None where there is none."""
        found: list[Account | None] = []
        for start in range(0, len(keys), ACCOUNTS_PER_CALL):
            chunk = list(keys[start : start + ACCOUNTS_PER_CALL])
            found += (await self._call(self.client.get_multiple_accounts(chunk))).value
        return found

    async def program_accounts(
        self, program: Pubkey, matches: Sequence[tuple[int, str]] = ()
    ) -> list[tuple[Pubkey, Account]]:
        """Accounts of a program whose bytes at each offset are the given base58 text."""
        filters: list[int | MemcmpOpts] = [MemcmpOpts(offset=offset, bytes=text) for offset, text in matches]
        answer = await self._call(self.client.get_program_accounts(program, encoding="base64", filters=filters))
        return [(item.pubkey, item.account) for item in answer.value]

    async def program_slices(
        self, program: Pubkey, matches: Sequence[tuple[int, str]], offset: int, length: int
    ) -> dict[Pubkey, bytes]:
        """The same, but only some bytes of each account: 0 are enough to know which there are."""
        filters: list[int | MemcmpOpts] = [MemcmpOpts(offset=at, bytes=text) for at, text in matches]
        cut = DataSliceOpts(offset=offset, length=length)
        call = self.client.get_program_accounts(program, encoding="base64", data_slice=cut, filters=filters)
        return {item.pubkey: item.account.data for item in (await self._call(call)).value}

    async def balance(self, key: Pubkey) -> int:
        """Lamports."""
        return (await self._call(self.client.get_balance(key))).value

    async def token_balance(self, token_account: Pubkey) -> int:
        """Base units in a token account; 0 when it does not exist."""
        account = await self.account(token_account)
        return 0 if account is None else addresses.token_amount(account.data)

    async def rent(self, size: int) -> int:
        """Lamports that make an account of `size` bytes rent exempt."""
        return (await self._call(self.client.get_minimum_balance_for_rent_exemption(size))).value

    async def unix_time(self) -> int:
        """The chain's clock, unix seconds; on a local chain it may run faster than ours."""
        newest, why = await self.slot(), f"{self.url} knows no time of its newest blocks"
        # The newest block's may not be there yet, and a slot may have no block.
        for slot in range(newest, max(newest - _TIMES_ASKED, -1), -1):
            try:
                found = (await self._call(self.client.get_block_time(slot))).value
            except RpcUnreachable:
                raise
            except RpcError as error:
                why = str(error)
            else:
                if found is not None:
                    return found
        raise RpcError(why)

    async def slot(self) -> int:
        return (await self._call(self.client.get_slot())).value

    async def finalized_slot(self) -> int:
        return (await self._call(self.client.get_slot(Finalized))).value

    async def finalized_blocks(self, first: int, last: int) -> list[int]:
        """Slots from first to last, both included, that hold a finalized block; rising."""
        return (await self._call(self.client.get_blocks(first, last))).value

    async def blockhash(self) -> Blockhash:
        value = (await self._call(self.client.get_latest_blockhash())).value
        return Blockhash(value.blockhash, value.last_valid_block_height)

    async def health(self) -> dict[str, Any]:
        """Version, slot and genesis hash of the node."""
        version = await self._call(self.client.get_version())
        genesis = await self._call(self.client.get_genesis_hash())
        return {"version": str(version.value.solana_core), "slot": await self.slot(), "genesis": str(genesis.value)}

    async def airdrop(self, key: Pubkey, lamports: int) -> Landed:
        """Lamports from the faucet of a test chain, confirmed."""
        block = await self.blockhash()
        signature = (await self._call(self.client.request_airdrop(key, lamports))).value
        return await self.confirm(signature, block.last_valid_block_height)

    async def transaction(self, signature: Signature) -> EncodedConfirmedTransactionWithStatusMeta | None:
        """A landed transaction with its inner instructions; None until the node has it."""
        call = self.client.get_transaction(
            signature,
            encoding="base64",
            commitment=self._history_commitment(),
            max_supported_transaction_version=MAX_VERSION,
        )
        return (await self._call(call)).value

    async def signatures(
        self, key: Pubkey, first_slot: int = 0, last_slot: int = LAST_SLOT
    ) -> AsyncIterator[list[Signature]]:
        """Transactions that name an account and succeeded, of the slots given, both included: newest first, one page
        of the node's history at a time, as far as it goes back."""
        before: Signature | None = None
        while True:
            call = self.client.get_signatures_for_address(
                key, before=before, limit=SIGNATURES_PER_CALL, commitment=self._history_commitment()
            )
            page = (await self._call(call)).value
            yield [item.signature for item in page if item.err is None and first_slot <= item.slot <= last_slot]
            if len(page) < SIGNATURES_PER_CALL or page[-1].slot < first_slot:
                return
            before = page[-1].signature

    async def newest_signatures(
        self, key: Pubkey, *, until: Signature | None = None, limit: int = SIGNATURES_PER_CALL
    ) -> tuple[list[Signature], bool]:
        """Newest that name an account and succeeded, as far as a known one. True when there may be more: failed ones
        count towards the limit."""
        call = self.client.get_signatures_for_address(
            key, until=until, limit=limit, commitment=self._history_commitment()
        )
        found = (await self._call(call)).value
        return [item.signature for item in found if item.err is None], len(found) >= limit

    async def landed_transaction(self, signature: Signature) -> EncodedConfirmedTransactionWithStatusMeta:
        """A transaction that is known to have landed; waits a little for the node's history to catch up."""
        for attempt in range(20):
            answer = await self.transaction(signature)
            if answer is not None:
                return answer
            await asyncio.sleep(min(0.05 * (attempt + 1), 0.5))
        raise RpcError(f"{self.url} confirmed {signature} but has no record of it")

    async def priority_fee(self, writable: Sequence[Pubkey]) -> int:
        """Micro-lamports per compute unit: the third quartile of what recent blocks asked for these accounts."""
        answer = await self._call(self.client.get_recent_prioritization_fees(list(writable)[:128]))
        fees = sorted(item.prioritization_fee for item in answer.value)
        return fees[len(fees) * 3 // 4] if fees else 0

    # -- sending

    async def simulate(self, message: VersionedMessage, after: Sequence[Pubkey] = ()) -> RpcSimulateTransactionResult:
        """Run a message without signatures. after: accounts whose state afterwards is in the answer."""
        empty = [Signature.default()] * message.header.num_required_signatures
        sent, shown = VersionedTransaction.populate(message, empty), list(after) or None
        call = self.client.simulate_transaction(sent, replace_recent_blockhash=True, accounts_addresses=shown)
        return (await self._call(call)).value

    async def send(self, transaction: VersionedTransaction, last_valid_block_height: int | None = None) -> Landed:
        """Send and wait until it landed. Raises PreflightFailed, TransactionExpired, RpcError.

        The same signed bytes are sent again until they land or their blockhash expires, so that a transaction is never
        executed twice and never forgotten. Without an answer from the node it is treated as sent. Where the last valid
        block height is not known, a blockhash that the node does not know counts as expired.
        """
        raw = bytes(transaction)
        signature = transaction.signatures[0]
        last = last_valid_block_height
        if last is None:
            last = (await self.blockhash()).last_valid_block_height
        try:
            await self._post(raw, skip_preflight=False)
        except RpcUnreachable:
            _log.debug("no answer to sendTransaction %s: it may have arrived, only the status can tell", signature)
        except PreflightFailed as failure:
            if failure.error == TransactionErrorFieldless.BlockhashNotFound:
                status = await self._earlier_status(transaction, last_valid_block_height)
                if status is None:
                    raise
                if self._is_settled(status):
                    return Landed(signature, status.slot, status.err)
            # The transport repeats a request whose answer got lost: then the first one landed.
            elif failure.error != TransactionErrorFieldless.AlreadyProcessed:
                raise
        return await self.confirm(signature, last, raw=raw)

    async def _earlier_status(
        self, transaction: VersionedTransaction, last_valid_block_height: int | None
    ) -> TransactionStatus | None:
        """The status of a transaction whose blockhash the node refuses; None if it may still land.

        Raises TransactionExpired when it did not land and cannot any more.
        """
        # Expired or not is asked before the status: no block that comes later can hold an expired transaction.
        if last_valid_block_height is None:
            expired = not await self._is_blockhash_valid(transaction.message.recent_blockhash)
        else:
            expired = await self._block_height() > last_valid_block_height
        signature = transaction.signatures[0]
        call = self.client.get_signature_statuses([signature], search_transaction_history=True)
        [status] = (await self._call(call)).value
        if status is None and expired:
            raise TransactionExpired(str(signature))
        return status

    async def confirm(self, signature: Signature, last_valid_block_height: int, *, raw: bytes | None = None) -> Landed:
        """Wait until a transaction landed at the client's commitment, sending `raw` again meanwhile."""
        answered = sent = time.monotonic()
        for looks in itertools.count():
            try:
                status = await self._statuses.get(signature)
                if status is None and time.monotonic() - sent > self.resend_every:
                    sent = time.monotonic()
                    status = await self._status_unless_expired(signature, last_valid_block_height)
                    if status is None and raw is not None:
                        await self._post(raw, skip_preflight=True)
                answered = time.monotonic()
                if status is not None and self._is_settled(status):
                    return Landed(signature, status.slot, status.err)
            except RpcUnreachable:
                if time.monotonic() - answered > self.patience:
                    raise RpcUnreachable(f"{self.url}, while waiting for {signature}") from None
            await pause(looks)
        raise AssertionError("unreachable")

    async def _status_unless_expired(
        self, signature: Signature, last_valid_block_height: int
    ) -> TransactionStatus | None:
        """The status, asked for after the height: no block that comes later can hold an expired transaction."""
        height = await self._block_height()
        [status] = await self._ask_statuses([signature])
        if status is None and height > last_valid_block_height:
            raise TransactionExpired(str(signature))
        return status

    def _is_settled(self, status: TransactionStatus) -> bool:
        reached = status.confirmation_status
        return reached is not None and int(reached) >= _COMMITMENTS.index(self.commitment)

    def _history_commitment(self) -> Commitment:
        # The history methods know no "processed".
        return Confirmed if self.commitment == Processed else self.commitment

    async def _ask_statuses(self, signatures: Sequence[Signature]) -> Sequence[TransactionStatus | None]:
        return (await self._call(self.client.get_signature_statuses(list(signatures)))).value

    async def _is_blockhash_valid(self, blockhash: Hash) -> bool:
        # The library has no method for this one.
        asked = IsBlockhashValid(blockhash, RpcContextConfig(CommitmentLevel.Processed))
        return (await self._call(self.client._provider.make_request(asked, IsBlockhashValidResp))).value

    async def _block_height(self) -> int:
        return (await self._call(self.client.get_block_height())).value

    async def _post(self, raw: bytes, *, skip_preflight: bool) -> None:
        options = TxOpts(skip_preflight=skip_preflight, preflight_commitment=self.commitment, max_retries=0)
        try:
            await self._call(self.client.send_raw_transaction(raw, options))
        except RpcError as error:
            # Sending bytes again that already landed is not a failure.
            if not (skip_preflight and not isinstance(error, RpcUnreachable)):
                raise

    async def _call(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except (RPCException, SolanaJsonRpcError, SolanaRpcException, SerdeJSONError) as error:
            raise refusal(error, self.url) from None
