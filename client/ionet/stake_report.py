"""Nodes that take others' stake, ranked by what their stake earned. Integers; the chain's word but for the income.

The yield is a projection of the past and no promise: the share of the supplier's income after fees that goes to all
stake, of the last 30 days, as if it went on for a year, per dollar of stake that is bonded now. IO counts at the last
price on the chain. What the stake may lose by slashes is not in it, nor are rewards that somebody gives.

Income counts as its fees do in the reputation: one renter's by their square root, the supplier's own not at all. So
whoever rents from themselves does not climb by it, and under other names only by burning the fees of as many renters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import httpx2
from solders.pubkey import Pubkey

from ionet.api.stake import agreed_terms
from ionet.client import Client
from ionet.generated import pdas
from ionet.generated.accounts import Iosd, Node
from ionet.generated.enums import IO_UNIT, NodeFlag
from ionet.node_report import KEPT_DAYS, Day, Fees, Founded, days_of, founded_score
from ionet.offers import Missing, asking
from ionet.rules import pool, reputation
from ionet.trace import ApiError

YEAR_DAYS = 365
MOST_ASKED = 64
"""Nodes that an indexer is asked about, those with the most stake."""
_AT_ONCE = 8
DEFINITION = (
    f"yield: supplier's income after fees of the last {KEPT_DAYS} days, times the share of it for stake, times "
    f"{YEAR_DAYS}/{KEPT_DAYS}, per dollar of stake bonded now (IO at the chain's last price); before slashes; one "
    "renter's income counts by the square root of the fees burned for it, the supplier's own not at all"
)


class Ranked(NamedTuple):
    """A node that takes stake. Shares in basis points: of rewards on others' stake, of leases' income for all stake.

    own, others, room: IO base units of its owner's, of others', and what others can still add. income: of 30 days after
    fees, base units by currency; None where no indexer told it. counted: of `reputation.ONE`, what of it the
    yield counts. yield_bps: a year's, None where it is unknown.
    """

    address: Pubkey
    node: Node
    reward_share: int
    income_share: int
    own: int
    others: int
    room: int
    state: str
    income: Mapping[str, int] | None
    counted: int | None
    score: Founded | None
    yield_bps: int | None


async def ranked(client: Client, indexer: str) -> tuple[list[Ranked], str]:
    """Those with the highest yield first, and why nothing is known of their income where that is so."""
    found = [(key, node) for key, node in await client.node.all() if _takes(node)]
    found.sort(key=lambda item: (-item[1].bonded.amount, str(item[0])))
    states = await client.node.states([node for _, node in found])
    network = await client.network.get()
    books = await client.find(Iosd, pdas.iosd(client.program.id))
    price, percent = 0 if books is None else books.last_price, network.params.co_stake_max_percent
    told, why = await _told(indexer, [key for key, _ in found[:MOST_ASKED]])
    rows = [
        _row(key, node, state, told.get(key), price, percent) for (key, node), state in zip(found, states, strict=True)
    ]
    return sorted(rows, key=lambda row: (-(row.yield_bps or 0), -(row.score.score if row.score else 0))), why


def _takes(node: Node) -> bool:
    return any(agreed_terms(node)) and not node.flags & (NodeFlag.RETIRED | NodeFlag.BLOCKED | NodeFlag.FROZEN)


def _row(
    key: Pubkey,
    node: Node,
    state: str,
    told: tuple[Sequence[Day], Founded] | None,
    price: int,
    most_percent: int,
) -> Ranked:
    reward_share, income_share = agreed_terms(node)
    bonded = pool.Pool(node.bonded.amount, node.bonded.shares)
    own = bonded.worth(node.owner_bonded_shares)
    others = node.bonded.amount - own
    income = counted = None
    if told is not None:
        days, score = told
        income, own_wallets = income_of(days), {str(node.owner), str(node.payout)}
        counted = counted_part(score.records, own_wallets, score.today)
    return Ranked(
        address=key,
        node=node,
        reward_share=reward_share,
        income_share=income_share,
        own=own,
        others=others,
        room=room_for_others(own, others, most_percent),
        state=state,
        income=income,
        counted=counted,
        score=None if told is None else told[1],
        yield_bps=None
        if income is None or counted is None
        else yield_bps(income, counted, income_share, node.bonded.amount, price),
    )


def room_for_others(own: int, others: int, most_percent: int) -> int:
    """What others can still add beside the owner's stake, IO base units. most_percent: of the two together, theirs."""
    return max(0, own * most_percent // (100 - most_percent) - others)


def income_of(days: Iterable[Day]) -> dict[str, int]:
    """To the supplier after fees, base units by currency."""
    sums: dict[str, int] = {}
    for day in days:
        for income in day.income:
            sums[income.currency] = sums.get(income.currency, 0) + income.supplier
    return sums


def counted_part(records: Iterable[Fees], own: Collection[str], today: int) -> int:
    """What of a node's income counts, of `reputation.ONE`: what its renters' fees count for, over the fees.

    records: fees by renter and day. own: wallets of the supplier, which count for nothing. today: days since 1970.
    """
    fees: dict[str, int] = {}
    for each in records:
        if today - KEPT_DAYS < each.day <= today:
            fees[each.renter] = fees.get(each.renter, 0) + each.kept
    total = sum(fees.values())
    counted = sum(reputation.of_one_renter(paid) for renter, paid in fees.items() if renter not in own)
    return counted * reputation.ONE // total if total else 0


def yield_bps(income: Mapping[str, int], counted: int, share_bps: int, bonded: int, price: int) -> int | None:
    """A year's, rounded down. income: of `KEPT_DAYS`, base units by currency. counted: of `reputation.ONE`. bonded: IO
    base units. price: micro-dollars per IO. None without stake or price.
    """
    worth = bonded * price // IO_UNIT
    if worth == 0:
        return None
    dollars = sum(units * price // IO_UNIT if name == "IO" else units for name, units in income.items())
    return dollars * counted * share_bps * YEAR_DAYS // (KEPT_DAYS * worth * reputation.ONE)


async def _told(indexer: str, nodes: Sequence[Pubkey]) -> tuple[dict[Pubkey, tuple[Sequence[Day], Founded]], str]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(http: httpx2.AsyncClient, node: Pubkey) -> tuple[Sequence[Day], Founded] | None:
        async with places:
            try:
                return await days_of(http, node), await founded_score(http, node)
            except Missing:  # it is new, and the indexer has not seen it yet
                return None

    try:
        async with asking(indexer) as http:
            answers = await asyncio.gather(*(ask(http, node) for node in nodes))
    except ApiError as error:
        return {}, error.detail
    return {node: told for node, told in zip(nodes, answers, strict=True) if told is not None}, ""
