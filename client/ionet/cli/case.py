"""`ionet case`: accusations of nodes, which freeze their stake until they are decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human
from ionet.cli.parsing import hash_of, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import Asked, Sending, ask, asking, transaction
from ionet.cli.views import view
from ionet.generated.enums import CaseReason
from ionet.words import word

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Accusations against nodes; each freezes the stake until it is decided.", no_args_is_help=True)

Case = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the case.")]


@app.command(name="list")
def list_cases(
    ctx: typer.Context,
    node: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those against this node.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open cases, straight from the chain."""
    wanted = {"node": node} if node else {}

    async def work(client: Client) -> list[dict[str, Any]]:
        return [_fields(client, key, case) for key, case in await client.case.all(**wanted)]

    columns = ["address", "node", "accusation", "opened_at", "decide_from", "decide_by"]
    rows = ask(ctx, work)
    print_rows(rows if as_json else [view("Case", row) for row in rows], columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, case: Case, as_json: AsJson = False) -> None:
    """One open case."""

    async def work(client: Client) -> dict[str, Any]:
        return _fields(client, case, await client.case.get(case))

    fields = ask(ctx, work)
    print_fields(fields if as_json else view("Case", fields), as_json=as_json)


@transaction(app, name="open")
def open_case(
    node: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the node.")],
    reason: Annotated[str, typer.Option(help="false-hardware, false-proofs, data-theft or other.")],
    evidence: Annotated[str, typer.Option(help="File with the evidence, or its sha256 in hex.")],
) -> Sending:
    """Accuse a node and freeze its stake; arbiter."""
    digest = hash_of(evidence)
    return lambda client: client.case.open(node, reason, digest)


@transaction(app)
def appeal(
    case: Case, answer: Annotated[str, typer.Option(help="File with the answer, or its sha256 in hex.")]
) -> Sending:
    """Answer a case, once; node owner. From then on it can be decided."""
    digest = hash_of(answer)
    return lambda client: client.case.appeal(case, digest)


@transaction(app, asks=True)
def decide(
    case: Case,
    bps: Annotated[str, typer.Option(help="Share of the node's stake to burn: 5%, or basis points; 0 acquits.")],
    block: Annotated[
        bool | None,
        typer.Option("--block/--no-block", help="Whether the node may take no new leases; by default as it is."),
    ] = None,
) -> Asked:
    """Decide a case; arbiter."""
    points = resolve.share(bps)
    verdict = f"burn {human.percent(points)} of the node's stake" if points else "acquit the node"
    blocking = "" if block is None else f", {'block' if block else 'unblock'} it"
    plan = lambda client: client.case.decide(case, bps=points, blocked=block)  # noqa: E731
    return asking(plan, f"Decide this case for good and {verdict}{blocking}?")


@transaction(app)
def dismiss(case: Case) -> Sending:
    """End a case that was not decided in time; anyone may."""
    return lambda client: client.case.dismiss(case)


def _fields(client: Client, key: Any, case: Any) -> dict[str, Any]:
    return {**account_fields(client, key, case), "accusation": word(CaseReason, case.reason)}
