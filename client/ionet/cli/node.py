"""`ionet node`: machines that can be rented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli.parsing import amount, pubkey, tokens
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import Sending, run, transaction
from ionet.generated.enums import Currency
from ionet.words import parse

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.client import Client
    from ionet.generated.types import NodeTerms
    from ionet.wallet import KeypairSigner

app = typer.Typer(help="Machines that can be rented.", no_args_is_help=True)

Node = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the node.")]
Device = Annotated[str, typer.Option(help="Keypair file of the machine's own key.")]
Price = Annotated[str, typer.Option(help="Dollars per processor-hour.")]
MinDuration = Annotated[int, typer.Option(help="Shortest lease, seconds.")]
MaxDuration = Annotated[int, typer.Option(help="Longest lease, seconds.")]
Country = Annotated[int, typer.Option(help="ISO 3166-1 numeric code.")]
Region = Annotated[int, typer.Option(help="Region number.")]
Accepted = Annotated[list[str] | None, typer.Option(help="Accepted currency; repeatable; by default IOSD.")]
Payout = Annotated[str | None, typer.Option(help="Wallet to be paid; by default yours.")]
FeePayer = Annotated[str | None, typer.Option(help="Wallet that pays the agent's transaction fees; by default yours.")]
Coverage = Annotated[int, typer.Option(help="IO backing per IOSD that you insist on, in basis points; 0 for none.")]


@app.command(name="list")
def list_nodes(
    ctx: typer.Context,
    owner: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this owner.")] = None,
    model: Annotated[int | None, typer.Option(help="Only those of this device model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Registered nodes, straight from the chain."""
    wanted: dict[str, Any] = {} if owner is None else {"owner": owner}
    if model is not None:
        wanted["model"] = model

    async def work(client: Client) -> list[dict[str, Any]]:
        return [account_fields(client, key, node) for key, node in await client.node.all(**wanted)]

    columns = ["address", "model", "processors", "price", "country", "flags", "current_lease"]
    print_rows(run(ctx, work, wallet=False), columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, node: Node, as_json: AsJson = False) -> None:
    """One node with its terms and stake."""

    async def work(client: Client) -> dict[str, Any]:
        found = await client.node.get(node)
        needed = await client.node.required_stake(found.model, found.processors)
        fields = account_fields(client, node, found)
        return {**fields, "required_stake": str(needed), "staked_enough": found.bonded.amount >= needed}

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


@app.command()
def required_stake(ctx: typer.Context, model: int, processors: int, as_json: AsJson = False) -> None:
    """IO that a node of a device model must have bonded."""

    async def work(client: Client) -> dict[str, Any]:
        units = await client.node.required_stake(model, processors)
        return {"model": model, "processors": processors, "io": tokens(units, "IO"), "io_units": str(units)}

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


@transaction(app)
def register(
    device: Device,
    model: Annotated[int, typer.Option(help="Code of the device model.")],
    processors: Annotated[int, typer.Option(help="1 to 8.")],
    price: Price,
    country: Country,
    min_duration: MinDuration = 3600,
    max_duration: MaxDuration = 30 * 86400,
    region: Region = 0,
    currency: Accepted = None,
    payout: Payout = None,
    fee_payer: FeePayer = None,
    min_coverage_bps: Coverage = 0,
) -> Sending:
    """Register a machine under its own key."""
    signer = _device(device)
    options = (price, country, min_duration, max_duration, region, currency, payout, fee_payer, min_coverage_bps)
    return lambda client: client.node.register(
        signer, model_code=model, processors=processors, terms=_terms(client.address, *options)
    )


@transaction(app)
def update(
    node: Node,
    price: Price,
    country: Country,
    min_duration: MinDuration = 3600,
    max_duration: MaxDuration = 30 * 86400,
    region: Region = 0,
    currency: Accepted = None,
    payout: Payout = None,
    fee_payer: FeePayer = None,
    min_coverage_bps: Coverage = 0,
) -> Sending:
    """Replace a node's terms; running leases keep theirs."""
    options = (price, country, min_duration, max_duration, region, currency, payout, fee_payer, min_coverage_bps)
    return lambda client: client.node.update(node, _terms(client.address, *options))


@transaction(app)
def pause(node: Node) -> Sending:
    """Take no new leases; a running one is not affected."""
    return lambda client: client.node.pause(node)


@transaction(app)
def resume(node: Node) -> Sending:
    """Take new leases again."""
    return lambda client: client.node.pause(node, paused=False)


@transaction(app, name="return")
def come_back(node: Node) -> Sending:
    """Say that a node which was not ready in time is there again; node owner or device key. Its agent does this."""
    return lambda client: client.node.come_back(node)


@transaction(app)
def lock_payout(
    node: Node,
    beneficiary: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Wallet that is paid, and may end the lock.")],
    until: Annotated[int, typer.Option(help="End of the lock, unix seconds; at most 1,200 days from now.")],
) -> Sending:
    """Pay a node's income to a wallet that alone can end this before its time; node owner."""
    return lambda client: client.node.lock_payout(node, beneficiary, until)


@transaction(app)
def release_payout(node: Node) -> Sending:
    """End the lock of a node's payout; the wallet that it is locked to."""
    return lambda client: client.node.release_payout(node)


@transaction(app)
def rotate_key(node: Node, device: Device) -> Sending:
    """Replace the key that signs readiness and proofs."""
    signer = _device(device)
    return lambda client: client.node.rotate_device_key(node, signer)


@transaction(app)
def retire(node: Node) -> Sending:
    """Leave the market for good; your stake starts to unbond."""
    return lambda client: client.node.retire(node)


def _device(file: str) -> KeypairSigner:
    from ionet.wallet import KeypairSigner, read_keypair

    return KeypairSigner(read_keypair(file))


def _terms(
    wallet: Pubkey,
    price: str,
    country: int,
    min_duration: int,
    max_duration: int,
    region: int,
    currency: list[str] | None,
    payout: str | None,
    fee_payer: str | None,
    min_coverage_bps: int,
) -> NodeTerms:
    from ionet.generated.types import NodeTerms

    names = currency or ["IOSD"]
    return NodeTerms(
        price=amount(price, "IOSD"),
        min_coverage_bps=min_coverage_bps,
        min_duration=min_duration,
        max_duration=max_duration,
        payout=pubkey(payout) if payout else wallet,
        fee_payer=pubkey(fee_payer) if fee_payer else wallet,
        country=country,
        currencies=sum(parse(Currency, name, "currency") for name in set(names)),
        region=region,
    )
