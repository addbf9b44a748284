"""RPC methods that send, simulate and look up transactions."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import base58
from solders.message.v1 import MAX_TRANSACTION_SIZE, V1_PREFIX
from solders.transaction import SanitizeError, VersionedTransaction

from ionet_localnet.errors import TransactionRefused, describe
from ionet_localnet.history import TransactionRecord
from ionet_localnet.rpc.account_json import AccountView
from ionet_localnet.rpc.accounts import reader
from ionet_localnet.rpc.node import Node, method
from ionet_localnet.rpc.params import INVALID_PARAMS, Config, Params, RpcError, as_pubkey, invalid
from ionet_localnet.rpc.transaction_json import (
    ENCODINGS,
    memo_of,
    show_inner,
    show_return_data,
    show_status,
    show_transaction,
)
from ionet_localnet.timeline import Commitment

PREFLIGHT_FAILURE = -32002
SIGNATURE_FAILURE = -32003
PACKET_SIZE = 1232
MAX_SIGNATURES_FOR_ADDRESS = 1000
MAX_STATUSES = 256
# Blocks for which getSignatureStatuses answers without searching the history, as Agave's status cache.
STATUS_CACHE_BLOCKS = 300
AIRDROP_LIMIT = 10_000_000 * 10**9


def decode_transaction(text: str, encoding: str) -> VersionedTransaction:
    try:
        raw = base64.b64decode(text, validate=True) if encoding == "base64" else base58.b58decode(text)
    except (ValueError, binascii.Error) as failure:
        raise invalid(f"invalid {encoding} encoding") from failure
    most = MAX_TRANSACTION_SIZE if raw[:1] == bytes([V1_PREFIX]) else PACKET_SIZE
    if len(raw) > most:
        raise invalid(f"decoded solana transaction too large: {len(raw)} bytes (max: {most} bytes)")
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError) as failure:
        raise invalid(f"failed to deserialize solana transaction: {failure}") from failure
    return transaction


def _taken(node: Node, params: Params, config: Config) -> VersionedTransaction:
    """The transaction that is given; refused at once when a lookup table of it is missing, as Agave does."""
    transaction = decode_transaction(params.string(0), config.choice("encoding", ("base58", "base64"), "base58"))
    try:
        node.chain.keys_of(transaction.message)
    except TransactionRefused as refusal:
        raise RpcError(INVALID_PARAMS, f"invalid transaction: {describe(refusal.error)}") from refusal
    return transaction


@method("sendTransaction")
def send_transaction(node: Node, params: Params) -> str:
    config = params.config(1)
    transaction = _taken(node, params, config)
    if config.flag("skipPreflight"):
        return str(node.accept(transaction))
    _preflight(node, transaction)
    return str(node.accept(transaction, verify=False))


def _preflight(node: Node, transaction: VersionedTransaction) -> None:
    """Simulate against the newest state, whatever `preflightCommitment` says."""
    try:
        simulation = node.chain.simulate(transaction)
        error, logs, meta = simulation.error, simulation.meta.logs(), simulation.meta
    except TransactionRefused as refusal:
        error, logs, meta = refusal.error, refusal.logs, None
    if error == "SignatureFailure":
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
    if error is not None:
        data = {
            "accounts": None,
            "err": error,
            "innerInstructions": None,
            "loadedAccountsDataSize": 0,
            "logs": logs,
            "replacementBlockhash": None,
            "returnData": show_return_data(meta) if meta else None,
            "unitsConsumed": meta.compute_units_consumed() if meta else 0,
        }
        raise RpcError(PREFLIGHT_FAILURE, f"Transaction simulation failed: {describe(error)}", data)


@method("simulateTransaction")
def simulate_transaction(node: Node, params: Params) -> dict[str, Any]:
    config = params.config(1)
    commitment = node.commitment(config)
    transaction = _taken(node, params, config)
    verify, replace = config.flag("sigVerify"), config.flag("replaceRecentBlockhash")
    if verify and replace:
        raise RpcError(INVALID_PARAMS, "sigVerify may not be used with replaceRecentBlockhash")
    value: dict[str, Any] = {"accounts": None, "innerInstructions": None, "replacementBlockhash": None}
    if replace:
        blockhash, last_valid = node.chain.timeline.latest_blockhash(commitment)
        value["replacementBlockhash"] = {"blockhash": str(blockhash), "lastValidBlockHeight": last_valid}
    try:
        simulation = node.chain.simulate(transaction, verify=verify, replace_blockhash=replace)
    except TransactionRefused as refusal:
        refused = {"err": refusal.error, "logs": refusal.logs, "returnData": None, "unitsConsumed": 0}
        return node.context("processed", value | refused)
    if simulation.error == "SignatureFailure":
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
    meta = simulation.meta
    value |= {
        "err": simulation.error,
        "fee": meta.fee(),
        "loadedAccountsDataSize": sum(len(account.data) for account in simulation.accounts.values()),
        "logs": meta.logs(),
        "returnData": show_return_data(meta),
        "unitsConsumed": meta.compute_units_consumed(),
    }
    if config.flag("innerInstructions"):
        keys = node.chain.keys_of(transaction.message)
        value["innerInstructions"] = show_inner(meta, keys, parsed=False)
    if (wanted := config.get("accounts")) is not None and simulation.error is None:
        value["accounts"] = _post_accounts(node, wanted, simulation.accounts)
    return node.context("processed", value)


def _post_accounts(node: Node, wanted: Any, after: dict[Any, Any]) -> list[Any]:
    if not isinstance(wanted, dict) or not isinstance(wanted.get("addresses"), list):
        raise invalid("accounts must be an object with addresses")
    read = reader(node, "processed")
    config = Config({"encoding": "base64"} | wanted)
    view = AccountView(config, lambda address: after.get(address) or read(address))
    addresses = [as_pubkey(address) for address in wanted["addresses"]]
    return [view.show(after[address] if address in after else read(address)) for address in addresses]


@method("requestAirdrop")
def request_airdrop(node: Node, params: Params) -> str:
    lamports = params.u64(1)
    if not 0 < lamports <= AIRDROP_LIMIT:
        raise invalid(f"an airdrop is from 1 to {AIRDROP_LIMIT} lamports")
    try:
        return str(node.chain.airdrop(params.pubkey(0), lamports).signature)
    except TransactionRefused as refusal:
        raise RpcError(-32603, f"airdrop failed: {refusal}") from refusal


def _confirmation(node: Node, record: TransactionRecord) -> Commitment:
    timeline = node.chain.timeline
    if record.height <= timeline.committed_height("finalized"):
        return "finalized"
    return "confirmed" if record.height <= timeline.committed_height("confirmed") else "processed"


@method("getSignatureStatuses")
def get_signature_statuses(node: Node, params: Params) -> dict[str, Any]:
    signatures = params.strings(0, MAX_STATUSES)
    search = params.config(1).flag("searchTransactionHistory")
    statuses: list[dict[str, Any] | None] = []
    for position in range(len(signatures)):
        record = node.chain.history.get(Params(signatures).signature(position))
        height = node.chain.timeline.height
        if record is None or (not search and record.height < height - STATUS_CACHE_BLOCKS):
            statuses.append(None)
            continue
        confirmation = _confirmation(node, record)
        statuses.append(
            {
                "slot": record.slot,
                "confirmations": None if confirmation == "finalized" else height - record.height,
                "status": show_status(record.error),
                "err": record.error,
                "confirmationStatus": confirmation,
            }
        )
    return node.context("processed", statuses)


def _history_height(node: Node, config: Config) -> int:
    """Newest height whose transactions the caller may see; history knows nothing below confirmed."""
    commitment = node.commitment(config)
    if commitment == "processed":
        raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
    return node.chain.timeline.committed_height(commitment)


@method("getTransaction")
def get_transaction(node: Node, params: Params) -> dict[str, Any] | None:
    options = params.any(1)
    config = Config({"encoding": options}) if isinstance(options, str) else params.config(1)
    newest = _history_height(node, config)
    record = node.chain.history.get(params.signature(0))
    if record is None or record.height > newest:
        return None
    encoding = config.choice("encoding", ENCODINGS, "json")
    shown = show_transaction(record, encoding, config.optional_u64("maxSupportedTransactionVersion"))
    return {"slot": record.slot, "blockTime": record.unix_time, "transactionIndex": record.index} | shown


@method("getSignaturesForAddress")
def get_signatures_for_address(node: Node, params: Params) -> list[dict[str, Any]]:
    """Newest first, from before `before` down to `until`, both excluded."""
    config = params.config(1)
    newest = _history_height(node, config)
    limit = config.u64("limit", MAX_SIGNATURES_FOR_ADDRESS)
    if not 0 < limit <= MAX_SIGNATURES_FOR_ADDRESS:
        raise invalid(f"limit must be 1 to {MAX_SIGNATURES_FOR_ADDRESS}")
    history = node.chain.history
    before, until = config.optional_signature("before"), config.optional_signature("until")
    start: int | None = None
    if before is not None:
        first = history.get(before)
        if first is None:
            return []
        start = first.number
    found: list[dict[str, Any]] = []
    for record in history.newest_first(params.pubkey(0), start):
        if record.signature == until or len(found) == limit:
            break
        if record.height <= newest:
            found.append(_signature_entry(node, record))
    return found


def _signature_entry(node: Node, record: TransactionRecord) -> dict[str, Any]:
    return {
        "signature": str(record.signature),
        "slot": record.slot,
        "err": record.error,
        "memo": memo_of(record.transaction),
        "blockTime": record.unix_time,
        "confirmationStatus": _confirmation(node, record),
        "transactionIndex": record.index,
    }
