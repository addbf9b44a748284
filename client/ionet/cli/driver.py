"""`ionet cluster run` and `ionet cluster connect`: what a renter does with a cluster that runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_fields, say
from ionet.cli.session import connect, settings
from ionet.errors import InvalidInput, IonetError, NotFound

if TYPE_CHECKING:
    from ionet.agent_api import AgentClient

Cluster = Annotated[str, typer.Argument(help="Address of the cluster.")]
Agent = Annotated[str | None, typer.Option(help="URL of the agent of the head's node.", envvar="IONET_AGENT")]
Indexer = Annotated[str, typer.Option(help="Where that URL is asked for otherwise.", envvar="IONET_API")]
LOCAL = "http://127.0.0.1:8080"


def run(
    ctx: typer.Context,
    cluster: Cluster,
    script: Annotated[Path, typer.Argument(help="Python script to run beside the cluster's head.")],
    agent: Agent = None,
    indexer: Indexer = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Run a driver in the cluster and follow its output; the exit code is the driver's."""
    try:
        content = script.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {script}: {error.strerror}") from None

    async def follow() -> tuple[str, int]:
        kept, code = [], 1
        async with await _head(ctx, cluster, agent, indexer) as head:
            async for event in head.run(content):
                code = code if event.exit_code is None else event.exit_code
                if as_json:
                    kept.append(event.output or "")
                else:
                    say(event.output or "", end="")
        return "".join(kept), code

    output, code = asyncio.run(follow())
    if as_json:
        print_fields({"exit_code": code, "output": output}, as_json=True)
    if code < 0:
        say(f"error: {asyncio.run(_killed(ctx, cluster, -code))}", err=True)
    raise typer.Exit(code)


def connect_to(
    ctx: typer.Context,
    cluster: Cluster,
    to: Annotated[Path, typer.Option(help="Folder for certificates and token; readable by its owner only.")],
    agent: Agent = None,
    indexer: Indexer = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Fetch address, token and certificates of the cluster; prints the environment a Ray driver needs."""

    async def ask() -> dict[str, str]:
        from ionet.renting.credentials import written

        async with await _head(ctx, cluster, agent, indexer) as head:
            return written(await head.credentials(), to)

    environment = asyncio.run(ask())
    if as_json:
        print_fields(environment, as_json=True)
        return
    for name, value in environment.items():
        say(f"export {name}={value}")


async def _killed(ctx: typer.Context, cluster: str, number: int) -> str:
    """Why a driver was killed, as far as the chain knows."""
    said = f"the driver was killed by signal {number}"
    try:
        async with connect(ctx, wallet=False) as client:
            await client.cluster.head(pubkey(cluster))
    except NotFound:
        return f"{said}: the lease is over"
    except IonetError:
        return said
    return f"{said}, while its lease goes on; it may have used too much memory"


async def _head(ctx: typer.Context, cluster: str, url: str | None, indexer: str) -> AgentClient:
    """A client of the agent on the head's node, with a key to which the wallet has delegated."""
    from ionet.advert import find_agent
    from ionet.agent_api import AgentClient, agent_url
    from ionet.agent_delegation import delegate
    from ionet.wallet import read_keypair

    if url is not None:
        agent_url(url)
    address, wallet = pubkey(cluster), read_keypair(settings(ctx).keypair)
    async with connect(ctx, wallet=False) as client:
        lease = await client.cluster.head(address)
        node = await client.node.get(lease.node)
    urls = url or await find_agent(indexer, lease.node)
    return AgentClient(urls, node.device_key, delegate(wallet, address, time.time()), node=lease.node)
