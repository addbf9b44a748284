"""Search by any key, hash, signature or name; and the way from a result to its node, price and proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ionet import base58
from ionet.errors import IonetError
from ionet.rules import merkle
from markupsafe import Markup

from ionet_web.blocks import Block, Choice, Column, Drop, Fact, Facts, Form, Note, Page, Proof, address, facts
from ionet_web.blocks import table as table_of
from ionet_web.indexer import Indexer, NotKnown, Refused
from ionet_web.shown import Kind, link, show

_KINDS = {
    "node": Kind.NODE,
    "lease": Kind.LEASE,
    "cluster": Kind.CLUSTER,
    "case": Kind.CASE,
    "model": Kind.MODEL,
    "position": Kind.STAKE,
    "wallet": Kind.WALLET,
    "transaction": Kind.TRANSACTION,
    "slot": Kind.SLOT,
}
_SCRIPT = "trace.js"
_PATH = (Column("step", Kind.COUNT, "Step"), Column("hash", Kind.HASH, "Sibling"))


async def search_page(indexer: Indexer, text: str) -> Page:
    """What a text stands for. Raises Refused for a text that cannot be searched for."""
    form = Form([Choice("q", "A key, hash, signature, slot or name", text)], "/search")
    if not text.strip():
        return Page("Search", [form], path="/search")
    found = await indexer.get("search", q=text.strip())
    facts_ = [Fact(item["kind"].replace("-", " "), _hit(item)) for item in found["items"]]
    blocks: list[Block] = [
        form,
        Facts("Found", facts_) if facts_ else Note(Markup("Nothing here has that name or key.")),
    ]
    return Page("Search", blocks, found["slot"], path="/search")


def _hit(item: Mapping[str, Any]) -> Markup:
    """Where to read of it: a page of its own, the result's trace, or what it belongs to."""
    kind = _KINDS.get(item["kind"])
    if item["kind"] == "result":
        return Markup('<a class="key" href="/trace/{0}">{0}</a>').format(item["key"])
    path = str(item["path"]).removeprefix("/v1")
    if kind is None:
        return Markup('<a class="key" href="{}">{}</a>').format(path if path.startswith("/") else "/", item["key"])
    return link(kind, str(item["key"]), str(item["key"]))


_LEAD = "From a result to the node that computed it, when, for how much, and the proof on chain."


async def trace_page(indexer: Indexer, result: str, cursor: str = "") -> Page:
    """Where a result was computed. result: sha256 of it, 64 hex digits; empty: ask for one. Raises Refused."""
    form = Form([Choice("hash", "SHA-256 of the result, 64 hex digits", result, hint="hash")], "/trace")
    blocks: list[Block] = [Drop(), form]
    if not result:
        return Page("Trace", blocks, None, Markup("{}").format(_LEAD), "/trace", _SCRIPT)
    try:
        wanted = bytes.fromhex(result)
        found = await indexer.get("trace", result, cursor=cursor)
    except ValueError:
        raise Refused("a hash is 64 hex digits") from None
    except NotKnown as error:
        words = Markup("{}. It was not computed on this network, or its node did not upload its leaves.")
        note = Note(words.format(error.detail[:1].upper() + error.detail[1:]))
        return Page("Trace", [*blocks, note], None, Markup("{}").format(_LEAD), "/trace", _SCRIPT)
    for item in found["items"]:
        blocks += _occurrence(item, wanted)
    if found["next"]:
        more = Markup('<a href="{}">More</a>').format(address(f"/trace/{result}", cursor=found["next"]))
        blocks.append(Note(more))
    return Page("Trace", blocks, found["slot"], path="/trace", script=_SCRIPT)


def _is_proven(item: Mapping[str, Any], wanted: bytes) -> bool:
    """Computed here, whatever the indexer says of it."""
    leaf = item["leaf"]
    try:
        lease, task = base58.decode(item["lease"]), bytes.fromhex(leaf["task_id"])
        hashed = merkle.leaf(lease, int(item["interval"]), int(leaf["index"]), task, wanted)
        path = [bytes.fromhex(sibling) for sibling in leaf["path"]]
        return merkle.verify(hashed, int(leaf["index"]), int(leaf["count"]), path, bytes.fromhex(leaf["root"]))
    except (IonetError, ValueError):
        return False


def _occurrence(item: Mapping[str, Any], wanted: bytes) -> list[Block]:
    proof, leaf = item["proof"], item["leaf"]
    where = facts(
        item,
        ("node", Kind.NODE, "Node"),
        ("lease", Kind.LEASE, "Lease"),
        ("cluster", Kind.CLUSTER, "Cluster"),
        ("renter", Kind.WALLET, "Renter"),
        ("owner", Kind.WALLET, "Supplier"),
        ("interval", Kind.COUNT, "Interval"),
        ("interval_start", Kind.TIME, "From"),
        ("interval_end", Kind.TIME, "To"),
        ("price", Kind.PRICE, "Price", "For a processor and hour."),
        ("amount", Kind.AMOUNT, "Price of the interval"),
        ("paid", Kind.AMOUNT, "Paid for it"),
    )
    if proof:
        where.append(Fact("Proof", show(Kind.TRANSACTION, proof.get("signature"), item)))
    checked = facts(
        {**leaf, "verified": _is_proven(item, wanted)},
        ("index", Kind.COUNT, "Leaf"),
        ("count", Kind.COUNT, "Of"),
        ("hash", Kind.HASH, "Hash of the leaf"),
        ("root", Kind.HASH, "Root on chain"),
        (
            "verified",
            Kind.YES,
            "Its path leads to the root",
            "Computed by this page's server. That the chain holds the root: ionet trace --verify asks the chain.",
        ),
    )
    path = [{"step": step, "hash": sibling} for step, sibling in enumerate(leaf["path"], 1)]
    steps = table_of("Path to the root", _PATH, path, empty="The tree has one leaf.")
    proof_ = Proof(
        lease=str(item["lease"]),
        interval=item["interval"],
        index=leaf["index"],
        count=leaf["count"],
        task=str(leaf["task_id"]),
        path=[str(sibling) for sibling in leaf["path"]],
        root=str(leaf["root"]),
    )
    return [Facts("Computed by", where), Facts("Proof", checked), proof_, steps]
