"""What vaults, mints and accounts must say by the books, one account at a time, at the slot at which it was read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from ionet.addresses import token_amount
from ionet.codec import ProgramCodec
from ionet.generated import accounts, pdas
from solders.pubkey import Pubkey

from ionet_indexer.audit.books import Books

VAULTS = ("escrow", "stake", "income", "owed", "fees", "burn")
_FIGURES = ("minted", "redeemed", "io_burned", "io_redeemed", "fee_burned", "io_other_burned")


class Verdict(msgspec.Struct, frozen=True):
    """Whether a rule holds, and what was compared or what contradicts it."""

    rule: str
    holds: bool
    detail: str


class Rules:
    """The rules of the auditor over books that go on: what contradicted them so far."""

    def __init__(self, books: Books, codec: ProgramCodec) -> None:
        self._books = books
        self._codec = codec
        self._iosd = pdas.iosd(books.program)
        self._broken: dict[str, list[str]] = defaultdict(list)
        self._supplies: dict[str, str] = {}

    def token_accounts(self) -> list[Pubkey]:
        """Vaults and mints that the books know by now."""
        return [*(key for kind in VAULTS for key in self._books.vaults[kind]), self._books.io, self._books.iosd_mint]

    def program_accounts(self) -> list[Pubkey]:
        """Accounts of the program that have to be there, by the books as they are now."""
        books = self._books
        return [self._iosd, *books.pools, *(books.clusters.keys() - books.closed), *books.open_leases]

    def compare_token(self, key: Pubkey, data: bytes | None) -> None:
        """A vault or mint with the books at the slot at which it was read."""
        books = self._books
        for kind in VAULTS:
            if key in books.vaults[kind] and _amount(data) < (amount := books.vaults[kind][key]):
                self._broken[f"{kind} vaults"].append(f"{key}: {_amount(data)} in the vault, {amount} by the events")
        # Holders may burn their own: a supply may be less than the books, never more.
        iosd = books.iosd
        if key == books.iosd_mint:
            self._compare_supply("IOSD supply", data, iosd["minted"] - iosd["redeemed"] - iosd["fee_burned"])
        if key == books.io:
            burned = iosd["io_burned"] + iosd["io_other_burned"]
            self._compare_supply("IO supply", data, books.genesis + iosd["io_redeemed"] - burned)

    def _compare_supply(self, rule: str, data: bytes | None, most: int) -> None:
        supply = _supply(data)
        self._supplies[rule] = f"{supply} of {most}"
        if supply > most:
            self._broken[rule].append(f"{supply} in the mint, {most} by the events")

    def compare_account(self, key: Pubkey, data: bytes | None) -> None:
        """Likewise for an account of the program; None where there is none."""
        books, account = self._books, None if data is None else self._codec.decode_any_account(data)
        if key == self._iosd:
            for name in _FIGURES:
                if getattr(account, name, 0) != books.iosd[name]:
                    told = f"{getattr(account, name, None)} in the account, {books.iosd[name]} by the events"
                    self._broken["minted and burned"].append(f"{name}: {told}")
        if key in books.open_leases and getattr(account, "paid", None) != books.paid[key]:
            told = f"{getattr(account, 'paid', None)} in the account, {books.paid[key]} by the events"
            self._broken["payouts"].append(f"{key}: {told}")
        if key in books.clusters and key not in books.closed:
            for name in ("deposit", "paid", "fees", "burned", "refunded"):
                if (said := getattr(account, name, None)) != (amount := books.clusters[key][name]):
                    self._broken["clusters"].append(f"{key} {name}: {said} in the account, {amount} by the events")
        if key in books.pools:
            self._compare_node(key, account)

    def _compare_node(self, key: Pubkey, node: Any) -> None:
        books = self._books
        if not isinstance(node, accounts.Node):
            self._broken["pools"].append(f"{key}: no account")
            return
        rewards = (books.rewards[key, "owner"], books.rewards[key, "co"])
        income = tuple(books.income[key, mint] for mint in books.currencies)
        told = (*books.pools[key], *rewards, books.refills[key], income)
        pools = (node.bonded.amount, node.unbonding.amount, node.owner_rewards, node.co_rewards, node.refill)
        if (*pools, tuple(node.co_income)) != told:
            said = (*pools, tuple(node.co_income))
            self._broken["pools"].append(f"{key}: {said} in the account, {told} by the events")
        if node.slashed != books.slashed[key]:
            self._broken["slashes"].append(f"{key}: {node.slashed} in the account, {books.slashed[key]} by the events")

    def verdicts(self) -> Iterable[Verdict]:
        """One for each rule."""
        books = self._books
        yield self._verdict("numbering", f"{books.events} events of {len(books.seqs)} entities without a hole")
        for kind in VAULTS:
            flows = books.vaults[kind]
            yield self._verdict(f"{kind} vaults", f"{len(flows)} hold at least {sum(flows.values())}")
        yield self._verdict("payouts", f"{sum(books.paid.values())} for {len(books.paid)} leases")
        yield self._verdict("clusters", _totals(books))
        nodes = f"{len(books.pools)} nodes: bonded, unbonding, rewards, refill and income as told"
        yield self._verdict("pools", nodes)
        yield self._verdict("slashes", f"{sum(books.slashed.values())} of {len(books.slashed)} nodes")
        yield self._verdict("minted and burned", ", ".join(f"{name} {books.iosd[name]}" for name in _FIGURES))
        for rule in ("IOSD supply", "IO supply"):
            yield self._verdict(rule, self._supplies.get(rule, ""))

    def _verdict(self, rule: str, held: str) -> Verdict:
        books = self._books
        wrong = [*books.wrong.get(rule.split()[0], []), *(books.holes if rule == "numbering" else self._broken[rule])]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Verdict(rule, not wrong, held if not wrong else wrong[0] + more)


def _totals(books: Books) -> str:
    total: dict[Pubkey, list[int]] = {}
    for key, figures in books.clusters.items():
        sums = total.setdefault(books.mints[key], [0, 0, 0, 0])
        for number, name in enumerate(("deposit", "paid", "fees", "refunded")):
            sums[number] += figures[name]
    told = [f"{mint}: deposit {d}, paid {p}, fees {f}, refunded {r}" for mint, (d, p, f, r) in total.items()]
    return "; ".join(told) or "none"


def _amount(data: bytes | None) -> int:
    """Base units in a token account; 0 where there is none."""
    return 0 if data is None else token_amount(data)


def _supply(data: bytes | None) -> int:
    """Base units of a mint."""
    return 0 if data is None else int.from_bytes(data[36:44], "little")
