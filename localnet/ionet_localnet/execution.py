"""LiteSVM set up as a cluster node, and what a transaction reads from accounts around its execution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solders.account import Account
from solders.litesvm import LiteSVM
from solders.message import Message, VersionedMessage
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

from ionet_localnet.errors import TransactionRefused
from ionet_localnet.history import TokenBalance

TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022_PROGRAM = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
TOKEN_PROGRAMS = frozenset({TOKEN_PROGRAM, TOKEN_2022_PROGRAM})
LOOKUP_TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")

TOKEN_ACCOUNT_SIZE = 165
MINT_SIZE = 82
# Token-2022 puts the account type behind the longest base layout: 1 = mint, 2 = token account.
_TYPE_OFFSET = TOKEN_ACCOUNT_SIZE
_LOOKUP_TABLE_META = 56


def new_svm() -> LiteSVM:
    """An SVM with mainnet's features and programs, without LiteSVM's faucet, history and blockhash check.

    Its faucet has a random key and its history is too short to recognise a replay: the chain does both itself.
    """
    svm = LiteSVM.default().with_feature_set(LiteSVM.mainnet_feature_set()).with_builtins().with_sysvars()
    svm = svm.with_default_programs().with_feature_accounts().with_sigverify(True).with_blockhash_check(False)
    svm = svm.with_transaction_history(0).with_log_bytes_limit(None)
    # The wrapper has no method for this one.
    svm._inner.set_precompiles()
    return svm


def is_token_account(account: Account) -> bool:
    """Whether it is an initialised token account of either token program."""
    data = account.data
    if account.owner not in TOKEN_PROGRAMS or len(data) < TOKEN_ACCOUNT_SIZE or data[108] not in (1, 2):
        return False
    return len(data) == TOKEN_ACCOUNT_SIZE or data[_TYPE_OFFSET] == 2


def is_mint(account: Account) -> bool:
    """Whether it is an initialised mint of either token program."""
    data = account.data
    if account.owner not in TOKEN_PROGRAMS or len(data) < MINT_SIZE or data[45] == 0:
        return False
    return len(data) == MINT_SIZE or (len(data) > _TYPE_OFFSET and data[_TYPE_OFFSET] == 1)


def resolve_keys(message: VersionedMessage, read: Callable[[Pubkey], Account | None]) -> tuple[list[Pubkey], int, int]:
    """All account keys of a message in the runtime's order, and how many loaded ones are writable and read-only."""
    keys = list(message.account_keys)
    if isinstance(message, Message):
        return keys, 0, 0
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    for lookup in getattr(message, "address_table_lookups", ()):
        table = read(lookup.account_key)
        if table is None:
            raise TransactionRefused("AddressLookupTableNotFound")
        if table.owner != LOOKUP_TABLE_PROGRAM:
            raise TransactionRefused("InvalidAddressLookupTableOwner")
        data = table.data
        for indexes, target in ((lookup.writable_indexes, writable), (lookup.readonly_indexes, readonly)):
            for index in bytes(indexes):
                start = _LOOKUP_TABLE_META + 32 * index
                if start + 32 > len(data):
                    raise TransactionRefused("InvalidAddressLookupTableIndex")
                target.append(Pubkey.from_bytes(data[start : start + 32]))
    return keys + writable + readonly, len(writable), len(readonly)


def writable_flags(message: VersionedMessage, key_count: int, loaded_writable: int) -> list[bool]:
    """For every key, whether the transaction locks it for writing."""
    header = message.header
    static = len(message.account_keys)
    signed = header.num_required_signatures
    signed_writable = signed - header.num_readonly_signed_accounts
    unsigned_writable = static - header.num_readonly_unsigned_accounts
    flags = [i < signed_writable or signed <= i < unsigned_writable for i in range(static)]
    return flags + [i < loaded_writable for i in range(key_count - static)]


def token_balances(accounts: Sequence[Account | None], read: Callable[[Pubkey], Account | None]) -> list[TokenBalance]:
    """Holdings of the token accounts among `accounts`, which are in the order of the transaction's keys."""
    found: list[TokenBalance] = []
    for index, account in enumerate(accounts):
        if account is None or account.owner not in TOKEN_PROGRAMS or not is_token_account(account):
            continue
        data = account.data
        mint = Pubkey.from_bytes(data[:32])
        mint_account = read(mint)
        if mint_account is None or not is_mint(mint_account):
            continue
        owner = Pubkey.from_bytes(data[32:64])
        amount = int.from_bytes(data[64:72], "little")
        found.append(TokenBalance(index, mint, owner, account.owner, amount, mint_account.data[44]))
    return found


def names_current_nonce(transaction: VersionedTransaction, read: Callable[[Pubkey], Account | None]) -> bool:
    """Whether its blockhash is the durable nonce stored in the account that its first instruction advances."""
    if not transaction.uses_durable_nonce():
        return False
    message = transaction.message
    accounts = bytes(message.instructions[0].accounts)
    if not accounts or accounts[0] >= len(message.account_keys):
        return False
    nonce = read(message.account_keys[accounts[0]])
    if nonce is None or nonce.owner != SYSTEM_PROGRAM or len(nonce.data) < 72:
        return False
    return nonce.data[40:72] == bytes(message.recent_blockhash)
