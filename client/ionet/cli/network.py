"""`ionet network`: parameters, roles, device models, pause bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli import changed, human
from ionet.cli.parsing import amount, hash32, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_receipts, print_rows, waiting
from ionet.cli.session import Asked, Preview, Sending, ask, run, transaction
from ionet.cli.views import view
from ionet.errors import InvalidInput
from ionet.generated.enums import DeviceKind, DevicePool, NetworkRole, Pause
from ionet.generated.types import Params
from ionet.resolve import near
from ionet.words import parse, word, words

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.generated.accounts import Network

app = typer.Typer(help="Parameters, roles, device models, pause bits.", no_args_is_help=True)

# Said in other lines of `network show`.
_NOT_ROLES = {
    "params",
    "pending",
    "pause_bits",
    *("pending_role", "pending_value", "pending_authority", "pending_role_at"),
}
Code = Annotated[str, typer.Argument(help="Device model: 4090, or its code.")]


@app.command()
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Roles, mints and parameters."""

    async def work(client: Client) -> dict[str, Any]:
        return account_fields(client, client.network.address, await client.network.get())

    fields = ask(ctx, work)
    print_fields(fields if as_json else _shown(fields), as_json=as_json)


@app.command()
def init(
    ctx: typer.Context,
    genesis_owner: Annotated[Pubkey, typer.Option(parser=pubkey, help="Wallet that receives the genesis IO.")],
    profile: Annotated[str, typer.Option(help="local or mainnet.")] = "local",
    usdc_mint: Annotated[
        Pubkey | None, typer.Option(parser=pubkey, help="USDC mint; a stand-in is created if not given.")
    ] = None,
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
                genesis_owner=genesis_owner,
                profile=profile,
                feed_id=hash32(feed_id) if feed_id else LOCAL_FEED_ID,
                usdc_mint=usdc_mint,
            )
        await print_receipts(client, receipts, as_json=as_json)

    run(ctx, work)


@app.command()
def models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Device models that can be registered."""

    async def work(client: Client) -> list[dict[str, Any]]:
        from ionet.api.network import model_name

        rows = []
        for key, model in await client.network.models():
            fields = account_fields(client, key, model)
            rows.append({**fields, "name": model_name(model)})
        return rows

    rows = ask(ctx, work)
    columns = ["code", "name", "multiplier", "kind", "pool", "reference_price", "enabled"]
    print_rows(rows if as_json else [_shown_model(row) for row in rows], columns, as_json=as_json)


@transaction(app)
def add_model(
    code: Annotated[int, typer.Argument(help="Number of the model, up to 65535.")],
    name: Annotated[str, typer.Argument(help="At most 32 bytes.")],
    multiplier: Annotated[int, typer.Option(help="Earning multiplier times 100.")],
    kind: Annotated[str, typer.Option(help="gpu or cpu.")] = "gpu",
    pool: Annotated[str, typer.Option(help="enterprise or community.")] = "community",
    throughput: Annotated[int, typer.Option(help="Work units per second; 0 if unknown.")] = 0,
    reference_price: Annotated[str, typer.Option(help="Dollars per processor-hour; 0 if not set.")] = "0",
) -> Sending:
    """Add a device model; network authority."""
    from ionet.api.network import Model

    numbers = parse(DeviceKind, kind, "kind"), parse(DevicePool, pool, "pool")
    model = Model(code, name, *numbers, multiplier, throughput, amount(reference_price, "dollars"))
    return lambda client: client.network.register_model(model)


@transaction(app)
def enable_model(ctx: typer.Context, code: Code) -> Sending:
    """Allow new leases of a device model again; network authority."""
    number = _code(ctx, code)
    return lambda client: client.network.set_model(number, enabled=True)


@transaction(app)
def disable_model(ctx: typer.Context, code: Code) -> Sending:
    """Stop new leases and extensions of a device model; network authority. Running leases are not affected."""
    number = _code(ctx, code)
    return lambda client: client.network.set_model(number, enabled=False)


@transaction(app)
def propose_model(
    ctx: typer.Context,
    code: Code,
    changes: Annotated[
        list[str], typer.Argument(help="NAME=VALUE of pool, multiplier, throughput or reference_price (in dollars).")
    ],
) -> Asked:
    """Change a device model's terms, after as long as stake takes to leave; network authority."""
    wanted = dict(changed.term(text) for text in changes)
    number = _code(ctx, code)

    async def look(client: Client) -> Preview:
        from ionet.generated.accounts import DeviceModel
        from ionet.generated.pdas import model

        found = await client.fetch(DeviceModel, model(client.program.id, number))
        return changed.preview("DeviceModel", found, wanted)

    return Asked(lambda client: client.network.propose_model(number, **wanted), look)


@transaction(app)
def apply_model(ctx: typer.Context, code: Code) -> Sending:
    """Put a device model's new terms into effect once they are due; anyone may."""
    number = _code(ctx, code)
    return lambda client: client.network.apply_model(number)


@transaction(app)
def propose(
    changes: Annotated[
        list[str], typer.Argument(help="NAME=VALUE, as `network show` names parameters: interval=5s, spread=0.5%.")
    ],
) -> Asked:
    """Change parameters after their wait; network authority. Booked leases keep theirs. Adds to a pending proposal."""
    wanted = dict(changed.parameter(text) for text in changes)

    async def look(client: Client) -> Preview:
        found = await client.network.get()
        base = found.pending if found.pending_effective_at else found.params
        return changed.preview("Params", base, wanted)

    return Asked(lambda client: client.network.propose_params(**wanted), look)


@transaction(app)
def propose_role(
    role: Annotated[str, typer.Argument(help="authority, pauser, arbiter or feed.")],
    holder: Annotated[str, typer.Argument(help="Address of the new holder; for the feed 32 bytes in hex.")],
) -> Sending:
    """Name a new holder of a role, or a new price feed, after its wait; network authority."""
    value = hash32(holder) if role == "feed" else bytes(pubkey(holder))
    return lambda client: client.network.propose_role(role, value)


@app.command()
def pending(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Pending proposals, and when they can be applied."""

    async def work(client: Client) -> list[dict[str, Any]]:
        network = await client.network.get()
        rows = []
        if network.pending_effective_at:
            shown = client.program.codec.show(network)
            now, then = shown["params"], shown["pending"]
            names = [name for name in now if now[name] != then[name]]
            due = network.pending_effective_at
            rows += [{"what": name, "now": now[name], "proposed": then[name], "due": str(due)} for name in names]
        for role, number in words(NetworkRole).items():
            if number == network.pending_role:
                held = network.feed_id.hex() if role == "feed" else str(getattr(network, role))
                rows.append(
                    {"what": role, "now": held, "proposed": _holder(role, network), "due": str(network.pending_role_at)}
                )
        return rows

    rows = ask(ctx, work)
    columns = ["what", "now", "proposed", "due"]
    print_rows(rows if as_json else [_shown_proposal(row) for row in rows], columns, as_json=as_json)


@transaction(app)
def apply() -> Sending:
    """Apply what is due; anyone may, but a new authority must do so itself."""
    return lambda client: client.network.apply_pending()


@transaction(app)
def pause(entries: Annotated[list[str], typer.Argument(help="Entries to pause, or `all`.")]) -> Sending:
    """Pause entries, beside those that are paused already; pauser or authority. Exits cannot be paused."""
    bits = _pausable(entries)
    return lambda client: client.network.change_pause(pause=bits)


@transaction(app)
def resume(entries: Annotated[list[str], typer.Argument(help="Entries to resume, or `all`.")]) -> Sending:
    """Resume entries; the others stay paused. Pauser or authority."""
    bits = _pausable(entries)
    return lambda client: client.network.change_pause(resume=bits)


@transaction(app)
def burn(token: Annotated[str, typer.Argument(help="IO or IOSD.")]) -> Sending:
    """Burn what waits in a burn vault; anyone may."""
    from ionet.generated import pdas

    mints = {"IO": pdas.io_mint, "IOSD": pdas.iosd_mint}
    if token not in mints:
        raise InvalidInput(f"token {token!r}; known are IO, IOSD{near(token, mints)}")
    return lambda client: client.network.burn(mints[token](client.program.id))


def _shown(fields: dict[str, Any]) -> dict[str, str]:
    """The network for people: one line per parameter, and no proposal where none is pending."""
    roles = {name: value for name, value in fields.items() if name not in _NOT_ROLES}
    paused = [name for name, bit in words(Pause).items() if int(fields["pause_bits"]) & bit]
    shown = view("Network", roles) | ({"paused": ", ".join(paused)} if paused else {})
    shown |= view("Params", fields["params"])
    if int(fields["pending_effective_at"]):
        changed = {name: value for name, value in fields["pending"].items() if value != fields["params"][name]}
        shown |= {f"proposed {name}": value for name, value in view("Params", changed).items()}
    if int(fields["pending_role"]):
        shown["proposed role"] = f"{word(NetworkRole, int(fields['pending_role']))}: see `ionet network pending`"
    return shown


def _shown_proposal(row: dict[str, Any]) -> dict[str, str]:
    """A pending change for people."""
    name = row["what"]
    [label] = view("Params", {name: 1}) if name in Params.__struct_fields__ else [name]
    values = {when: view("Params", {name: row[when]}).get(label, str(row[when])) for when in ("now", "proposed")}
    return {"what": label.replace("_", " "), **values, "due": human.moment(int(row["due"]))}


def _shown_model(fields: dict[str, Any]) -> dict[str, str]:
    multiplier = {"multiplier": f"x{int(fields['multiplier']) / 100:g}"}
    named = {"kind": word(DeviceKind, fields["kind"]), "pool": word(DevicePool, fields["pool"])}
    enabled = {"enabled": "yes" if fields["enabled"] else "no", "name": fields["name"], "code": str(fields["code"])}
    return {"reference_price": "", **view("DeviceModel", fields), **multiplier, **named, **enabled}


def _pausable(entries: list[str]) -> int:
    pausable = words(Pause)
    if entries == ["all"]:
        return Pause.ALL
    unknown = [entry for entry in entries if entry not in pausable]
    if unknown:
        known = f"pausable are {', '.join(pausable)}{near(unknown[0], pausable)}"
        raise InvalidInput(f"{', '.join(unknown)} cannot be paused; {known}")
    return sum(pausable[entry] for entry in set(entries))


def _code(ctx: typer.Context, text: str) -> int:
    """A model's number, by its name or itself. Raises InvalidInput, which names models like it."""
    return ask(ctx, lambda client: client.network.model_code(text))


def _holder(role: str, network: Network) -> str:
    """Who is to hold a role, or which feed is to be used."""
    from solders.pubkey import Pubkey

    if role == "authority":
        return str(network.pending_authority)
    return network.pending_value.hex() if role == "feed" else str(Pubkey(network.pending_value))
