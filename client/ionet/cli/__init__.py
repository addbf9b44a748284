"""The `ionet` command. Subcommands are imported only when they run, so that help is immediate.

Other distributions add subcommands through the entry-point group `ionet.cli`: a name (`indexer`) or a name below an
existing one (`node.run`), each pointing at a Typer app or a function.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import traceback
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ionet.cli.printing import printable, say
from ionet.errors import ConfigError, InvalidInput, IonetError

HELP = "An open network for renting GPUs on Solana."
GROUP = "ionet.cli"
# Exit codes, see docs/client.md. A class of IonetError may name another one.
INTERNAL_ERROR, INTERRUPTED = 70, 130

NEGATIVE = re.compile(r"-\d+(\.\d+)?")

SPELLINGS = {"…": "...", "→": "->", "–": "-", "×": "x", "≤": "<=", "−": "-"}

COMMANDS = {
    "demo": ("", "The whole network on this machine, once through, with a real Ray job."),
    "up": ("", "Run local chain, keeper, indexer, launcher, relay and pages until interrupted."),
    "run": ("ionet.cli.rent", "Rent nodes, run a job on them, get its results, end."),
    "status": ("ionet.cli.named", "Your clusters by name."),
    "logs": ("ionet.cli.jobs", "What a job in one of them has printed."),
    "exec": ("ionet.cli.named", "Run a command in one of them."),
    "ssh": ("ionet.cli.reach", "A shell in one of them."),
    "tunnel": ("ionet.cli.reach", "Ray's dashboard and client, and any port of one of them, here."),
    "idle": ("ionet.cli.idle", "End those that nobody uses, as `ionet run --idle` said."),
    "extend": ("ionet.cli.money", "More time for one of them."),
    "cost": ("ionet.cli.money", "What one of them costs, and can cost at most."),
    "receipt": ("ionet.cli.money", "What one of them has cost, interval by interval."),
    "down": ("ionet.cli.named", "End one of them and get the rest of the budget back."),
    "doctor": ("ionet.cli.doctor", "Check this installation and the chain."),
    "localnet": ("", "A Solana chain on this machine, for development and tests."),
    "config": ("ionet.cli.profiles", "Profiles: which chain and which keypair."),
    "keys": ("ionet.cli.keys", "Keypair files, balances, transfers."),
    "network": ("ionet.cli.network", "Parameters, roles, device models, pause bits."),
    "node": ("ionet.cli.node", "Machines that can be rented."),
    "stake": ("ionet.cli.stake", "Stake behind nodes."),
    "case": ("ionet.cli.case", "Accusations against nodes, which freeze their stake."),
    "iosd": ("ionet.cli.iosd", "Mint IOSD by burning IO, redeem it; prices."),
    "cluster": ("ionet.cli.cluster", "Budgets, and the leases paid from them."),
    "table": ("ionet.cli.table", "Lookup tables, which fit more nodes into one booking."),
    "lease": ("ionet.cli.lease", "One node leased by one cluster."),
    "trace": ("ionet.cli.trace", "From a result's hash to node, time, price and proof."),
    "export": ("ionet.cli.export", "Live offers in the formats of SkyPilot and dstack."),
    "indexer": ("", "History of the chain in Postgres, and its API."),
    "launcher": ("", "From booked leases to running Ray clusters."),
    "agent": ("", "What runs on a supplier's machine."),
    "keeper": ("", "Settles, reports, closes and sweeps: whatever anyone may do."),
    "mcp": ("", "Tools by which an AI agent rents compute, within limits."),
    "relay": ("", "Lets callers reach agents that nobody can dial."),
    "web": ("", "Pages that show the network to a browser."),
    "actions": ("", "Transactions for wallets to sign, built and sent for the pages."),
}


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _available() -> dict[str, str]:
    """Name and help of every subcommand that is installed."""
    plugins = _plugins()
    names = {name: text for name, (module, text) in COMMANDS.items() if module or name in plugins}
    extra = {name: f"From {point.value.split(':')[0]}." for name, point in plugins.items() if "." not in name}
    return {**extra, **names}


def _load(name: str) -> Any:
    """The command called `name`, imported now, with what plug-ins add below it."""
    plugins = _plugins()
    module = COMMANDS.get(name, ("", ""))[0]
    found = import_module(module) if module else None
    app = plugins[name].load() if found is None else getattr(found, f"{name}_app", None) or found.app
    for full, point in plugins.items():
        parent, _, child = full.partition(".")
        if child and parent == name:
            added = point.load()
            if isinstance(added, typer.Typer):
                app.add_typer(added, name=child)
            else:
                app.command(child)(added)
    command = typer.main.get_command(app)
    command.name = name
    # Completion is installed for all commands at once, by `ionet --install-completion`.
    command.params = [param for param in command.params if not str(param.name).endswith("_completion")]
    _take_over_json(command)
    return command


def _take_over_json(command: Any) -> None:
    """`ionet --json node list` is `ionet node list --json`, for every command below this one."""
    for below in getattr(command, "commands", {}).values():
        _take_over_json(below)
    for param in command.params:
        if param.name == "as_json":
            param.callback = lambda ctx, _param, value: value or getattr(ctx.find_root().obj, "as_json", False)


class LazyGroup(TyperGroup):
    """Knows names and help of its commands without importing them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: TyperCommand(name=name, help=text) for name, text in _available().items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, _load(str(name)), rest


app = typer.Typer(cls=LazyGroup, help=HELP, no_args_is_help=True, add_completion=True)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"ionet {version('ionet')}")
        raise typer.Exit


def _profiles(incomplete: str) -> list[str]:
    """Names of profiles that begin like this."""
    from ionet.cli.profiles import known

    return [name for name in known() if name.startswith(incomplete)]


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(envvar="IONET_URL", help="JSON-RPC address of the chain; by default the profile's.")
    ] = None,
    keypair: Annotated[
        str | None, typer.Option(envvar="IONET_KEYPAIR", help="Keypair file that pays and signs; ditto.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            envvar="IONET_PROFILE", help="Chain and keypair to use, see `ionet config show`.", autocompletion=_profiles
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, whichever the command.")] = False,
    idl: Annotated[str | None, typer.Option(help="IDL file to use instead of the bundled one.")] = None,
    signer: Annotated[
        str | None, typer.Option(help="Address of a wallet elsewhere, to print unsigned transactions for.")
    ] = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from ionet.cli.profiles import chosen, places
    from ionet.cli.session import Settings

    if ctx.resilient_parsing:
        return
    known = chosen(profile)
    ctx.obj = Settings(
        url=known.url if url is None else url,
        keypair=known.keypair if keypair is None else keypair,
        idl=idl,
        signer=signer,
        as_json=as_json,
        launcher_key=known.launcher_key,
    )
    ctx.default_map = places(known)


def main() -> None:
    """Run the command line. Expected failures are one line on stderr and an exit code of their own."""
    _spell_out_what_the_terminal_lacks()
    try:
        _refuse_negative_amounts(sys.argv[1:])
        app()
    except IonetError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Somebody piped the output into `head`; point stdout away so that Python's exit stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # Packages that do not know the client, such as the local chain, say only how to exit.
        if isinstance(code := getattr(error, "exit_code", None), int):
            _fail(str(error), code)
        if isinstance(error, ModuleNotFoundError) and (extra := _missing_extra(error)):
            _fail(f"the package {error.name} is not installed; it comes with ionet[{extra}]", ConfigError.exit_code)
        if os.environ.get("IONET_DEBUG"):
            raise
        text = f"internal error, please report it: {type(error).__name__}: {error} (IONET_DEBUG=1 shows more)"
        _fail(text, INTERNAL_ERROR)


def _refuse_negative_amounts(arguments: list[str]) -> None:
    """`-5` where an amount belongs would be taken for an option that does not exist."""
    for before, text in zip(["", *arguments], arguments, strict=False):
        if text == "--":
            return
        if NEGATIVE.fullmatch(text) and not before.startswith("--"):
            raise InvalidInput(f"amounts are positive, {text} is not")


def _spell_out_what_the_terminal_lacks() -> None:
    """A character that the terminal's encoding does not have is written as its ASCII spelling, or as `?`."""
    codecs.register_error("ionet.spelled", lambda error: (_spelled(error), error.end))  # type: ignore[attr-defined]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="ionet.spelled")


def _spelled(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(SPELLINGS.get(letter, "?") for letter in error.object[error.start : error.end])


def _missing_extra(error: ModuleNotFoundError) -> str | None:
    """The extra that brings what a package beside the client imports; None when the import itself is wrong."""
    if error.name is None or error.name.startswith("ionet"):
        return None
    importers = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [name.partition(".")[0] for name in importers if name.startswith("ionet_")]
    return packages[-1].removeprefix("ionet_") if packages else None


def _fail(message: str, code: int) -> None:
    # Part of it may be what an indexer, a launcher or an agent has said.
    say(f"error: {printable(' '.join(message.split()))}", err=True)
    sys.exit(code)
