"""`ionet case`: accusations of nodes, which freeze their stake until they are decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.parsing import hash_of, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import AsUnsigned, run, submit
from ionet.errors import InvalidInput
from ionet.generated.enums import BPS, CaseReason
from ionet.words import word

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Accusations of nodes, which freeze their stake until they are decided.", no_args_is_help=True)

Case = Annotated[str, typer.Argument(help="Address of the case.")]


@app.command(name="list")
def list_cases(
    ctx: typer.Context,
    node: Annotated[str | None, typer.Option(help="Only against this node.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open cases, straight from the chain."""
    wanted = {"node": pubkey(node)} if node else {}

    async def work(client: Client) -> list[dict[str, Any]]:
        return [_fields(client, key, case) for key, case in await client.case.all(**wanted)]

    columns = ["address", "node", "accusation", "opened_at", "decide_from", "decide_by"]
    print_rows(run(ctx, work, wallet=False), columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, case: Case, as_json: AsJson = False) -> None:
    """One open case."""

    async def work(client: Client) -> dict[str, Any]:
        return _fields(client, pubkey(case), await client.case.get(pubkey(case)))

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


@app.command(name="open")
def open_case(
    ctx: typer.Context,
    node: Annotated[str, typer.Argument(help="Address of the node.")],
    reason: Annotated[str, typer.Option(help="false-hardware, false-proofs, data-theft or other.")],
    evidence: Annotated[str, typer.Option(help="File with the evidence, or its sha256 in hex.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Accuse a node and freeze its stake; arbiter."""
    digest = hash_of(evidence)
    submit(ctx, lambda client: client.case.open(pubkey(node), reason, digest), as_json=as_json, unsigned=unsigned)


@app.command()
def appeal(
    ctx: typer.Context,
    case: Case,
    answer: Annotated[str, typer.Option(help="File with the answer, or its sha256 in hex.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Answer a case, once; node owner. From then on it can be decided."""
    digest = hash_of(answer)
    submit(ctx, lambda client: client.case.appeal(pubkey(case), digest), as_json=as_json, unsigned=unsigned)


@app.command()
def decide(
    ctx: typer.Context,
    case: Case,
    bps: Annotated[int, typer.Option(help="Part of the node's stake that is burned, basis points; 0 acquits.")],
    block: Annotated[bool, typer.Option("--block/--no-block", help="Whether the node may take new leases.")] = False,
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Decide a case; arbiter."""
    if not 0 <= bps <= BPS:
        raise InvalidInput(f"{bps} is no number of basis points")
    submit(
        ctx, lambda client: client.case.decide(pubkey(case), bps=bps, blocked=block), as_json=as_json, unsigned=unsigned
    )


@app.command()
def dismiss(ctx: typer.Context, case: Case, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """End a case that was not decided in time; anyone may."""
    submit(ctx, lambda client: client.case.dismiss(pubkey(case)), as_json=as_json, unsigned=unsigned)


def _fields(client: Client, key: Any, case: Any) -> dict[str, Any]:
    return {**account_fields(client, key, case), "accusation": word(CaseReason, case.reason)}
