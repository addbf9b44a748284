"""What a node offers, and since when; written by the folds of nodes."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, ClassVar

from ionet.generated.enums import Currency
from ionet.words import words

from ionet_indexer.core.answers import Amount
from ionet_indexer.core.lists import addresses, choice, facts
from ionet_indexer.core.rows import Fact

# -- rows


class NodeTerms(Fact, kw_only=True):
    """What a node offered from then on; the price is micro-dollars per processor-hour. `kind`: what was changed."""

    table: ClassVar[str] = "node_terms"

    position: int
    kind: str
    node: str
    at: int
    device_key: str
    payout: str
    fee_payer: str
    price: Amount
    min_duration: int
    max_duration: int
    min_coverage_bps: int
    country: int
    region: int
    currencies: int
    terms_seq: int


# -- folds

HANDLERS: dict[str, Any] = {}


# -- lists


def bit_words(column: str, kind: type[IntFlag]) -> str:
    """SQL for the words of a set of bits."""
    cases = ", ".join(f"CASE WHEN {column} & {int(bit)} <> 0 THEN '{name}' END" for name, bit in words(kind).items())
    return f"array_remove(ARRAY[{cases}], NULL)"


NODE_TERMS = facts(
    NodeTerms,
    "What nodes offered and when it changed, newest first.",
    {**addresses("node", "device_key"), "kind": choice("t.kind", "registered", "updated", "key-rotated")},
    more={"currencies": (list[str], bit_words("t.currencies", Currency))},
)
