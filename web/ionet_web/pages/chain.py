"""What the chain recorded: a transaction, a slot; every event with all that it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from markupsafe import Markup, escape

from ionet_web.blocks import Block, Fact, Facts, Page, address
from ionet_web.indexer import Indexer
from ionet_web.shown import LINKED, Kind, link, moment, show

# Fields of events whose name is a kind of their own.
_FIELDS = {
    **{kind.value.removesuffix("s"): kind for kind in LINKED},
    **dict.fromkeys(("owner", "renter", "staker", "payout", "wallet", "seller", "reporter", "authority"), Kind.WALLET),
    **dict.fromkeys(("at", "ready_by", "starts_at", "ends_at", "defend_by"), Kind.TIME),
}


async def transaction_page(indexer: Indexer, signature: str) -> Page:
    """A transaction's events, with every field. Raises NotKnown."""
    found = await indexer.get("transactions", signature)
    item = found["item"]
    time = show(Kind.TIME, item["block_time"], item)
    where = [Fact("Slot", show(Kind.SLOT, item["slot"], item)), Fact("Time", time)]
    blocks: list[Block] = [Facts("", where), *map(_event, item["events"])]
    return Page(f"Transaction {signature}", blocks, found["slot"], path=f"/transactions/{signature}")


async def slot_page(indexer: Indexer, slot: str, cursor: str = "") -> Page:
    """The events of a slot. Raises Refused for what is no slot."""
    found = await indexer.get("slots", slot, cursor=cursor)
    blocks: list[Block] = [_event(item, with_transaction=True) for item in found["items"]]
    if found["next"]:
        more = Markup('<a href="{}">More of this slot</a>').format(address(f"/slots/{slot}", cursor=found["next"]))
        blocks.append(Facts("", [Fact("", more)]))
    lead = Markup("") if blocks else Markup("Nothing of this network happened in it.")
    return Page(f"Slot {slot}", blocks, found["slot"], lead, f"/slots/{slot}")


def _event(item: Mapping[str, Any], *, with_transaction: bool = False) -> Facts:
    said = [Fact(name.replace("_", " "), _field(name, value)) for name, value in item["data"].items()]
    if with_transaction:
        said.insert(0, Fact("transaction", link(Kind.TRANSACTION, item["signature"])))
    if item["block_time"] is not None and "at" not in item["data"]:
        said.insert(0, Fact("time", moment(item["block_time"])))
    return Facts(item["name"], said)


def _field(name: str, value: Any) -> Markup:
    kind = _FIELDS.get(name)
    if kind is not None and kind in LINKED and isinstance(value, str):
        return show(kind, value, {})
    if kind == Kind.TIME and str(value).isdigit():
        return moment(int(value))
    if isinstance(value, dict | list):
        return Markup("<code>{}</code>").format(msgspec.json.encode(value).decode())
    return Markup('<span class="number">{}</span>').format(escape("–" if value is None else value))
