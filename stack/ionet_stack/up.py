"""`ionet up`: local chain, keeper, indexer, launcher, relay, actions, pages as child processes, until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from ionet.cli.printing import AsJson, print_fields, say, waiting
from ionet.errors import IonetError
from ionet.listening import refuse_taken

from ionet_stack.children import ChildFailed
from ionet_stack.guide import NODES, next_steps
from ionet_stack.once import only_one
from ionet_stack.purses import PRICE, fund
from ionet_stack.stack import Stack

if TYPE_CHECKING:
    from ionet.client import Client
    from solders.keypair import Keypair

app = typer.Typer(help="Run local chain, keeper, indexer, launcher, relay and pages until interrupted.")

LAMPORTS, KEEPER_LAMPORTS = 1_000 * 10**9, 10 * 10**9
# The price is posted again long before the program finds it too old (60 s).
PRICE_EVERY = 20.0


def _default_folder() -> Path:
    # As root PostgreSQL runs as `nobody`, who cannot look into root's home.
    if os.geteuid() == 0:
        return Path("/var/lib/ionet/up")
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "ionet" / "up"


@app.command()
def up(
    folder: Annotated[Path | None, typer.Option(help="Where keys, ledger, database and logs are kept.")] = None,
    port: Annotated[int, typer.Option(help="Port of the chain; its websocket takes the next one.")] = 8899,
    api_port: Annotated[int, typer.Option(help="Port of the indexer's API.")] = 8080,
    launcher_port: Annotated[int, typer.Option(help="Port of the launcher's API.")] = 8081,
    web_port: Annotated[int, typer.Option(help="Port of the pages that show the network.")] = 8083,
    actions_port: Annotated[int, typer.Option(help="Port of what builds transactions for the pages.")] = 8084,
    nodes: Annotated[
        int, typer.Option(min=0, max=16, help="Nodes that serve on this machine, with an agent each.")
    ] = 0,
    slot_ms: Annotated[int, typer.Option(help="Milliseconds between blocks.")] = 400,
    reset: Annotated[bool, typer.Option(help="Start the chain and the database over; keys are kept.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a whole network for development: chain with its program, price feed, keeper, indexer, launcher, relay, pages,
    nodes.

    Nodes are for your own leases: they serve also where nothing keeps renters' code apart.
    """
    home = folder or _default_folder()
    with only_one(home):
        options = {port: "--port", port + 1: "--port", api_port: "--api-port"}
        options |= {launcher_port: "--launcher-port", web_port: "--web-port"}
        options |= {actions_port: "--actions-port"}
        for number, option in options.items():
            refuse_taken(number, option)
        ports = Ports(launcher_port, web_port, actions_port)
        asyncio.run(_run(Stack(home, port, api_port, slot_ms), ports, nodes, reset=reset, as_json=as_json))


class Ports(NamedTuple):
    """Of the launcher's API, of the pages, and of what builds transactions for them."""

    launcher: int
    web: int
    actions: int


async def _run(stack: Stack, ports: Ports, nodes: int, *, reset: bool, as_json: bool) -> None:
    """Start everything, print the addresses, wait for an interrupt; raises ChildFailed when a part ends."""
    stack.logs.mkdir(parents=True, exist_ok=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        starting = asyncio.create_task(_start(stack, ports, nodes, reset))
        with waiting("starting"):
            if not await _first(starting, stopped):
                return
        client, fields = starting.result()
        async with client:
            print_fields(fields, as_json=as_json)
            if not as_json:
                say(next_steps(fields))
            work = [asyncio.create_task(child.ended()) for child in stack.children]
            work.append(asyncio.create_task(_post_prices(client)))
            await _first(asyncio.gather(*work), stopped)
    finally:
        await stack.stop()


async def _start(stack: Stack, ports: Ports, nodes: int, reset: bool) -> tuple[Client, dict[str, str]]:
    from ionet.client import Client

    authority, treasury, renter, session = (stack.key(name) for name in ("authority", "treasury", "renter", "session"))
    url = await stack.start_chain(authority, reset)
    client = Client(url, authority)
    await _prepare(client, treasury)
    await fund(client, treasury, renter, session)
    fields = {"chain": url, "wallet with IO": str(stack.folder / "treasury.json")}
    fields["renter's wallet"] = str(stack.folder / "renter.json")
    installed = {point.name for point in entry_points(group="ionet.cli")}
    if "keeper" in installed:
        fields["keeper"] = await _start_keeper(stack, client, url)
    if "indexer" in installed:
        indexer = await stack.start_indexer(url, reset=reset)
        fields |= {"api": str(indexer.api), "database": indexer.database}
        if "launcher" in installed:
            launcher = await stack.start_launcher(url, indexer.database, port=ports.launcher)
            fields |= {"launcher": str(launcher.api), "session key": launcher.session_key}
            fields["agents"] = str(stack.agents)
        if "web" in installed:
            if "actions" in installed:
                fields["actions"] = await stack.start_actions(url, ports.actions, fields.get("launcher", ""))
            fields["page"] = await stack.start_web(fields["api"], ports.web, fields.get("actions", ""))
        if nodes:
            await _start_nodes(stack, url, fields["api"], nodes)
            fields[NODES] = str(nodes)
    if "relay" in installed:
        fields["relay"] = await stack.start_relay(url)
    return client, fields | {"logs": str(stack.logs)}


async def _start_nodes(stack: Stack, url: str, api: str, count: int) -> None:
    """Paid for by the wallet with IO."""
    from ionet.client import Client

    from ionet_stack.fleet import start_agents, supply

    devices = [stack.key(f"device-{number}") for number in range(1, count + 1)]
    async with Client(url, stack.key("treasury")) as client:
        await supply(client, devices)
    await start_agents(stack, url, api, devices)


async def _start_keeper(stack: Stack, client: Client, url: str) -> str:
    """With SOL from the chain's faucet, again when a network of before has used it up."""
    key = stack.key("keeper")
    if await client.rpc.balance(key.pubkey()) < KEEPER_LAMPORTS // 2:
        await client.rpc.airdrop(key.pubkey(), KEEPER_LAMPORTS)
    return await stack.start_keeper(url)


async def _prepare(client: Client, treasury: Keypair) -> None:
    """Create the network on a fresh chain."""
    if await client.rpc.account(client.network.address) is not None:
        return
    for key in (client.address, treasury.pubkey()):
        await client.rpc.airdrop(key, LAMPORTS)
    await client.network.bootstrap(genesis_owner=treasury.pubkey())


async def _post_prices(client: Client) -> None:
    from ionet.api.network import LOCAL_FEED_ID

    while True:
        with contextlib.suppress(IonetError):
            await client.oracle.post(LOCAL_FEED_ID, PRICE, conf=PRICE // 2_000)
        await asyncio.sleep(PRICE_EVERY)


async def _first(work: asyncio.Future[Any], stopped: asyncio.Event) -> bool:
    """Wait for work or an interrupt; True when the work is done, its failure raised. Interrupted work is cancelled."""
    interrupted = asyncio.ensure_future(stopped.wait())
    both: list[asyncio.Future[Any]] = [work, interrupted]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    interrupted.cancel()
    if work.done():
        work.result()
        return True
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError, ChildFailed):
        await work
    return False
