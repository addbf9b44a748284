"""`ionet iosd`: mint IOSD by burning IO, redeem it; prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.parsing import amount, pubkey, tokens
from ionet.cli.printing import AsJson, account_fields, print_fields
from ionet.cli.session import Sending, ask, transaction
from ionet.cli.views import view
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.client import Client

app = typer.Typer(help="Mint IOSD by burning IO, redeem it; prices.", no_args_is_help=True)

Io = Annotated[str, typer.Argument(help="Amount of IO.")]
Iosd = Annotated[str, typer.Argument(help="Amount of IOSD.")]
PriceUpdate = Annotated[str | None, typer.Option(help="Pyth price account; by default the newest.")]


@app.command()
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The books: minted, burned, redeemed."""

    async def work(client: Client) -> dict[str, Any]:
        books = await client.iosd.books()
        supply = books.minted - books.redeemed - books.fee_burned
        fields = account_fields(client, client.iosd.address, books)
        return {**fields, "supply": str(supply), "backing_io": str(books.io_burned - books.io_redeemed)}

    fields = ask(ctx, work)
    print_fields(fields if as_json else view("Iosd", fields), as_json=as_json)


@app.command()
def price(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The newest price of IO."""

    async def work(client: Client) -> dict[str, Any]:
        network = await client.network.get()
        found = await client.oracle.latest(network.feed_id)
        return {
            "account": str(found.account),
            "dollars": _dollars(found.price, found.exponent),
            "confidence": _dollars(found.conf, found.exponent),
            "average": _dollars(found.ema_price, found.exponent),
            "publish_time": found.publish_time,
        }

    fields = ask(ctx, work)
    shown = {
        **{name: str(value) for name, value in fields.items()},
        "publish_time": human.moment(fields["publish_time"]),
    }
    shown |= {name: f"${Decimal(fields[name]).normalize():f}" for name in ("dollars", "confidence", "average")}
    print_fields(fields if as_json else shown, as_json=as_json)


@app.command()
def quote(ctx: typer.Context, io: Io, as_json: AsJson = False) -> None:
    """IOSD that burning this much IO would mint now."""

    burned = amount(io, "IO")

    async def work(client: Client) -> dict[str, Any]:
        units = await client.iosd.quote(burned)
        return {"io": io, "iosd": tokens(units, "IOSD"), "iosd_units": str(units)}

    _print_quote(ask(ctx, work), "io", "iosd", as_json=as_json)


@transaction(app)
def mint(
    io: Io,
    minimum: Annotated[str | None, typer.Option(help="Least IOSD to accept; by default the quote less 1 %.")] = None,
    price_update: PriceUpdate = None,
) -> Sending:
    """Burn IO and get what it is worth in IOSD."""
    units = amount(io, "IO")
    least = amount(minimum, "IOSD") if minimum else None
    account = _given(price_update)
    return lambda client: client.iosd.mint(units, min_iosd=least, price_update=account)


@transaction(app)
def mint_exact(
    iosd: Iosd,
    maximum: Annotated[str | None, typer.Option(help="Most IO to burn; by default the quote plus 1 %.")] = None,
    price_update: PriceUpdate = None,
) -> Sending:
    """Get exactly this much IOSD for as much IO as that takes."""
    units = amount(iosd, "IOSD")
    most = amount(maximum, "IO") if maximum else None
    account = _given(price_update)
    return lambda client: client.iosd.mint_exact(units, max_io=most, price_update=account)


@app.command()
def quote_redeem(ctx: typer.Context, iosd: Iosd, as_json: AsJson = False) -> None:
    """IO that redeeming this much IOSD would give now, at most its part of the backing."""

    burned = amount(iosd, "IOSD")

    async def work(client: Client) -> dict[str, Any]:
        units = await client.iosd.quote_redeem(burned)
        return {"iosd": iosd, "io": tokens(units, "IO"), "io_units": str(units)}

    _print_quote(ask(ctx, work), "iosd", "io", as_json=as_json)


@transaction(app)
def redeem(
    iosd: Iosd,
    minimum: Annotated[str | None, typer.Option(help="Least IO to accept; by default the quote less 1 %.")] = None,
    price_update: PriceUpdate = None,
    last_rate: Annotated[bool, typer.Option(help="Use the last price seen, if there has been none for a day.")] = False,
) -> Sending:
    """Burn IOSD for the IO it is worth, at most its part of the backing."""
    units = amount(iosd, "IOSD")
    least = amount(minimum, "IO") if minimum else None
    account = _given(price_update)
    return lambda client: client.iosd.redeem(units, min_io=least, price_update=account, last_rate=last_rate)


@transaction(app)
def refresh(price_update: PriceUpdate = None) -> Sending:
    """Report the present price to the program; anyone may."""
    account = _given(price_update)
    return lambda client: client.iosd.refresh(price_update=account)


@transaction(app)
def buyback(
    io: Io,
    minimum: Annotated[str | None, typer.Option(help="Least USDC to accept; by default the quote less 1 %.")] = None,
    price_update: PriceUpdate = None,
) -> Sending:
    """Sell IO for the USDC that fees brought in; the IO is burned."""
    units = amount(io, "IO")
    least = amount(minimum, "USDC") if minimum else None
    account = _given(price_update)
    return lambda client: client.iosd.buyback(units, min_usdc=least, price_update=account)


@transaction(app)
def post_price(
    dollars: Annotated[str, typer.Argument(help="Dollars per IO.")],
    confidence: Annotated[str, typer.Option(help="Half width of the confidence interval, in dollars.")] = "0",
) -> Sending:
    """Post a price of IO; on local chains only, where a small program stands in for Pyth's."""
    from ionet.api.network import LOCAL_FEED_ID

    value, conf = (_mantissa(dollars), _mantissa(confidence))
    return lambda client: client.oracle.post(LOCAL_FEED_ID, value, conf=conf)


def _print_quote(fields: dict[str, str], burned: str, gives: str, *, as_json: bool) -> None:
    shown = {
        name: f"{human.grouped(fields[name])} {token.upper()}" for name, token in ((burned, burned), (gives, gives))
    }
    print_fields(fields if as_json else {"you burn": shown[burned], "you get": shown[gives]}, as_json=as_json)


def _given(account: str | None) -> Pubkey | None:
    return pubkey(account) if account else None


def _mantissa(text: str) -> int:
    # Eight decimals, as `oracle.post` posts by default; IO has as many.
    try:
        return amount(text, "IO")
    except InvalidInput:
        raise InvalidInput(f"{text!r} is no amount of dollars with at most eight decimals") from None


def _dollars(mantissa: int, exponent: int) -> str:
    return f"{Decimal(mantissa).scaleb(exponent):f}"
