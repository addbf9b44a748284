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


def _of(derive: Callable[[Pubkey, Pubkey], Pubkey], source: str) -> Rule:
    """A PDA of one other account of the instruction."""

    def rule(program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
        key = known.get(source)
        return None if key is None else derive(program, key)

    return rule


def _tokens(owner: str, mint: str) -> Rule:
    """The associated token account of `owner` for `mint`, both slots of the instruction."""

    def rule(_program: Pubkey, known: Known, _args: Mapping[str, Any]) -> Pubkey | None:
        wallet, kind = known.get(owner), known.get(mint)
        return None if wallet is None or kind is None else pda.token_account(wallet, kind)

    return rule


RULES: dict[str, Rule] = {
    "io_mint": _always(pda.io_mint),
    "iosd_mint": _always(pda.iosd_mint),
    "program_data": _always(pda.program_data),
    "init_network.genesis_account": _tokens("genesis_owner", "io_mint"),
}
