"""Rules for account slots whose address the IDL cannot say. Keys are account names, or `instruction.account`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from solders.pubkey import Pubkey

from ionet import pda
from ionet.build import Known, Rule


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
    return pda.token_account(wallet, pda.io_mint(program))


def _iosd_of(program: Pubkey, wallet: Pubkey) -> Pubkey:
    return pda.token_account(wallet, pda.iosd_mint(program))


def _of_mint(slot: str) -> Rule:
    """A wallet's associated account of whatever `mint` is."""

    def rule(_program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
        wallet, mint = known.get(slot), known.get("mint")
        return None if wallet is None or mint is None else pda.token_account(wallet, mint)

    return rule


def _position(program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
    node, staker = known.get("node"), known.get("staker")
    return None if node is None or staker is None else pda.position(program, node, staker)


def _io_burn_vault(program: Pubkey) -> Pubkey:
    return pda.burn_vault(program, pda.io_mint(program))


# Clusters are in IOSD unless the caller names another mint; then he names the accounts that follow from it, too.
RULES: dict[str, Rule] = {
    "io_mint": _always(pda.io_mint),
    "iosd_mint": _always(pda.iosd_mint),
    "program_data": _always(pda.program_data),
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
    "open_cluster.mint": _always(pda.iosd_mint),
    "open_cluster.from": _of_mint("renter"),
    "withdraw_budget.to": _from("renter", _iosd_of),
    "close_cluster.renter_account": _from("renter", pda.renter),
    "close_cluster.refund_to": _from("renter", _iosd_of),
    "close_cluster.fee_vault": _always(lambda program: pda.fee_vault(program, pda.iosd_mint(program))),
    "close_cluster.burn_vault": _always(lambda program: pda.burn_vault(program, pda.iosd_mint(program))),
    "cancel_lease.burn_vault": _always(_io_burn_vault),
    "report_missed.burn_vault": _always(_io_burn_vault),
    "quit_lease.burn_vault": _always(_io_burn_vault),
    "decide_case.burn_vault": _always(_io_burn_vault),
}
