"""What `ionet run` shows before it asks: which nodes, what they cost, and what their launcher gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.printing import say

if TYPE_CHECKING:
    from ionet.node_search import Candidate, Found
    from ionet.quote import Quote
    from ionet.renting.hiring import Hired
    from ionet.wish import Wish

NAMED_NODES = 8


def print_found(found: Found, wish: Wish) -> None:
    say(f"{human.count(found.listed, 'node')} of the model, {len(found.candidates)} fit, {wish.nodes} wanted", err=True)
    for each in found.removed:
        say(f"  {each.nodes} {each.why}{f' ({each.remedy})' if each.remedy else ''}", err=True)


def print_quote(chosen: Sequence[Candidate], made: Quote, ways: Mapping[Pubkey, float], deposit: int) -> None:
    """ways: how far nodes are, in milliseconds."""
    for node in chosen[:NAMED_NODES]:
        took = ways.get(Pubkey.from_string(node.node))
        far = "" if took is None else f"  {took:.0f} ms away"
        say(f"  {node.node}  {_about(node)}{far}", err=True)
    if len(chosen) > NAMED_NODES:
        say(f"  and {len(chosen) - NAMED_NODES} more", err=True)
    total, fees = human.money(made.cost, made.currency), human.money(made.fee, made.currency)
    say(f"{human.hourly(made.hourly)} in all, {total} for {human.span(made.duration)}, {fees} fee", err=True)
    say(f"{human.money(deposit, made.currency)} are locked; what is not served comes back", err=True)
    if made.min_charge_secs:
        say(f"whoever ends earlier pays for {human.span(made.min_charge_secs)} all the same", err=True)


def print_hired(hired: Hired) -> None:
    """Said apart from the price: it is SOL, and does not come back."""
    fee = f"{human.money(hired.fee, 'SOL')} fee, " if hired.fee else "no fee, "
    fuel = human.money(hired.fuel, "SOL")
    say(f"launcher {str(hired.session_key)[:6]}: {fee}{fuel} for its transactions; neither comes back", err=True)


def _about(node: Candidate) -> str:
    return (
        f"{node.processors} x {node.model_name or 'unknown'}  {human.country(node.country)}  {human.hourly(node.price)}"
    )
