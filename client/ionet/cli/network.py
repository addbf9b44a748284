"""`ionet network`: parameters, device models, pause bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.context import (
    AsJson,
    AsUnsigned,
    account_fields,
    hash32,
    print_fields,
    print_receipts,
    print_rows,
    pubkey,
    run,
    submit,
    waiting,
)
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Parameters, device models, pause bits.", no_args_is_help=True)

PAUSABLE = {"register_node": 1, "open_cluster": 2, "add_lease": 4, "extend_lease": 8, "mint_iosd": 16}


@app.command()
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Roles, mints and parameters."""

    async def work(client: Client) -> dict[str, Any]:
        return account_fields(client, client.network.address, await client.network.get())

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


@app.command()
def init(
    ctx: typer.Context,
    genesis_owner: Annotated[str, typer.Option(help="Wallet that gets the first IO; not the authority itself.")],
    profile: Annotated[str, typer.Option(help="local or mainnet.")] = "local",
    usdc_mint: Annotated[str | None, typer.Option(help="USDC mint; a stand-in is created if not given.")] = None,
    feed_id: Annotated[str | None, typer.Option(help="Pyth feed of IO/USD, 32 bytes in hex.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create the network, its vaults and the known device models. You must be the program's upgrade authority."""
    from ionet.api.network import LOCAL_FEED_ID

    if profile == "mainnet" and (usdc_mint is None or feed_id is None):
        raise InvalidInput("the mainnet profile needs --usdc-mint and --feed-id")

    async def work(client: Client) -> None:
        with waiting("creating the network"):
            receipts = await client.network.bootstrap(
                genesis_owner=pubkey(genesis_owner),
                profile=profile,
                feed_id=hash32(feed_id) if feed_id else LOCAL_FEED_ID,
                usdc_mint=pubkey(usdc_mint) if usdc_mint else None,
            )
        print_receipts(client, receipts, as_json=as_json)

    run(ctx, work)


@app.command()
def models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Device models that can be registered."""

    async def work(client: Client) -> list[dict[str, Any]]:
        rows = []
        for key, model in await client.network.models():
            fields = account_fields(client, key, model)
            rows.append({**fields, "name": model.name.rstrip(b"\0").decode(errors="replace")})
        return rows

    print_rows(
        run(ctx, work, wallet=False),
        ["code", "name", "multiplier", "kind", "pool", "enabled", "address"],
        as_json=as_json,
    )


@app.command()
def add_model(
    ctx: typer.Context,
    code: Annotated[int, typer.Argument(help="Number of the model, up to 65535.")],
    name: Annotated[str, typer.Argument(help="At most 32 bytes.")],
    multiplier: Annotated[int, typer.Option(help="Earning multiplier times 100.")],
    kind: Annotated[int, typer.Option(help="0 GPU, 1 CPU.")] = 0,
    pool: Annotated[int, typer.Option(help="0 enterprise, 1 community.")] = 1,
    throughput: Annotated[int, typer.Option(help="Work units per second; 0 if unknown.")] = 0,
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Add a device model; network authority."""
    from ionet.api.network import Model

    model = Model(code, name, kind, pool, multiplier, throughput)
    submit(ctx, lambda client: client.network.register_model(model), as_json=as_json, unsigned=unsigned)


@app.command()
def pause(
    ctx: typer.Context,
    entries: Annotated[list[str] | None, typer.Argument(help="Entries to pause; none resumes everything.")] = None,
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Set which entries are paused; pauser or authority. Exits cannot be paused."""
    unknown = [entry for entry in entries or () if entry not in PAUSABLE]
    if unknown:
        raise InvalidInput(f"{', '.join(unknown)} cannot be paused; pausable are {', '.join(PAUSABLE)}")
    bits = sum(PAUSABLE[entry] for entry in set(entries or ()))
    submit(ctx, lambda client: client.network.set_pause(bits), as_json=as_json, unsigned=unsigned)


@app.command()
def burn(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(help="IO or IOSD.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Burn what waits in a burn vault; anyone may."""
    from ionet.cli.keys import mints_of

    if token not in ("IO", "IOSD"):
        raise InvalidInput(f"token {token!r}; known are IO, IOSD")
    submit(ctx, lambda client: client.network.burn(mints_of(client)[token]), as_json=as_json, unsigned=unsigned)
