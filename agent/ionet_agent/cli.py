"""`ionet agent`: the program a supplier runs on each machine."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from ionet.cli.printing import AsJson, print_fields
from ionet.cli.session import settings
from ionet.errors import ConfigError
from solders.pubkey import Pubkey

if TYPE_CHECKING:
    from ionet_agent.overlay.joining import NetworkConfig

app = typer.Typer(help="The node agent: serves leases with Ray and proves what it served.", no_args_is_help=True)


@app.command()
def run(
    ctx: typer.Context,
    device_key: Annotated[Path, typer.Option(help="Keypair file of the device, which pays for proofs.")],
    base: Annotated[Path, typer.Option(help="Folder for the agent's state; one per node.")],
    ports: Annotated[str, typer.Option(help="FIRST-LAST: ports of this node's Ray processes, at least 16.")],
    ip: Annotated[
        str | None,
        typer.Option(help="This node's address inside a cluster; not 127.0.0.1. Not with --network wireguard."),
    ] = None,
    network: Annotated[
        str, typer.Option(help="loopback: clusters stay on this machine; wireguard: a network of their own.")
    ] = "loopback",
    dial: Annotated[
        str | None, typer.Option(help="HOST:PORT of UDP at which others can dial the cluster's network here.")
    ] = None,
    dial_port: Annotated[int, typer.Option(min=0, max=65535, help="Where that leads to here, if to another port.")] = 0,
    internet: Annotated[
        bool, typer.Option("--internet", help="Let members reach the internet, though never this machine's networks.")
    ] = False,
    listen: Annotated[
        str, typer.Option(help="HOST:PORT of the agent's API; port 0 takes a free one.")
    ] = "127.0.0.1:7444",
    advertise: Annotated[
        list[str] | None,
        typer.Option(help="HOST:PORT at which others reach the API, where that is not --listen; repeatable."),
    ] = None,
    relay: Annotated[
        list[str] | None,
        typer.Option(help="HOST:PORT of a relay through which others reach the API; name two or more; repeatable."),
    ] = None,
    node: Annotated[str | None, typer.Option(help="Node address; needed after a rotation of the device key.")] = None,
    indexer: Annotated[
        list[str] | None,
        typer.Option(help="URL of an indexer to tell where the node is; the first takes result leaves; repeatable."),
    ] = None,
    also_url: Annotated[
        list[str] | None, typer.Option(help="Another RPC node, asked when the first fails or stands still; repeatable.")
    ] = None,
    isolation: Annotated[
        str, typer.Option(help="container, bubblewrap, own-user, landlock, none, or the best that works here.")
    ] = "best",
    trust_renters: Annotated[
        bool,
        typer.Option("--trust-renters", help="Serve where nothing keeps renters' code apart from the agent, too."),
    ] = False,
    runtime: Annotated[
        Path | None, typer.Option(help="Virtual environment with Ray for renters' code; by default the agent's own.")
    ] = None,
    num_cpus: Annotated[int | None, typer.Option(min=1, help="CPUs of a lease; by default the machine's.")] = None,
    memory_mib: Annotated[int | None, typer.Option(min=512, help="Memory of a lease; by default nine tenths.")] = None,
    disk_mib: Annotated[int | None, typer.Option(min=64, help="Files of a lease; by default a quarter.")] = None,
    object_store_mib: Annotated[
        int | None, typer.Option(min=76, help="Memory for Ray's objects; by default three tenths of the lease's.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=256, help="Processes and threads of a lease.")] = None,
    settle: Annotated[bool, typer.Option(help="Settle and close its own leases when that pays, as keepers do.")] = True,
    fee_payer: Annotated[
        Path | None, typer.Option(help="Keypair file that pays for settlements; by default the device key.")
    ] = None,
    poll_secs: Annotated[float, typer.Option(help="Seconds between looks at the chain.")] = 0.5,
    check_secs: Annotated[
        float, typer.Option(min=1, help="Seconds for which a renter may use the machine before they accept its lease.")
    ] = 120,
    as_json: AsJson = False,
) -> None:
    """Serve this machine's leases until interrupted; ending the agent ends its Ray processes."""
    import msgspec
    from ionet.advert import endpoint
    from ionet.daemon import log_to_stderr
    from ionet.ready import AgentReady

    from ionet_agent import service
    from ionet_agent.config import AgentConfig
    from ionet_agent.isolation.sizes import Wanted
    from ionet_agent.relay import RelayAddress

    log_to_stderr()
    host, port = _address(listen)
    config = AgentConfig(
        urls=(settings(ctx).url, *(also_url or ())),
        device_key=device_key,
        base=base.absolute(),
        ip=ip,
        ports=_range(ports),
        host=host,
        port=port,
        node=None if node is None else _pubkey(node),
        indexers=tuple(indexer or ()),
        advertise=tuple(map(_endpoint, advertise or ())),
        relays=tuple(str(RelayAddress.parse(text)) for text in relay or ()),
        isolation=isolation,
        trust=trust_renters,
        runtime=None if runtime is None else runtime.absolute(),
        wanted=Wanted(num_cpus, _mib(memory_mib), _mib(disk_mib), _mib(object_store_mib), processes),
        poll_secs=poll_secs,
        check_secs=check_secs,
        settles=settle,
        fee_payer=None if fee_payer is None else fee_payer.absolute(),
        network=_network(network, ip, dial, dial_port, tuple(relay or ()), internet=internet),
    )

    def announce(address: Pubkey, bound: int, level: str) -> None:
        api = f"https://{endpoint(ipaddress.ip_address(host), bound)}"
        ready = AgentReady(node=str(address), api=api, isolation=level)
        print_fields(msgspec.to_builtins(ready), as_json=as_json)

    asyncio.run(service.run(config, announce))


@app.command(name="runtime")
def make_runtime(
    folder: Annotated[
        Path | None, typer.Argument(help="Where; by default one for each version of Ray, as root below /opt/ionet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an environment with Ray for renters' code, to be named by `--runtime`; as root it is root's own."""
    from ionet_agent.isolation import new_runtime

    made = (folder or new_runtime.default_folder()).absolute()
    new_runtime.make(made)
    print_fields({"runtime": str(made)}, as_json=as_json)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        return str(address), int(port)
    except ValueError:
        raise ConfigError(f"{text!r} is not HOST:PORT") from None


def _network(
    kind: str, ip: str | None, dial: str | None, port: int, relays: tuple[str, ...], *, internet: bool
) -> NetworkConfig | None:
    """None for the machine's own. Raises ConfigError."""
    from ionet.overlay import is_public

    from ionet_agent.overlay.joining import NetworkConfig

    if kind == "loopback":
        if ip is None:
            raise ConfigError("say --ip, this node's address inside a cluster")
        if dial or port or internet:
            raise ConfigError("--dial, --dial-port and --internet are for --network wireguard")
        return None
    if kind != "wireguard":
        raise ConfigError(f"--network is {kind}, not loopback or wireguard")
    if ip is not None:
        raise ConfigError("with --network wireguard the address follows from the lease: leave --ip out")
    if dial is not None and not is_public(dial):
        raise ConfigError(f"--dial: {dial} is not a public address and its port")
    if dial is None and not relays:
        raise ConfigError("nobody can dial it without --dial: name a --relay, better two")
    return NetworkConfig(dial, port, relays, internet)


def _endpoint(text: str) -> str:
    from ionet.advert import BadAdvert, parse_endpoint

    try:
        return parse_endpoint(text)
    except BadAdvert as error:
        raise ConfigError(f"--advertise: {error.detail}") from None


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        ports = range(int(first), int(last) + 1)
    except ValueError:
        raise ConfigError(f"{text!r} is not FIRST-LAST") from None
    if not 1024 <= ports.start < ports.stop <= 65536:
        raise ConfigError(f"{text!r} is not a range of ports between 1024 and 65535")
    return ports


def _mib(number: int | None) -> int | None:
    return None if number is None else number * 1024 * 1024


def _pubkey(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a valid address") from None
