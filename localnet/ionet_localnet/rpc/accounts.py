"""RPC methods that read accounts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import partial
from typing import Any

import base58
from solders.account import Account
from solders.pubkey import Pubkey

from ionet_localnet.execution import is_token_account
from ionet_localnet.rpc.account_json import AccountView
from ionet_localnet.rpc.node import Node, context, method
from ionet_localnet.rpc.params import Config, Params, as_pubkey, as_u64, invalid
from ionet_localnet.timeline import Commitment

MAX_MULTIPLE_ACCOUNTS = 100
_MAX_FILTERS = 4
Filter = Callable[[Account], bool]


def reader(node: Node, commitment: Commitment) -> Callable[[Pubkey], Account | None]:
    return partial(node.chain.get_account, commitment=commitment)


@method("getBalance")
def get_balance(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(1))
    account = node.chain.get_account(params.pubkey(0), commitment)
    return node.context(commitment, account.lamports if account else 0)


@method("getAccountInfo")
def get_account_info(node: Node, params: Params) -> dict[str, Any]:
    config = params.config(1)
    commitment = node.commitment(config)
    read = reader(node, commitment)
    return node.context(commitment, AccountView(config, read).show(read(params.pubkey(0))))


@method("getMultipleAccounts")
def get_multiple_accounts(node: Node, params: Params) -> dict[str, Any]:
    config = params.config(1)
    commitment = node.commitment(config)
    read = reader(node, commitment)
    if config.get("encoding") is None:
        config = Config({**config.values, "encoding": "base64"})
    view = AccountView(config, read)
    addresses = [as_pubkey(text) for text in params.strings(0, MAX_MULTIPLE_ACCOUNTS)]
    return node.context(commitment, [view.show(read(address)) for address in addresses])


@method("getProgramAccounts")
def get_program_accounts(node: Node, params: Params) -> Any:
    config = params.config(1)
    commitment = node.commitment(config)
    keep = compile_filters(config.get("filters"))
    view = AccountView(config, reader(node, commitment))
    accounts = node.chain.get_program_accounts(params.pubkey(0), commitment)
    found = [
        {"pubkey": str(address), "account": view.show(account)}
        for address, account in sorted(accounts.items(), key=lambda item: bytes(item[0]))
        if keep(account)
    ]
    return node.context(commitment, found) if config.flag("withContext") else found


def compile_filters(filters: Any) -> Filter:
    """One predicate out of the `filters` of getProgramAccounts and programSubscribe."""
    if filters is None:
        return lambda _account: True
    if not isinstance(filters, list) or len(filters) > _MAX_FILTERS:
        raise invalid(f"filters must be an array of at most {_MAX_FILTERS}")
    checks = [_compile_filter(entry) for entry in filters]
    return lambda account: all(check(account) for check in checks)


def _compile_filter(entry: Any) -> Filter:
    if entry == "tokenAccountState" or (isinstance(entry, dict) and "tokenAccountState" in entry):
        return is_token_account
    if isinstance(entry, dict) and "dataSize" in entry:
        size = as_u64(entry["dataSize"], "dataSize")
        return lambda account: len(account.data) == size
    if isinstance(entry, dict) and isinstance(entry.get("memcmp"), dict):
        offset = as_u64(entry["memcmp"].get("offset"), "offset")
        wanted = _memcmp_bytes(entry["memcmp"])
        return lambda account: account.data[offset : offset + len(wanted)] == wanted
    raise invalid(f"unknown filter {entry!r}")


def _memcmp_bytes(memcmp: dict[str, Any]) -> bytes:
    value, encoding = memcmp.get("bytes"), memcmp.get("encoding", "base58")
    try:
        if isinstance(value, list):
            return bytes(value)
        if isinstance(value, str) and encoding == "base64":
            return base64.b64decode(value, validate=True)
        if isinstance(value, str) and encoding in ("base58", "binary"):
            return base58.b58decode(value)
    except (ValueError, TypeError, binascii.Error) as failure:
        raise invalid(f"memcmp bytes are not {encoding}") from failure
    raise invalid("memcmp needs bytes in base58, base64 or as an array")


@method("getLargestAccounts")
def get_largest_accounts(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(0))
    read = reader(node, commitment)
    balances = [(account.lamports, str(address)) for address in node.chain.addresses if (account := read(address))]
    largest = sorted(balances, reverse=True)[:20]
    value = [{"address": address, "lamports": lamports} for lamports, address in largest]
    return {"context": context(node.chain.timeline.committed_slot(commitment)), "value": value}
