"""`ionet relay`: lets callers reach agents that nobody can dial. Anyone may run one."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Annotated

import typer
from ionet.cli.printing import AsJson, print_fields
from ionet.cli.session import settings
from ionet.errors import ConfigError

from ionet_relay.limits import Limits

app = typer.Typer(help="A relay for agents behind NAT: TCP by server name, blind UDP.", no_args_is_help=True)
_STANDARD = Limits()


@app.callback()
def _group() -> None:
    """Keeps `run` a subcommand while it is the only one."""


@app.command()
def run(
    ctx: typer.Context,
    listen: Annotated[str, typer.Option(help="HOST:PORT for callers and agents.")] = "0.0.0.0:7443",
    udp: Annotated[str | None, typer.Option(help="HOST:PORT for overlays' packets; without it none.")] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="HOST:PORT by which agents know it, for either; repeatable.")
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="HOST:PORT where Prometheus may read.")] = None,
    mbit: Annotated[int, typer.Option(min=1, help="Mbit/s in all; nodes share it evenly.")] = _STANDARD.mbit,
    nodes: Annotated[int, typer.Option(min=1, help="Most agents.")] = _STANDARD.nodes,
    callers: Annotated[int, typer.Option(min=1, help="Most callers at once.")] = _STANDARD.callers,
    callers_of_node: Annotated[
        int, typer.Option(min=1, help="Most callers of one node at once.")
    ] = _STANDARD.callers_of_node,
    callers_of_address: Annotated[
        int, typer.Option(min=1, help="Most callers from one address at once.")
    ] = _STANDARD.callers_of_address,
    sessions: Annotated[int, typer.Option(min=1, help="Most UDP sessions.")] = _STANDARD.sessions,
    sessions_of_node: Annotated[
        int, typer.Option(min=1, help="Most UDP sessions of one node.")
    ] = _STANDARD.sessions_of_node,
    idle_secs: Annotated[
        float, typer.Option(min=1, help="Close a connection that carries nothing for this long.")
    ] = _STANDARD.idle_secs,
    as_json: AsJson = False,
) -> None:
    """Forward until interrupted. It needs no key: agents prove who they are, and TLS ends in them."""
    import msgspec
    from ionet.ready import RelayReady

    from ionet_relay import service

    level = os.environ.get("IONET_LOG", "INFO")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    limits = Limits(
        mbit=mbit,
        nodes=nodes,
        callers=callers,
        callers_of_node=callers_of_node,
        callers_of_address=callers_of_address,
        sessions=sessions,
        sessions_of_node=sessions_of_node,
        idle_secs=idle_secs,
    )
    config = service.RelayConfig(
        settings(ctx).url,
        address(listen),
        address(udp) if udp else None,
        tuple(name or ()),
        address(metrics) if metrics else None,
        limits,
    )

    def announce(bound: service.Bound) -> None:
        ready = RelayReady(_text(bound.tcp), bound.udp and _text(bound.udp), bound.metrics and _text(bound.metrics))
        print_fields(msgspec.to_builtins(ready), as_json=as_json)

    asyncio.run(service.run(config, announce))


def address(text: str) -> tuple[str, int]:
    """Raises ConfigError unless it is HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
