"""The rules of the auditor, one verdict each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from ionet.codec import ProgramCodec
from ionet.generated import accounts, pdas
from solders.pubkey import Pubkey

from ionet_indexer.audit.books import Books
from ionet_indexer.core import queries
from ionet_indexer.core.decode import read_event
from ionet_indexer.core.reader import Reader
from ionet_indexer.source.base import Heads, SourceError

_SQL = queries.load()
_BATCH = 2_000  # events
_TRIES, _PAUSE = 10, 0.5  # to find a moment in which nothing happens, seconds between


class ChainSource(Protocol):
    """What an audit asks a node for."""

    async def heads(self) -> Heads:
        """Newest confirmed and finalized slot."""

    async def accounts(self, keys: Sequence[str]) -> tuple[int, dict[str, bytes | None]]:
        """Data of the program's accounts."""

    async def token_data(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """Data of token accounts and mints."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether a rule holds, and what was compared or what contradicts it."""

    rule: str
    holds: bool
    detail: str


async def verify(reader: Reader, source: ChainSource, codec: ProgramCodec) -> list[Verdict]:
    """Add all stored events up and compare with the chain. Raises SourceError when there is no moment to do it in.

    Accounts are read at a moment in which no event happens, so that both sides speak of the same one.
    """
    for _ in range(_TRIES):
        books, last = await _books(reader, codec)
        tokens = await source.token_data([str(key) for key in _token_accounts(books)])
        _, program = await source.accounts([str(key) for key in _program_accounts(books)])
        await _reach(reader, (await source.heads()).confirmed)
        if await _last(reader) == last:
            found = {key: codec.decode_any_account(raw) for key, raw in program.items() if raw is not None}
            return list(_verdicts(books, tokens, found))
        await asyncio.sleep(_PAUSE)
    raise SourceError(f"events kept happening while the accounts were read, {_TRIES} times; try again")


async def _books(reader: Reader, codec: ProgramCodec) -> tuple[Books, int]:
    books, position = Books(codec.id), -1
    async with reader.snapshot() as snapshot:
        while rows := await snapshot.fetch(_SQL["events_after"], position, _BATCH):
            for row in rows:
                books.take(read_event(row["data"], codec))
            position = rows[-1]["position"]
    return books, position


async def _last(reader: Reader) -> int:
    async with reader.snapshot() as snapshot:
        row = await snapshot.one(_SQL["events_end"])
    return -1 if row is None or row["max"] is None else int(row["max"])


async def _reach(reader: Reader, slot: int) -> None:
    for _ in range(100):
        async with reader.snapshot() as snapshot:
            if snapshot.slot >= slot:
                return
        await asyncio.sleep(0.1)
    raise SourceError(f"the tables do not reach slot {slot}: is an indexer running?")


def _token_accounts(books: Books) -> list[Pubkey]:
    return [*(key for flows in books.vaults.values() for key in flows), books.io, books.iosd_mint]


def _program_accounts(books: Books) -> list[Pubkey]:
    fixed = [books.network, pdas.iosd(books.program)]
    return [*fixed, *books.pools, *(books.clusters.keys() - books.closed), *books.open_leases]


def _verdicts(books: Books, tokens: dict[str, bytes | None], found: dict[str, Any]) -> Iterable[Verdict]:
    def rule(name: str, contradictions: list[str], held: str) -> Verdict:
        wrong = [*books.wrong.get(name.split()[0], []), *contradictions]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Verdict(name, not wrong, held if not wrong else wrong[0] + more)

    yield rule("numbering", books.holes, f"{books.events} events of {len(books.seqs)} entities without a hole")
    for kind in ("escrow", "stake", "income", "owed", "fees", "burn"):
        flows = books.vaults[kind]
        missing = [
            f"{key}: {_amount(tokens[str(key)])} in the vault, {amount} by the events"
            for key, amount in flows.items()
            if _amount(tokens[str(key)]) < amount
        ]
        yield rule(f"{kind} vaults", missing, f"{len(flows)} hold at least {sum(flows.values())}")
    yield rule("payouts", list(_leases(books, found)), f"{sum(books.paid.values())} for {len(books.paid)} leases")
    yield rule("clusters", list(_clusters(books, found)), _totals(books))
    nodes = list(_nodes(books, found))
    yield rule("pools", nodes, f"{len(books.pools)} nodes: bonded, unbonding, rewards, refill and income as told")
    slashed = [
        f"{key}: {found[str(key)].slashed} in the account, {amount} by the events"
        for key, amount in books.slashed.items()
        if str(key) in found and found[str(key)].slashed != amount
    ]
    yield rule("slashes", slashed, f"{sum(books.slashed.values())} of {len(books.slashed)} nodes")
    yield from _money(books, tokens, found, rule)


def _money(books: Books, tokens: dict[str, bytes | None], found: dict[str, Any], rule: Any) -> Iterable[Verdict]:
    iosd, told = books.iosd, found.get(str(pdas.iosd(books.program)))
    figures = ("minted", "redeemed", "io_burned", "io_redeemed", "fee_burned", "io_other_burned")
    differ = [
        f"{name}: {getattr(told, name, None)} in the account, {iosd[name]} by the events"
        for name in figures
        if getattr(told, name, 0) != iosd[name]
    ]
    yield rule("minted and burned", differ, ", ".join(f"{name} {iosd[name]}" for name in figures))
    # Holders may burn their own: a supply may be less than the books, never more.
    for name, mint, most in (
        ("IOSD supply", books.iosd_mint, iosd["minted"] - iosd["redeemed"] - iosd["fee_burned"]),
        ("IO supply", books.io, books.genesis + iosd["io_redeemed"] - iosd["io_burned"] - iosd["io_other_burned"]),
    ):
        supply = _supply(tokens[str(mint)])
        over = [f"{supply} in the mint, {most} by the events"] if supply > most else []
        yield rule(name, over, f"{supply} of {most}")


def _leases(books: Books, found: dict[str, Any]) -> Iterable[str]:
    for key in books.open_leases:
        lease = found.get(str(key))
        if lease is None or lease.paid != books.paid[key]:
            yield f"{key}: {getattr(lease, 'paid', None)} in the account, {books.paid[key]} by the events"


def _clusters(books: Books, found: dict[str, Any]) -> Iterable[str]:
    for key, figures in books.clusters.items():
        if key in books.closed:
            continue
        cluster = found.get(str(key))
        for name in ("deposit", "paid", "fees", "burned", "refunded"):
            if (said := getattr(cluster, name, None)) != figures[name]:
                yield f"{key} {name}: {said} in the account, {figures[name]} by the events"


def _nodes(books: Books, found: dict[str, Any]) -> Iterable[str]:
    for key, pools in books.pools.items():
        node = found.get(str(key))
        if not isinstance(node, accounts.Node):
            yield f"{key}: no account"
            continue
        rewards = (books.rewards[key, "owner"], books.rewards[key, "co"])
        income = tuple(books.income[key, mint] for mint in books.currencies)
        told = (*pools, *rewards, books.refills[key], income)
        said = (node.bonded.amount, node.unbonding.amount, node.owner_rewards, node.co_rewards, node.refill)
        if (*said, tuple(node.co_income)) != told:
            yield f"{key}: {(*said, tuple(node.co_income))} in the account, {told} by the events"


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
    return 0 if data is None else int.from_bytes(data[64:72], "little")


def _supply(data: bytes | None) -> int:
    """Base units of a mint."""
    return 0 if data is None else int.from_bytes(data[36:44], "little")
