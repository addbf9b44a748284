"""`ionet stake nodes`: nodes to stake to, ranked by what stake in them earned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from ionet.cli import human
from ionet.cli.printing import AsJson, print_json, print_rows, say
from ionet.cli.session import ask
from ionet.generated.enums import BPS

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.node_report import Founded
    from ionet.stake_report import Ranked

Api = Annotated[str, typer.Option(envvar="IONET_API", help="URL of an indexer.")]
_COLUMNS = (
    "address",
    "model",
    "yield",
    "income share",
    "reward share",
    "income",
    "counts",
    "score",
    "own",
    "others",
    "room",
)


def nodes(ctx: typer.Context, api: Api = "http://127.0.0.1:8080", as_json: AsJson = False) -> None:
    """Nodes that take others' stake, by projected yield, with what they earned and how they served."""

    async def work(client: Client) -> tuple[list[Ranked], str, dict[int, str]]:
        from ionet.stake_report import ranked

        return *await ranked(client, api), await client.network.model_names()

    from ionet.stake_report import DEFINITION

    rows, why, names = ask(ctx, work)
    if as_json:
        print_json({"yield": DEFINITION, "unknown": why, "nodes": [_raw(row) for row in rows]})
        return
    if not rows:
        say("no node takes others' stake now: owners offer it with `ionet stake terms`")
        return
    print_rows([_shown(row, names) for row in rows], [*_COLUMNS, "slashed", "state"], as_json=False)
    say(DEFINITION)
    if why:
        say(f"income, score and yield are unknown: {why}")


def _shown(row: Ranked, names: dict[int, str]) -> dict[str, str]:
    from ionet.rules.reputation import ONE

    income = None if row.income is None else [human.money(units, name) for name, units in row.income.items() if units]
    return {
        "address": str(row.address),
        "model": f"{row.node.processors} x {names.get(row.node.model, row.node.model)}",
        "yield": "unknown" if row.yield_bps is None else human.percent(row.yield_bps),
        "income share": human.percent(row.income_share),
        "reward share": human.percent(row.reward_share),
        "income": "unknown" if income is None else ", ".join(income) or "none",
        "counts": "unknown" if row.counted is None else human.percent(row.counted * BPS // ONE),
        "score": "unknown" if row.score is None else f"{row.score.score / ONE:.3f}",
        "own": human.money(row.own, "IO"),
        "others": human.money(row.others, "IO"),
        "room": human.money(row.room, "IO"),
        "slashed": human.money(row.node.slashed, "IO"),
        "state": row.state,
    }


def _without_records(score: Founded) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(score).items() if name != "records"}


def _raw(row: Ranked) -> dict[str, Any]:
    """Amounts as decimal strings of base units."""
    return {
        "node": str(row.address),
        "owner": str(row.node.owner),
        "model": row.node.model,
        "processors": row.node.processors,
        "yield_bps": row.yield_bps,
        "income_share_bps": row.income_share,
        "reward_share_bps": row.reward_share,
        "income": None if row.income is None else {name: str(units) for name, units in row.income.items()},
        "counted": row.counted,
        "score": None if row.score is None else _without_records(row.score),
        "own_io_units": str(row.own),
        "others_io_units": str(row.others),
        "room_io_units": str(row.room),
        "slashed_io_units": str(row.node.slashed),
        "state": row.state,
    }
