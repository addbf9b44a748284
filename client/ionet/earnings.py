"""What a node was paid for what, settlement by settlement, as an indexer tells. `ionet lease receipt` proves one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from solders.pubkey import Pubkey

from ionet.generated.enums import IO_DECIMALS, USD_DECIMALS
from ionet.offers import MOST, Page, asking, every

_DECIMALS = {"IO": IO_DECIMALS, "IOSD": USD_DECIMALS, "USDC": USD_DECIMALS}
Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Key = Annotated[str, Meta(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,90}\Z")]
Code = Annotated[str, Meta(pattern=r"^[A-Z]{1,8}\Z")]


class Payment(msgspec.Struct, frozen=True):
    """A settlement. at: unix seconds. Base units of its currency: `amount` before fees, `supplier_amount` after them,
    of which `to_stakers` went to co-stakers; `owed`: whether it waits to be claimed, since nobody could receive it.
    """

    at: Annotated[int, Meta(ge=0, lt=2**40)]
    lease: Key
    signature: Key
    currency: Code
    processor_secs: Amount
    amount: Amount
    supplier_fee: Amount
    supplier_amount: Amount
    to_stakers: Amount
    payout: Key
    owed: bool


async def fetch(indexer: str, node: Pubkey, since: int = 0) -> list[Payment]:
    """The newest first. since: unix seconds. Raises ApiError."""
    wanted = {"node": str(node), "since": str(since)}
    endless = f"more than {MOST} payments: name a later --since"
    async with asking(indexer) as http:
        return await every(http, "/v1/payments", Page[Payment], wanted, endless)


def sums(payments: Iterable[Payment]) -> dict[str, int]:
    """To the supplier after fees and co-stakers, base units by currency."""
    found: dict[str, int] = {}
    for each in payments:
        found[each.currency] = found.get(each.currency, 0) + each.supplier_amount - each.to_stakers
    return found


COLUMNS = (
    *("time", "lease", "currency", "processor_secs", "gross", "fee", "net", "to_stakers", "paid_to", "owed"),
    "transaction",
)


def as_csv(payments: Sequence[Payment]) -> str:
    """Oldest first; amounts as decimal numbers of tokens, times in UTC."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for each in reversed(payments):
        amounts = [_tokens(units, each.currency) for units in (each.amount, each.supplier_fee, each.supplier_amount)]
        table.writerow(
            [
                datetime.fromtimestamp(each.at, UTC).isoformat(),
                each.lease,
                each.currency,
                each.processor_secs,
                *amounts,
                _tokens(each.to_stakers, each.currency),
                each.payout,
                "yes" if each.owed else "no",
                each.signature,
            ]
        )
    return text.getvalue()


def _tokens(units: int, currency: str) -> str:
    """Exact, with all decimals; base units of a currency that is not known."""
    decimals = _DECIMALS.get(currency, 0)
    whole, rest = divmod(units, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}" if decimals else str(units)
