"""What every command works with: the global options, a client, and one way to send."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_fields, print_receipts, say, waiting
from ionet.errors import NotConfirmed

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.plan import Plan

T = TypeVar("T")
Sending = Callable[["Client"], "Plan"]
"""What a command that changes the chain returns: the plan to send, made with the session's client."""


@dataclass(frozen=True)
class Preview:
    """What a person sees before something is sent: lines, and a question; None where nothing has to be asked."""

    lines: tuple[str, ...] = ()
    question: str | None = None


@dataclass(frozen=True)
class Asked:
    """A plan, and what is shown and asked before it is sent."""

    plan: Sending
    look: Callable[[Client], Awaitable[Preview]]


Command = TypeVar("Command", bound=Callable[..., "Sending | Asked"])

AsUnsigned = Annotated[bool, typer.Option("--unsigned", help="Print the unsigned transaction instead of sending it.")]


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Settings:
    """The global options. launcher_key: the session key that the profile's launcher must have, None for any."""

    url: str
    keypair: str
    idl: str | None
    signer: str | None
    as_json: bool = False
    launcher_key: str | None = None


def settings(ctx: typer.Context) -> Settings:
    found = ctx.obj
    assert isinstance(found, Settings)
    return found


def confirm(preview: Preview, *, quiet: bool, yes: bool) -> None:
    """Show what is about to happen, on stderr, and ask. Raises NotConfirmed unless a person says yes, or `yes` did.

    quiet: nothing is shown where nothing is asked.
    """
    asks = preview.question is not None and not yes
    if asks or not quiet:
        for line in preview.lines:
            say(line, err=True)
    if not asks:
        return
    say(f"{preview.question} [y/N] ", err=True, end="")
    sys.stderr.flush()
    # Whoever answers nothing, such as a script without a terminal, has not agreed.
    # Without any input `sys.stdin` is None.
    answer = sys.stdin.readline().strip().lower() if sys.stdin else ""
    if not sys.stdin or not sys.stdin.isatty():
        say(err=True)
    if answer not in {"y", "yes"}:
        raise NotConfirmed("answer y, or give --yes")


def asking(plan: Sending, question: str, *lines: str) -> Asked:
    """A plan that is sent only after a question that is always the same."""

    async def look(_client: Client) -> Preview:
        return Preview(lines, question)

    return Asked(plan, look)


def connect(ctx: typer.Context, *, wallet: bool = True) -> Client:
    """A client with the global options. wallet=False: for commands that only read."""
    from ionet.client import Client
    from ionet.idl import load_file
    from ionet.program import PROGRAM, load_program
    from ionet.wallet import KeypairSigner, Watch, read_keypair

    options = settings(ctx)
    program = load_program(load_file(options.idl)) if options.idl else PROGRAM
    if not wallet:
        return Client(options.url, program=program)
    if options.signer is not None:
        return Client(options.url, Watch(pubkey(options.signer), "use --unsigned"), program=program)
    return Client(options.url, KeypairSigner(read_keypair(options.keypair)), program=program)


def run(ctx: typer.Context, work: Callable[[Client], Awaitable[T]], *, wallet: bool = True) -> T:
    """Run asynchronous work with a client, closing it afterwards."""

    async def session() -> T:
        async with connect(ctx, wallet=wallet) as client:
            return await work(client)

    return asyncio.run(session())


def ask(ctx: typer.Context, work: Callable[[Client], Awaitable[T]], *, wallet: bool = False) -> T:
    """As `run`, for what only reads and neither prints nor asks: a spinner says that the chain is waited for."""
    with waiting("asking the chain"):
        return run(ctx, work, wallet=wallet)


def transaction(app: typer.Typer, name: str | None = None, *, asks: bool = False) -> Callable[[Command], Command]:
    """Make a command of a function that says what to send: it gets `--json` and `--unsigned`, and the plan is sent.

    asks: the function may return `Asked`, and the command gets `--yes`.
    """

    def register(command: Command) -> Command:
        given = inspect.signature(command, eval_str=True)

        def send(ctx: typer.Context, as_json: bool, unsigned: bool, yes: bool = False, **arguments: Any) -> None:
            if "ctx" in given.parameters:
                arguments["ctx"] = ctx
            submit(ctx, command(**arguments), as_json=as_json, unsigned=unsigned, yes=yes)

        kind = inspect.Parameter.KEYWORD_ONLY
        added = [inspect.Parameter("ctx", kind, annotation=typer.Context)]
        added += [parameter.replace(kind=kind) for parameter in given.parameters.values() if parameter.name != "ctx"]
        added.append(inspect.Parameter("as_json", kind, annotation=AsJson, default=False))
        added.append(inspect.Parameter("unsigned", kind, annotation=AsUnsigned, default=False))
        if asks:
            added.append(inspect.Parameter("yes", kind, annotation=Yes, default=False))
        send.__signature__ = inspect.Signature(added)  # type: ignore[attr-defined]
        send.__annotations__ = {parameter.name: parameter.annotation for parameter in added}
        send.__name__, send.__doc__ = command.__name__, command.__doc__
        app.command(name=name)(send)
        return command

    return register


def submit(
    ctx: typer.Context, asked: Sending | Asked, *, as_json: bool, unsigned: bool = False, yes: bool = False
) -> None:
    """Send a plan and print what happened, or print it unsigned, which asks nothing."""
    plan = asked.plan if isinstance(asked, Asked) else asked

    async def work(client: Client) -> None:
        if unsigned:
            import msgspec

            print_fields(msgspec.to_builtins(await plan(client).unsigned()), as_json=as_json)
            return
        if isinstance(asked, Asked):
            confirm(await asked.look(client), quiet=as_json, yes=yes)
        with waiting("waiting for the chain"):
            receipt = await plan(client)
        await print_receipts(client, [receipt], as_json=as_json)

    run(ctx, work)
