"""`ionet keys`: keypair files, balances, transfers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.context import (
    AsJson,
    AsUnsigned,
    amount,
    print_fields,
    print_receipts,
    pubkey,
    run,
    settings,
    submit,
    tokens,
    waiting,
)
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.client import Client

app = typer.Typer(help="Keypair files, balances, transfers.", no_args_is_help=True)


@app.command()
def new(file: str, as_json: AsJson = False) -> None:
    """Create a keypair file that only you can read."""
    from solders.keypair import Keypair

    from ionet.wallet import write_keypair

    keypair = Keypair()
    write_keypair(file, keypair)
    print_fields({"file": file, "address": str(keypair.pubkey())}, as_json=as_json)


@app.command()
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Print the address of the keypair in use."""
    from ionet.wallet import read_keypair

    options = settings(ctx)
    address = options.signer or str(read_keypair(options.keypair).pubkey())
    print_fields({"file": options.keypair, "address": address}, as_json=as_json)


@app.command()
def balance(
    ctx: typer.Context, address: Annotated[str | None, typer.Argument()] = None, as_json: AsJson = False
) -> None:
    """SOL, IO and IOSD of an address, by default your own."""

    async def work(client: Client) -> dict[str, Any]:
        owner = pubkey(address) if address else client.address
        mints = mints_of(client)
        units = {"SOL": await client.rpc.balance(owner)}
        for name, mint in mints.items():
            units[name] = await client.tokens.balance(mint, owner)
        if as_json:
            return {"address": str(owner)} | {f"{name.lower()}_units": str(value) for name, value in units.items()}
        return {"address": str(owner)} | {name: tokens(value, name) for name, value in units.items()}

    print_fields(run(ctx, work, wallet=address is None), as_json=as_json)


@app.command()
def airdrop(
    ctx: typer.Context, sol: Annotated[str, typer.Argument(help="Amount of SOL.")] = "1", as_json: AsJson = False
) -> None:
    """Ask the faucet of a test chain for SOL."""

    async def work(client: Client) -> dict[str, Any]:
        with waiting("waiting for the faucet"):
            landed = await client.rpc.airdrop(client.address, amount(sol, "SOL"))
        return {"signature": str(landed.signature), "address": str(client.address), "sol": sol}

    print_fields(run(ctx, work), as_json=as_json)


@app.command()
def send(
    ctx: typer.Context,
    to: Annotated[str, typer.Argument(help="Wallet that receives.")],
    quantity: Annotated[str, typer.Argument(help="Amount in tokens.")],
    token: Annotated[str, typer.Option(help="IO or IOSD.")] = "IO",
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Send IO or IOSD to another wallet; its token account is created if need be."""
    if token not in ("IO", "IOSD"):
        raise InvalidInput(f"token {token!r}; known are IO, IOSD")
    target, units = pubkey(to), amount(quantity, token)
    submit(
        ctx,
        lambda client: client.tokens.transfer(mints_of(client)[token], target, units),
        as_json=as_json,
        unsigned=unsigned,
    )


@app.command(name="submit")
def submit_signed(
    ctx: typer.Context,
    transaction: Annotated[str, typer.Argument(help="Signed transaction in base64; - reads it from stdin.")],
    as_json: AsJson = False,
) -> None:
    """Send a transaction that another wallet has signed, as --unsigned printed it."""
    text = sys.stdin.read().strip() if transaction == "-" else transaction

    async def work(client: Client) -> None:
        with waiting("waiting for the chain"):
            receipt = await client.submit(text)
        print_receipts(client, [receipt], as_json=as_json)

    run(ctx, work, wallet=False)


def mints_of(client: Client) -> dict[str, Pubkey]:
    """The network's own mints by name."""
    from ionet import pda

    return {"IO": pda.io_mint(client.program.id), "IOSD": pda.iosd_mint(client.program.id)}
