"""`ionet node register` and `ionet node update`: what an owner offers, and what of it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human
from ionet.cli.parsing import amount, pubkey
from ionet.cli.session import Asked, Preview, Sending, ask
from ionet.errors import InvalidInput
from ionet.generated.enums import Currency
from ionet.words import parse

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.wallet import KeypairSigner

T = TypeVar("T")

Node = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the node.")]
Device = Annotated[str, typer.Option(help="Keypair file of the machine's own key.")]
PRICE = typer.Option(help="Dollars per processor-hour.")
SHORTEST = typer.Option(metavar="DURATION", help="Shortest lease: seconds, or 90m, 1h, 2d.")
LONGEST = typer.Option(metavar="DURATION", help="Longest lease: seconds, or 90m, 1h, 2d.")
COUNTRY = typer.Option(help="Two letters or number of ISO 3166-1, such as DE or 276.")
REGION = typer.Option(help="Region number.")
CURRENCY = typer.Option(help="Accepted currency: IOSD, USDC or IO; repeatable.")
PAYOUT = typer.Option(help="Wallet to be paid; a new node pays yours if not given.")
FEE_PAYER = typer.Option(help="Wallet that pays the agent's transaction fees; of a new node yours if not given.")
COVERAGE = typer.Option(help="IO backing per IOSD that you insist on, such as 80%, or basis points; 0 for none.")
# Basis points: nobody insists on more backing than a thousand times what it is for.
_MOST_COVERAGE = 10_000_000

SHOWN: dict[str, Callable[[Any], str]] = {
    "price": human.hourly,
    "min_coverage_bps": human.percent,
    "min_duration": human.span,
    "max_duration": human.span,
    "payout": str,
    "fee_payer": str,
    "country": human.country,
    "currencies": human.currencies,
    "region": str,
}
"""How each of a node's terms is read."""


def register(
    ctx: typer.Context,
    device: Device,
    model: Annotated[str, typer.Option(help="Device model: its name or its code, see `ionet network models`.")],
    processors: Annotated[int, typer.Option(help="1 to 8.")],
    price: Annotated[str, PRICE],
    country: Annotated[str, COUNTRY],
    min_duration: Annotated[str, SHORTEST] = "1h",
    max_duration: Annotated[str, LONGEST] = "30d",
    region: Annotated[int, REGION] = 0,
    currency: Annotated[list[str] | None, CURRENCY] = None,
    payout: Annotated[str | None, PAYOUT] = None,
    fee_payer: Annotated[str | None, FEE_PAYER] = None,
    min_coverage: Annotated[str, COVERAGE] = "0",
) -> Sending:
    """Register a machine under its own key."""
    from ionet.generated.types import NodeTerms

    signer = read_device(device)
    terms = _named(
        price, country, min_duration, max_duration, region, currency or ["IOSD"], payout, fee_payer, min_coverage
    )
    code = ask(ctx, lambda client: client.network.model_code(model))
    return lambda client: client.node.register(
        signer,
        model_code=code,
        processors=processors,
        terms=NodeTerms(**{"payout": client.address, "fee_payer": client.address, **terms}),
    )


def update(
    node: Node,
    price: Annotated[str | None, PRICE] = None,
    country: Annotated[str | None, COUNTRY] = None,
    min_duration: Annotated[str | None, SHORTEST] = None,
    max_duration: Annotated[str | None, LONGEST] = None,
    region: Annotated[int | None, REGION] = None,
    currency: Annotated[list[str] | None, CURRENCY] = None,
    payout: Annotated[str | None, PAYOUT] = None,
    fee_payer: Annotated[str | None, FEE_PAYER] = None,
    min_coverage: Annotated[str | None, COVERAGE] = None,
) -> Asked:
    """Change the terms that are named, and no other; running leases keep theirs. Asks before the payout changes."""
    changes = _named(price, country, min_duration, max_duration, region, currency, payout, fee_payer, min_coverage)
    if not changes:
        raise InvalidInput("nothing to change: name at least one of the terms")

    async def look(client: Client) -> Preview:
        found = await client.node.get(node)
        lines = tuple(
            f"{name.removesuffix('_bps').replace('_', ' ')}: {SHOWN[name](getattr(found, name))} → {SHOWN[name](value)}"
            for name, value in changes.items()
        )
        moved = changes.get("payout", found.payout) != found.payout
        return Preview(lines, f"Pay this node's income to {changes['payout']}?" if moved else None)

    return Asked(lambda client: client.node.change(node, **changes), look)


def read_device(file: str) -> KeypairSigner:
    from ionet.wallet import KeypairSigner, read_keypair

    return KeypairSigner(read_keypair(file))


def _named(
    price: str | None,
    country: str | None,
    min_duration: str | None,
    max_duration: str | None,
    region: int | None,
    currency: list[str] | None,
    payout: str | None,
    fee_payer: str | None,
    min_coverage: str | None,
) -> dict[str, Any]:
    """Those of a node's terms that were given, by the names of `NodeTerms`."""
    given = {
        "price": _read(price, lambda text: amount(text, "dollars")),
        "country": _read(country, resolve.country),
        "min_duration": _read(min_duration, resolve.duration),
        "max_duration": _read(max_duration, resolve.duration),
        "region": region,
        "currencies": sum(parse(Currency, name, "currency") for name in set(currency)) if currency else None,
        "payout": _read(payout, pubkey),
        "fee_payer": _read(fee_payer, pubkey),
        "min_coverage_bps": _read(min_coverage, lambda text: resolve.share(text, most=_MOST_COVERAGE)),
    }
    return {name: value for name, value in given.items() if value is not None}


def _read(text: str | None, meaning: Callable[[str], T]) -> T | None:
    return None if text is None else meaning(text)
