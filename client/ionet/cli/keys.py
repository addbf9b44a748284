"""`ionet keys`: keypair files, balances, transfers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli.human import grouped
from ionet.cli.parsing import amount, pubkey, tokens
from ionet.cli.printing import AsJson, print_fields, print_receipts, waiting
from ionet.cli.session import Sending, ask, run, settings, transaction
from ionet.generated.enums import Currency
from ionet.words import parse, words

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.client import Client

app = typer.Typer(help="Keypair files, balances, transfers.", no_args_is_help=True)

Token = Annotated[str, typer.Argument(help="IO, IOSD or USDC.")]


@app.command()
def new(
    ctx: typer.Context,
    file: Annotated[str | None, typer.Argument(help="By default the file that commands use, see --keypair.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a keypair file that only you can read."""
    from solders.keypair import Keypair

    from ionet.wallet import write_keypair

    keypair, target = Keypair(), file or settings(ctx).keypair
    write_keypair(target, keypair)
    print_fields({"file": target, "address": str(keypair.pubkey())}, as_json=as_json)


@app.command()
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Print the address of the keypair in use."""
    from ionet.wallet import read_keypair

    options = settings(ctx)
    address = options.signer or str(read_keypair(options.keypair).pubkey())
    print_fields({"file": options.keypair, "address": address}, as_json=as_json)


@app.command()
def balance(
    ctx: typer.Context, address: Annotated[Pubkey | None, typer.Argument(parser=pubkey)] = None, as_json: AsJson = False
) -> None:
    """SOL, IO, IOSD and USDC of an address, by default your own, and what is owed to it."""

    async def work(client: Client) -> dict[str, Any]:
        owner = address or client.address
        units = {"SOL": await client.rpc.balance(owner)}
        owed = {}
        for name, mint in (await _mints(client)).items():
            units[name] = await client.tokens.balance(mint, owner)
            owed[name] = await client.owed.amount(mint, owner)
        left = {name: value for name, value in owed.items() if value}
        if as_json:
            held = {f"{name.lower()}_units": str(value) for name, value in units.items()}
            return {"address": str(owner), **held, "owed_units": {name: str(value) for name, value in left.items()}}
        held = {name: grouped(tokens(value, name)) for name, value in units.items()}
        return {"address": str(owner), **held, **{f"owed {name}": grouped(tokens(left[name], name)) for name in left}}

    print_fields(ask(ctx, work, wallet=address is None), as_json=as_json)


@app.command()
def airdrop(
    ctx: typer.Context, sol: Annotated[str, typer.Argument(help="Amount of SOL.")] = "1", as_json: AsJson = False
) -> None:
    """Ask the faucet of a test chain for SOL."""

    lamports = amount(sol, "SOL")

    async def work(client: Client) -> dict[str, Any]:
        with waiting("waiting for the faucet"):
            landed = await client.rpc.airdrop(client.address, lamports)
        return {"signature": str(landed.signature), "address": str(client.address), "sol": sol}

    print_fields(run(ctx, work), as_json=as_json)


@transaction(app)
def send(
    ctx: typer.Context,
    to: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Wallet to send to.")],
    quantity: Annotated[str, typer.Argument(help="Amount in tokens.")],
    token: Annotated[str, typer.Option(help="IO, IOSD or USDC.")] = "IO",
) -> Sending:
    """Send tokens to another wallet; its token account is created if it has none."""
    parse(Currency, token, "currency")
    target, units, mint = to, amount(quantity, token), _mint(ctx, token)
    return lambda client: client.tokens.transfer(mint, target, units)


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
        await print_receipts(client, [receipt], as_json=as_json)

    run(ctx, work, wallet=False)


@transaction(app)
def claim(
    ctx: typer.Context,
    token: Token,
    to: Annotated[
        Pubkey | None, typer.Option(parser=pubkey, help="Token account to receive it; by default your own.")
    ] = None,
) -> Sending:
    """Take what you were owed because your token account could not receive it."""
    mint, account = (_mint(ctx, token), to)
    return lambda client: client.owed.claim(mint, account)


@transaction(app)
def open_owed(
    ctx: typer.Context,
    token: Token,
    owner: Annotated[
        Pubkey | None, typer.Argument(parser=pubkey, help="Wallet whose payments it will hold; by default yours.")
    ] = None,
) -> Sending:
    """Create the account that holds what a wallet cannot receive; settling creates it when needed."""
    mint, wallet = (_mint(ctx, token), owner)
    return lambda client: client.owed.open(mint, wallet)


def _mint(ctx: typer.Context, token: str) -> Pubkey:
    """The mint of a currency on the chain. Raises InvalidInput for an unknown name."""
    parse(Currency, token, "currency")
    return ask(ctx, lambda client: client.network.mint(token))


async def _mints(client: Client) -> dict[str, Pubkey]:
    """The mints by name; before there is a network nobody knows which USDC will be."""
    from ionet.errors import NotFound

    try:
        return {name: await client.network.mint(name) for name in words(Currency)}
    except NotFound:
        return {}
