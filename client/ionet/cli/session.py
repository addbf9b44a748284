"""What every command works with: the global options, a client, and one way to send."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_fields, print_receipts, waiting
from ionet.errors import WalletError

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.plan import Plan

T = TypeVar("T")
Sending = Callable[["Client"], "Plan"]
"""What a command that changes the chain returns: the plan to send, made with the session's client."""
Command = TypeVar("Command", bound=Callable[..., Sending])

AsUnsigned = Annotated[bool, typer.Option("--unsigned", help="Print the unsigned transaction instead of sending it.")]


@dataclass(frozen=True)
class Settings:
    """The global options."""

    url: str
    keypair: str
    idl: str | None
    signer: str | None


class Elsewhere:
    """A wallet of which only the address is known here."""

    def __init__(self, address: Pubkey) -> None:
        self._address = address

    @property
    def pubkey(self) -> Pubkey:
        return self._address

    async def sign(self, message: bytes) -> Signature:
        raise WalletError(f"{self._address} signs elsewhere: use --unsigned (message of {len(message)} bytes)")


def settings(ctx: typer.Context) -> Settings:
    found = ctx.obj
    assert isinstance(found, Settings)
    return found


def connect(ctx: typer.Context, *, wallet: bool = True) -> Client:
    """A client with the global options. wallet=False: for commands that only read."""
    from ionet.client import Client
    from ionet.idl import load_file
    from ionet.program import PROGRAM, load_program
    from ionet.wallet import KeypairSigner, read_keypair

    options = settings(ctx)
    program = load_program(load_file(options.idl)) if options.idl else PROGRAM
    if not wallet:
        return Client(options.url, program=program)
    if options.signer is not None:
        return Client(options.url, Elsewhere(pubkey(options.signer)), program=program)
    return Client(options.url, KeypairSigner(read_keypair(options.keypair)), program=program)


def run(ctx: typer.Context, work: Callable[[Client], Awaitable[T]], *, wallet: bool = True) -> T:
    """Run asynchronous work with a client, closing it afterwards."""

    async def session() -> T:
        async with connect(ctx, wallet=wallet) as client:
            return await work(client)

    return asyncio.run(session())


def transaction(
    app: typer.Typer, name: str | None = None
) -> Callable[[Callable[..., Sending]], Callable[..., Sending]]:
    """Make a command of a function that says what to send: it gets `--json` and `--unsigned`, and the plan is sent."""

    def register(command: Command) -> Command:
        given = inspect.signature(command, eval_str=True)

        def send(ctx: typer.Context, as_json: bool, unsigned: bool, **arguments: Any) -> None:
            if "ctx" in given.parameters:
                arguments["ctx"] = ctx
            submit(ctx, command(**arguments), as_json=as_json, unsigned=unsigned)

        kind = inspect.Parameter.KEYWORD_ONLY
        added = [inspect.Parameter("ctx", kind, annotation=typer.Context)]
        added += [parameter.replace(kind=kind) for parameter in given.parameters.values() if parameter.name != "ctx"]
        added.append(inspect.Parameter("as_json", kind, annotation=AsJson, default=False))
        added.append(inspect.Parameter("unsigned", kind, annotation=AsUnsigned, default=False))
        send.__signature__ = inspect.Signature(added)  # type: ignore[attr-defined]
        send.__annotations__ = {parameter.name: parameter.annotation for parameter in added}
        send.__name__, send.__doc__ = command.__name__, command.__doc__
        app.command(name=name)(send)
        return command

    return register


def submit(ctx: typer.Context, plan: Callable[[Client], Plan], *, as_json: bool, unsigned: bool = False) -> None:
    """Send a plan and print what happened, or print it unsigned."""

    async def work(client: Client) -> None:
        if unsigned:
            import msgspec

            print_fields(msgspec.to_builtins(await plan(client).unsigned()), as_json=as_json)
            return
        with waiting("waiting for the chain"):
            receipt = await plan(client)
        print_receipts(client, [receipt], as_json=as_json)

    run(ctx, work)
