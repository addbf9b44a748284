"""RPC methods that read token accounts and mints of both token programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from ionet_localnet.execution import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, TOKEN_PROGRAMS, is_mint, is_token_account
from ionet_localnet.rpc.account_json import AccountView, token_amount
from ionet_localnet.rpc.accounts import reader
from ionet_localnet.rpc.node import Node, method
from ionet_localnet.rpc.params import Params, as_pubkey, invalid
from ionet_localnet.timeline import Commitment

_LARGEST = 20
_OWNER_OFFSET = 32
_DELEGATE_TAG_OFFSET = 72


def _mint(node: Node, address: Pubkey, commitment: Commitment) -> Account:
    account = node.chain.get_account(address, commitment)
    if account is None:
        raise invalid("could not find account")
    if not is_mint(account):
        raise invalid("not a Token mint")
    return account


@method("getTokenAccountBalance")
def get_token_account_balance(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(1))
    account = node.chain.get_account(params.pubkey(0), commitment)
    if account is None:
        raise invalid("could not find account")
    if not is_token_account(account):
        raise invalid("not a Token account")
    mint = _mint(node, Pubkey.from_bytes(account.data[:32]), commitment)
    return node.context(commitment, token_amount(int.from_bytes(account.data[64:72], "little"), mint.data[44]))


@method("getTokenSupply")
def get_token_supply(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(1))
    data = _mint(node, params.pubkey(0), commitment).data
    return node.context(commitment, token_amount(int.from_bytes(data[36:44], "little"), data[44]))


def _token_accounts(node: Node, programs: list[Pubkey], commitment: Commitment) -> Iterator[tuple[Pubkey, Account]]:
    for program in programs:
        for address, account in node.chain.get_program_accounts(program, commitment).items():
            if is_token_account(account):
                yield address, account


@method("getTokenLargestAccounts")
def get_token_largest_accounts(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(1))
    address = params.pubkey(0)
    mint = _mint(node, address, commitment)
    wanted, decimals = bytes(address), mint.data[44]
    held = [
        (int.from_bytes(account.data[64:72], "little"), str(holder))
        for holder, account in _token_accounts(node, [mint.owner], commitment)
        if account.data[:32] == wanted
    ]
    largest = sorted(held, reverse=True)[:_LARGEST]
    return node.context(commitment, [{"address": a, **token_amount(amount, decimals)} for amount, a in largest])


@method("getTokenAccountsByOwner")
def get_token_accounts_by_owner(node: Node, params: Params) -> dict[str, Any]:
    return _by_holder(node, params, lambda data, holder: data[_OWNER_OFFSET : _OWNER_OFFSET + 32] == holder)


@method("getTokenAccountsByDelegate")
def get_token_accounts_by_delegate(node: Node, params: Params) -> dict[str, Any]:
    tagged = (1).to_bytes(4, "little")
    start = _DELEGATE_TAG_OFFSET
    return _by_holder(node, params, lambda data, holder: data[start : start + 36] == tagged + holder)


def _by_holder(node: Node, params: Params, matches: Any) -> dict[str, Any]:
    config = params.config(2)
    commitment = node.commitment(config)
    holder = bytes(params.pubkey(0))
    selector = params.any(1)
    mint: bytes | None = None
    programs = [TOKEN_PROGRAM, TOKEN_2022_PROGRAM]
    if isinstance(selector, dict) and "mint" in selector:
        mint_address = as_pubkey(selector["mint"])
        mint, programs = bytes(mint_address), [_mint(node, mint_address, commitment).owner]
    elif isinstance(selector, dict) and "programId" in selector:
        programs = [as_pubkey(selector["programId"])]
        if programs[0] not in TOKEN_PROGRAMS:
            raise invalid("unrecognized Token program id")
    else:
        raise invalid("expected an object with mint or programId")
    view = AccountView(config, reader(node, commitment))
    found = [
        {"pubkey": str(address), "account": view.show(account)}
        for address, account in _token_accounts(node, programs, commitment)
        if matches(account.data, holder) and mint in (None, account.data[:32])
    ]
    return node.context(commitment, found)
