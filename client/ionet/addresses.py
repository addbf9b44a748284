"""Addresses that the IDL cannot derive, and rules for the account slots that need them. Pure.

`ionet.generated.pdas` has those that it can. Numbers in seeds are little endian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from ionet.build import Known, Rule
from ionet.generated import pdas

UPGRADEABLE_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
PYTH_RECEIVER = Pubkey.from_string("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ")


def lease(program: Pubkey, node: Pubkey, number: int) -> Pubkey:
    """A node's lease by its number (u64)."""
    return Pubkey.find_program_address([b"lease", bytes(node), number.to_bytes(8, "little")], program)[0]


def case(program: Pubkey, node: Pubkey, number: int) -> Pubkey:
    """A node's arbiter case by its number (u64)."""
    return Pubkey.find_program_address([b"case", bytes(node), number.to_bytes(8, "little")], program)[0]


def program_data(program: Pubkey) -> Pubkey:
    """Where the upgradeable loader keeps the code and its upgrade authority."""
    return Pubkey.find_program_address([bytes(program)], UPGRADEABLE_LOADER)[0]


def token_account(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The associated token account of a wallet (plain SPL token program)."""
    return get_associated_token_address(owner, mint)


def token_amount(data: bytes) -> int:
    """Base units in a token account with this data."""
    return int.from_bytes(data[64:72], "little")


def price_update(authority: Pubkey, feed_id: bytes) -> Pubkey:
    """Where the price poster of local chains keeps an authority's price of one feed."""
    return Pubkey.find_program_address([b"price", bytes(authority), feed_id], PYTH_RECEIVER)[0]


def _always(derive: Callable[[Pubkey], Pubkey]) -> Rule:
    """An address that depends on nothing but the program."""

    def rule(program: Pubkey, _known: Known, _args: Mapping[str, Any]) -> Pubkey:
        return derive(program)

    return rule


def _from(slot: str, derive: Callable[[Pubkey, Pubkey], Pubkey]) -> Rule:
    """An address that depends on the program and one other slot."""

    def rule(program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
        key = known.get(slot)
        return None if key is None else derive(program, key)

    return rule


def _io_of(program: Pubkey, wallet: Pubkey) -> Pubkey:
    return token_account(wallet, pdas.io_mint(program))


def _iosd_of(program: Pubkey, wallet: Pubkey) -> Pubkey:
    return token_account(wallet, pdas.iosd_mint(program))


def _of_mint(slot: str) -> Rule:
    """A wallet's associated account of whatever `mint` is."""

    def rule(_program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
        wallet, mint = known.get(slot), known.get("mint")
        return None if wallet is None or mint is None else token_account(wallet, mint)

    return rule


def _position(program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
    node, staker = known.get("node"), known.get("staker")
    return None if node is None or staker is None else pdas.position(program, node, staker)


def _io_burn_vault(program: Pubkey) -> Pubkey:
    return pdas.burn_vault(program, pdas.io_mint(program))


# Clusters are in IOSD unless the caller names another mint, and then also the accounts that follow from it.
RULES: dict[str, Rule] = {
    "io_mint": _always(pdas.io_mint),
    "iosd_mint": _always(pdas.iosd_mint),
    "program_data": _always(program_data),
    "init_network.genesis_account": _from("genesis_owner", _io_of),
    "stake.from": _from("staker", _io_of),
    "request_unbond.position": _position,
    "withdraw.position": _position,
    "withdraw.to": _from("staker", _io_of),
    "claim_rewards.to": _from("staker", _io_of),
    "fund_rewards.from": _from("payer", _io_of),
    "close_stake_vault.burn_vault": _always(_io_burn_vault),
    "mint_iosd.from": _from("wallet", _io_of),
    "mint_iosd.to": _from("wallet", _iosd_of),
    "mint_iosd_exact.from": _from("wallet", _io_of),
    "mint_iosd_exact.to": _from("wallet", _iosd_of),
    "redeem_iosd.from": _from("wallet", _iosd_of),
    "redeem_iosd.to": _from("wallet", _io_of),
    "buyback.from": _from("seller", _io_of),
    "claim_owed.to": _of_mint("owner"),
    "open_cluster.mint": _always(pdas.iosd_mint),
    "open_cluster.from": _of_mint("renter"),
    "withdraw_budget.to": _from("renter", _iosd_of),
    "close_cluster.renter_account": _from("renter", pdas.renter_account),
    "close_cluster.refund_to": _from("renter", _iosd_of),
    "close_cluster.fee_vault": _always(lambda program: pdas.fee_vault(program, pdas.iosd_mint(program))),
    "close_cluster.burn_vault": _always(lambda program: pdas.burn_vault(program, pdas.iosd_mint(program))),
    "cancel_lease.burn_vault": _always(_io_burn_vault),
    "report_missed.burn_vault": _always(_io_burn_vault),
    "quit_lease.burn_vault": _always(_io_burn_vault),
    "decide_case.burn_vault": _always(_io_burn_vault),
}
