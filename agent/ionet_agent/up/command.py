"""`ionet node up`: from an empty folder to a node that serves."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ionet.cli.parsing import amount
from ionet.cli.printing import AsJson
from ionet.cli.session import AsUnsigned, Yes, settings
from ionet.errors import InvalidInput
from ionet.resolve import near

if TYPE_CHECKING:
    from ionet_agent.up.plan import Serving
_SIZES = ("--num-cpus", "--memory-mib", "--disk-mib", "--object-store-mib")


def default_folder() -> Path:
    """Of the device key and the agent's state: as root the machine's."""
    if os.geteuid() == 0:
        return Path("/var/lib/ionet/node")
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "ionet" / "node"


def up(
    ctx: typer.Context,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="Further options of `ionet node run`.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Device model, by default what this machine has.")] = None,
    processors: Annotated[int | None, typer.Option(min=1, max=8, help="By default all of that model.")] = None,
    price: Annotated[str | None, typer.Option(help="Dollars per processor-hour; by default the index's.")] = None,
    country: Annotated[str | None, typer.Option(help="Where it is, such as DE; asked where not given.")] = None,
    currency: Annotated[
        list[str] | None, typer.Option(help="Accepted: IOSD, USDC or IO; repeatable; by default IOSD and USDC.")
    ] = None,
    min_duration: Annotated[str, typer.Option(metavar="DURATION", help="Shortest lease.")] = "1h",
    max_duration: Annotated[str, typer.Option(metavar="DURATION", help="Longest lease.")] = "30d",
    payout: Annotated[str | None, typer.Option(help="Wallet to be paid; by default yours.")] = None,
    stake: Annotated[
        str | None, typer.Option(help="IO of yours to have in it; by default the least that makes it hireable.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="For the device key and the agent's state.")] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of the agent's API.")] = "127.0.0.1:7444",
    ports: Annotated[str, typer.Option(help="FIRST-LAST: ports of Ray, at least 18.")] = "21000-21039",
    network: Annotated[str, typer.Option(help="loopback or wireguard, as of `ionet node run`.")] = "loopback",
    ip: Annotated[str | None, typer.Option(help="Address inside clusters on this machine.")] = None,
    dial: Annotated[str | None, typer.Option(help="HOST:PORT of UDP, with --network wireguard.")] = None,
    relay: Annotated[list[str] | None, typer.Option(help="HOST:PORT of a relay; repeatable.")] = None,
    indexer: Annotated[
        str, typer.Option(envvar="IONET_API", help="URL of an indexer, asked for prices and told of the node.")
    ] = "http://127.0.0.1:8080",
    isolation: Annotated[str, typer.Option(help="Level of isolation, as of `ionet node run`.")] = "best",
    trust_renters: Annotated[bool, typer.Option("--trust-renters", help="Serve also without isolation.")] = False,
    runtime: Annotated[Path | None, typer.Option(help="Virtual environment with Ray for renters' code.")] = None,
    num_cpus: Annotated[int | None, typer.Option(min=1, help="CPUs of a lease.")] = None,
    memory_mib: Annotated[int | None, typer.Option(min=512, help="Memory of a lease.")] = None,
    disk_mib: Annotated[int | None, typer.Option(min=64, help="Files of a lease.")] = None,
    object_store_mib: Annotated[int | None, typer.Option(min=76, help="Memory for Ray's objects.")] = None,
    pretend: Annotated[
        bool, typer.Option("--pretend", help="Believe --model without the device, on a local network only.")
    ] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Whether to try a Ray node first.")] = True,
    service: Annotated[
        str | None, typer.Option(help="system or user: have systemd run the agent, instead of this terminal.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Whether to serve once all is there.")] = True,
    link: Annotated[
        str | None, typer.Option(help="URL of the pages: print a link by which the owner's wallet signs there.")
    ] = None,
    unsigned: AsUnsigned = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make this machine a node: find its GPUs, check it, register and stake what is missing, then serve.

    Whatever was done before is seen on the chain, so it can be repeated after any interruption.
    """
    from ionet_agent import options
    from ionet_agent.config import AgentConfig
    from ionet_agent.isolation.sizes import Wanted
    from ionet_agent.relay import RelayAddress
    from ionet_agent.up import flow
    from ionet_agent.up.plan import Serving, Wishes

    home = (folder or default_folder()).expanduser().absolute()
    inside = None if network == "wireguard" else ip or "127.0.1.1"
    relays = tuple(str(RelayAddress.parse(text)) for text in relay or ())
    host, port = options.address(listen)
    sizes = dict(zip(_SIZES, (num_cpus, memory_mib, disk_mib, object_store_mib), strict=True))
    said: dict[str, Any] = {"--listen": listen, "--ports": ports, "--network": network, "--ip": inside, "--dial": dial}
    said |= {"--indexer": indexer, "--isolation": isolation, "--runtime": runtime and runtime.absolute(), **sizes}
    words = [word for name, value in said.items() if value is not None for word in (name, str(value))]
    words += [word for text in relays for word in ("--relay", text)]
    words += ["--trust-renters"] if trust_renters else []
    serving = Serving(settings(ctx).url, home, (*words, *(more or ())))
    _check_options(ctx, serving)
    config = AgentConfig(
        urls=(serving.url,),
        device_key=serving.device_key,
        base=serving.base,
        ip=inside,
        ports=options.port_range(ports),
        host=host,
        port=port,
        relays=relays,
        isolation=isolation,
        trust=trust_renters,
        runtime=None if runtime is None else runtime.absolute(),
        wanted=Wanted(num_cpus, *map(options.mib, (memory_mib, disk_mib, object_store_mib))),
        network=options.network(network, inside, dial, 0, relays, internet=False),
    )
    wishes = Wishes(
        model=model,
        processors=processors,
        price=price,
        country=country,
        currencies=tuple(currency or ("IOSD", "USDC")),
        min_duration=min_duration,
        max_duration=max_duration,
        payout=payout,
        stake=None if stake is None else amount(stake, "IO"),
        pretend=pretend,
    )
    if link is not None and (payout is not None or unsigned):
        raise InvalidInput("with --link the wallet that signs is paid: neither --payout nor --unsigned goes with it")
    asked = flow.Asked(test=test, unsigned=unsigned, yes=yes, as_json=as_json, service=_scope(service), link=link)
    done = asyncio.run(flow.Up(ctx, config, serving, wishes, indexer, asked).run())
    if done and serve and service is None and not unsigned:
        _become(serving, as_json=as_json)


def _check_options(ctx: typer.Context, serving: Serving) -> None:
    """Read the agent's options now: what it would refuse once everything is paid ends this command before."""
    from ionet_agent.cli import app

    agent: Any = typer.main.get_command(app)
    words = ["--device-key", str(serving.device_key), "--base", str(serving.base), *serving.options]
    agent.commands["run"].make_context("ionet node run", words, parent=ctx)


def _scope(text: str | None) -> Any:
    from ionet_agent.up.unit import Scope

    if text is None:
        return None
    try:
        return Scope(text)
    except ValueError:
        raise InvalidInput(f"--service is {text}, not {' or '.join(Scope)}{near(text, Scope)}") from None


def _become(serving: Serving, *, as_json: bool) -> None:
    """The agent, in this very process: signals reach it, and its end is this command's."""
    command = serving.command(as_json=as_json)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)
