"""`ionet node status` and `ionet node earnings`: how a node stands, and what it was paid for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.node_terms import Node
from ionet.cli.printing import AsJson, print_fields, print_json
from ionet.cli.session import ask

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.node_report import Bandwidth, Day, Heard, Limits, Standing

Api = Annotated[str, typer.Option(envvar="IONET_API", help="URL of an indexer.")]
_DAY = 86_400


def status(ctx: typer.Context, node: Node, api: Api = "http://127.0.0.1:8080", as_json: AsJson = False) -> None:
    """Whether a node can be hired and why not, what it earns, and what it could lose."""

    async def work(client: Client) -> tuple[Standing, Heard | None, str, str]:
        from ionet.node_report import heard_or_why, standing

        found = await standing(client, node)
        heard, why = await heard_or_why(api, node)
        names = await client.network.model_names()
        return found, heard, why, names.get(found.node.model, str(found.node.model))

    found, heard, why, model = ask(ctx, work)
    if as_json:
        print_json(_raw(node, found, heard, why))
    else:
        print_fields({"node": str(node), **_chain(found, model), **_indexer(found, heard, why)}, as_json=False)


def _chain(found: Standing, model: str) -> dict[str, str]:
    """What the chain says, in words."""
    node = found.node
    shown = {"hireable": "no" if found.reasons else "yes, as far as the chain says"}
    for number, (reason, remedy) in enumerate(found.reasons, 1):
        shown[f"why not {number}"] = f"{reason}: {remedy}"
    shown["is"] = f"{node.processors} x {model}, {human.hourly(node.price)} each, {human.country(node.country)}"
    shown["earned in all"] = f"{human.dollars(node.earned)} and {human.money(node.earned_io, 'IO')}, before fees"
    leases = f"{node.leases_closed} closed, {node.next_lease_number} booked"
    shown["leases"] = f"{leases}, {human.span(node.served_secs)} served, {human.span(node.missed_secs)} missed"
    own = f"{human.money(found.counted, 'IO')} count, {human.money(found.needed, 'IO')} needed"
    shown["stake"] = f"{human.money(node.bonded.amount, 'IO')} bonded, of which {own}"
    if node.slashed:
        shown["slashed so far"] = human.money(node.slashed, "IO")
    for number, risk in enumerate(found.risks, 1):
        shown[f"could lose {number}"] = f"{human.money(risk.io, 'IO')} for {risk.what}"
    for number, leaving in enumerate(found.exits, 1):
        when = "now" if leaving.at <= found.now else human.moment(leaving.at, found.now)
        shown[f"leaving {number}"] = f"{human.money(leaving.amount, 'IO')} {when}; {leaving.why}"
    fees = f"{human.count(found.fee_days, 'day')} of proofs if it is always leased"
    shown["device's SOL"] = f"{human.money(found.lamports, 'SOL')}, enough for {fees}"
    return shown


def _indexer(found: Standing, heard: Heard | None, why: str) -> dict[str, str]:
    """What the indexer says, in words; without it, what is unknown."""
    if heard is None:
        return {"unknown": f"earnings today, kept intervals, score, isolation, whether it is online ({why})"}
    shown = {"earned today": _income(_today(heard, found.now))}
    proven, kept = (sum(getattr(day, name) for day in heard.days) for name in ("intervals_proven", "intervals_kept"))
    shown["intervals"] = f"{kept} kept of {proven} proven in {human.count(len(heard.days), 'day')}"
    score = heard.score
    halved = ", halved after a slash" if score.halved else ""
    parts = f"served {_share(score.served)}, less caution for {_share(score.deviation)} of deviation{halved}"
    shown["score"] = f"{_share(score.score)} ({parts}; {human.dollars(score.weight)} of fees behind it)"
    shown["time score"] = f"{_share(score.time_score)} of the last 30 days online"
    if heard.advert is None:
        shown["online"] = "no: the indexer has no valid advert of its agent"
        return shown
    places = ", ".join([*heard.advert.endpoints, *(f"relay {place}" for place in heard.advert.relays)])
    shown["online"] = f"{'yes' if heard.advert.online else 'no'}, at {places or 'no address'}"
    shown["bandwidth"] = _bandwidth(heard.advert.bandwidth, found.now)
    shown["isolation"] = f"{heard.advert.isolation}, as its agent says"
    shown["a lease gets"] = _limits(heard.advert.limits)
    return shown


def _limits(given: Limits | None) -> str:
    if given is None:
        return "its agent does not say"
    sizes = f"{given.memory_mib} MiB of memory, {given.disk_mib} MiB of disk"
    return f"{human.count(given.cpus, 'CPU')}, {sizes}, {given.processes:,} processes, as its agent says"


def _bandwidth(measured: Bandwidth | None, now: int) -> str:
    if measured is None:
        return "not measured: its agent does so with a relay that it names"
    rates = f"{measured.up_mbits} Mbit/s up, {measured.down_mbits} down"
    age = human.span(max(0, now - measured.at))
    return f"{rates}, measured with relay {measured.relay} {age} ago, as its agent says"


def _today(heard: Heard, now: int) -> Day | None:
    return next((day for day in heard.days if day.starts_at <= now < day.starts_at + _DAY), None)


def _income(day: Day | None) -> str:
    each = [] if day is None else [human.money(income.supplier, income.currency) for income in day.income]
    return f"{', '.join(each) or 'nothing settled'} (UTC, after fees)"


def _share(of_one: int) -> str:
    from ionet.rules.reputation import ONE

    return f"{of_one / ONE:.3f}"


def _raw(node: Pubkey, found: Standing, heard: Heard | None, why: str) -> dict[str, Any]:
    """Amounts as decimal strings of base units."""
    today = None if heard is None else _today(heard, found.now)
    return {
        "node": str(node),
        "hireable": not found.reasons,
        "reasons": [reason._asdict() for reason in found.reasons],
        "price": str(found.node.price),
        "earned": str(found.node.earned),
        "earned_io": str(found.node.earned_io),
        "leases_closed": found.node.leases_closed,
        "served_secs": found.node.served_secs,
        "missed_secs": found.node.missed_secs,
        "bonded": str(found.node.bonded.amount),
        "required_stake": str(found.needed),
        "counted_stake": str(found.counted),
        "slashed": str(found.node.slashed),
        "could_lose": [{"for": risk.what, "io_units": str(risk.io)} for risk in found.risks],
        "leaving": [{"io_units": str(each.amount), "at": each.at, "why": each.why} for each in found.exits],
        "device_lamports": str(found.lamports),
        "fee_days": found.fee_days,
        "today": None if today is None else _raw_day(today),
        "days": None if heard is None else [_raw_day(day) for day in heard.days],
        "score": None if heard is None else msgspec.to_builtins(heard.score),
        "advert": None if heard is None else msgspec.to_builtins(heard.advert),
        "unknown": why,
    }


def _raw_day(day: Day) -> dict[str, Any]:
    amounts = ("earned", "supplier", "to_stakers")
    income = [
        {"currency": each.currency, **{name: str(getattr(each, name)) for name in amounts}} for each in day.income
    ]
    return {**msgspec.to_builtins(day), "income": income}
