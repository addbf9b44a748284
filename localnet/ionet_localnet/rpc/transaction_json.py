"""Landed transactions as Solana's JSON-RPC shows them."""

from __future__ import annotations

import base64
from typing import Any

import base58
from solders.message import MessageV0, MessageV1, VersionedMessage
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from ionet_localnet.execution import writable_flags
from ionet_localnet.history import TokenBalance, TransactionRecord
from ionet_localnet.rpc.account_json import token_amount
from ionet_localnet.rpc.params import RpcError

ENCODINGS = ("json", "jsonParsed", "base64", "base58", "binary")
UNSUPPORTED_VERSION = -32015
_MEMO_PROGRAMS = frozenset(
    Pubkey.from_string(address)
    for address in (
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
    )
)


def show_transaction(record: TransactionRecord, encoding: str, max_version: int | None) -> dict[str, Any]:
    """Transaction, meta and, when the caller named the newest version it knows, the version.

    Raises RpcError -32015 for a transaction of a later version.
    """
    version = record.transaction.version()
    if isinstance(version, int) and (max_version is None or version > max_version):
        raise RpcError(
            UNSUPPORTED_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. Please try the request again"
            f' with the following configuration parameter: "maxSupportedTransactionVersion": {version}',
        )
    shown: dict[str, Any] = {
        "transaction": _encode(record, encoding),
        "meta": show_meta(record, parsed=encoding == "jsonParsed"),
    }
    if max_version is not None:
        shown["version"] = version if isinstance(version, int) else "legacy"
    return shown


def show_accounts(record: TransactionRecord) -> dict[str, Any]:
    """Only signatures, accounts and meta: blocks with `transactionDetails: accounts`."""
    signatures = [str(signature) for signature in record.transaction.signatures]
    transaction = {"signatures": signatures, "accountKeys": show_keys(record)}
    return {"transaction": transaction, "meta": show_meta(record, parsed=True)}


def _encode(record: TransactionRecord, encoding: str) -> Any:
    raw = bytes(record.transaction)
    if encoding == "base64":
        return [base64.b64encode(raw).decode(), "base64"]
    if encoding == "base58":
        return [base58.b58encode(raw).decode(), "base58"]
    if encoding == "binary":
        return base58.b58encode(raw).decode()
    signatures = [str(signature) for signature in record.transaction.signatures]
    message = record.transaction.message
    shown = _parsed_message(record) if encoding == "jsonParsed" else _raw_message(message)
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(bytes(lookup.writable_indexes)),
                "readonlyIndexes": list(bytes(lookup.readonly_indexes)),
            }
            for lookup in message.address_table_lookups
        ]
    if isinstance(message, MessageV1):
        config = message.config
        shown["transactionConfig"] = {
            "computeUnitLimit": config.compute_unit_limit,
            "heapSize": config.heap_size,
            "loadedAccountsDataSizeLimit": config.loaded_accounts_data_size_limit,
            "priorityFee": config.priority_fee,
        }
    return {"signatures": signatures, "message": shown}


def _raw_message(message: VersionedMessage) -> dict[str, Any]:
    header = message.header
    return {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_compiled(instruction, 1) for instruction in message.instructions],
    }


def show_keys(record: TransactionRecord) -> list[dict[str, Any]]:
    """Account keys with their part in the transaction."""
    message = record.transaction.message
    static, signed = len(message.account_keys), message.header.num_required_signatures
    writable = writable_flags(message, len(record.keys), record.loaded_writable)
    return [
        {
            "pubkey": str(key),
            "signer": i < signed,
            "writable": writable[i],
            "source": "transaction" if i < static else "lookupTable",
        }
        for i, key in enumerate(record.keys)
    ]


def _parsed_message(record: TransactionRecord) -> dict[str, Any]:
    message = record.transaction.message
    return {
        "accountKeys": show_keys(record),
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_decoded(instruction, 1, record.keys) for instruction in message.instructions],
    }


def _compiled(instruction: Any, stack_height: int | None) -> dict[str, Any]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(bytes(instruction.accounts)),
        "data": base58.b58encode(instruction.data).decode(),
        "stackHeight": stack_height,
    }


def _decoded(instruction: Any, stack_height: int | None, keys: list[Pubkey]) -> dict[str, Any]:
    """The form jsonParsed gives to instructions of programs it does not know; here that is all of them."""
    return {
        "programId": str(keys[instruction.program_id_index]),
        "accounts": [str(keys[index]) for index in bytes(instruction.accounts)],
        "data": base58.b58encode(instruction.data).decode(),
        "stackHeight": stack_height,
    }


def show_inner(meta: TransactionMetadata, keys: list[Pubkey], *, parsed: bool) -> list[dict[str, Any]]:
    """Instructions made by programs, grouped by the outer instruction that led to them."""
    groups = []
    for index, group in enumerate(meta.inner_instructions()):
        if not group:
            continue
        shown = [
            _decoded(inner.instruction(), inner.stack_height(), keys)
            if parsed
            else _compiled(inner.instruction(), inner.stack_height())
            for inner in group
        ]
        groups.append({"index": index, "instructions": shown})
    return groups


def show_return_data(meta: TransactionMetadata) -> dict[str, Any] | None:
    data = meta.return_data()
    if not data.data:
        return None
    return {"programId": str(data.program_id), "data": [base64.b64encode(data.data).decode(), "base64"]}


def show_status(error: Any) -> dict[str, Any]:
    return {"Ok": None} if error is None else {"Err": error}


def show_meta(record: TransactionRecord, *, parsed: bool) -> dict[str, Any]:
    static = len(record.transaction.message.account_keys)
    boundary = static + record.loaded_writable
    meta: dict[str, Any] = {
        "err": record.error,
        "status": show_status(record.error),
        "fee": record.meta.fee(),
        "preBalances": record.pre_balances,
        "postBalances": record.post_balances,
        "innerInstructions": show_inner(record.meta, record.keys, parsed=parsed),
        "logMessages": record.logs,
        "preTokenBalances": [_token_balance(balance) for balance in record.pre_tokens],
        "postTokenBalances": [_token_balance(balance) for balance in record.post_tokens],
        "rewards": [],
        "computeUnitsConsumed": record.units,
    }
    if not parsed:
        meta["loadedAddresses"] = {
            "writable": [str(key) for key in record.keys[static:boundary]],
            "readonly": [str(key) for key in record.keys[boundary:]],
        }
    if (returned := show_return_data(record.meta)) is not None:
        meta["returnData"] = returned
    return meta


def _token_balance(balance: TokenBalance) -> dict[str, Any]:
    return {
        "accountIndex": balance.account_index,
        "mint": str(balance.mint),
        "owner": str(balance.owner),
        "programId": str(balance.program),
        "uiTokenAmount": token_amount(balance.amount, balance.decimals),
    }


def memo_of(transaction: VersionedTransaction) -> str | None:
    """Memos of a transaction in the form getSignaturesForAddress lists them: `[length] text`, joined by `; `."""
    message = transaction.message
    memos = [
        f"[{len(instruction.data)}] {instruction.data.decode(errors='replace')}"
        for instruction in message.instructions
        if instruction.program_id_index < len(message.account_keys)
        and message.account_keys[instruction.program_id_index] in _MEMO_PROGRAMS
    ]
    return "; ".join(memos) or None
