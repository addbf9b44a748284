"""The rules in force: parameters, who may change them and when, what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ionet_web.blocks import Block, Fact, Facts, Page, facts
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some
from ionet_web.shown import Kind, show


async def rules_page(indexer: Indexer) -> Page:
    """Every parameter by its name in the program."""
    network = await indexer.get("network")
    changes = await some(indexer, "network-changes")
    item = network["item"]
    who = facts(
        item,
        ("profile", Kind.STATE, "Profile", "Chosen once, when the network began."),
        ("authority", Kind.WALLET, "Authority", "Proposes parameters, which are applied after a delay."),
        ("pauser", Kind.WALLET, "Pauser"),
        ("arbiter", Kind.WALLET, "Arbiter", "Opens and decides cases."),
        ("pending_role", Kind.STATE, "Role that changes"),
        ("pending_role_at", Kind.TIME, "From"),
        ("io_mint", Kind.HASH, "Mint of IO"),
        ("iosd_mint", Kind.HASH, "Mint of IOSD"),
        ("usdc_mint", Kind.HASH, "Mint of USDC"),
    )
    blocks: list[Block] = [Facts("Who may do what", who), Facts("Parameters", _parameters(item["params"]))]
    if item["pending_params"]:
        when = Fact("From", show(Kind.TIME, item["pending_params_at"], item))
        blocks.append(Facts("Parameters that were proposed", [when, *_parameters(item["pending_params"])]))
    return Page("Rules", [*blocks, changes], network["slot"], path="/rules")


def _parameters(params: Mapping[str, Any] | None) -> list[Fact]:
    return [Fact(name, _parameter(name, value)) for name, value in (params or {}).items()]


def _parameter(name: str, value: Any) -> Markup:
    if isinstance(value, list):
        return Markup(", ").join(_parameter(name, each) for each in value)
    kind = Kind.SECONDS if name.endswith("_secs") else Kind.SHARE if name.endswith("_bps") else Kind.COUNT
    if name in _IO:
        kind = Kind.IO
    if name in _IOSD:
        kind = Kind.DOLLARS
    return show(kind, value, {})


_IO = frozenset({"stake_per_processor", "reporter_cap", "case_network_cap"})
_IOSD = frozenset({"mint_floor", "redeem_floor"})
