"""`ionet agent`: the program a supplier runs on each machine."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import Annotated

import typer
from ionet.cli.printing import AsJson, print_fields
from ionet.cli.session import settings
from solders.pubkey import Pubkey

app = typer.Typer(help="The node agent: serves leases with Ray and proves what it served.", no_args_is_help=True)


@app.command()
def run(
    ctx: typer.Context,
    device_key: Annotated[Path, typer.Option(help="Keypair file of the device, which pays for proofs.")],
    base: Annotated[Path, typer.Option(help="Folder for the agent's state; one per node.")],
    ports: Annotated[str, typer.Option(help="FIRST-LAST: ports of this node's Ray processes, at least 18.")],
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
    alarm_url: Annotated[str | None, typer.Option(help="URL that is told as JSON which alarms begin and end.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve this machine's leases until interrupted; ending the agent ends its Ray processes."""
    import msgspec
    from ionet.advert import endpoint
    from ionet.daemon import log_to_stderr
    from ionet.ready import AgentReady
    from ionet.webhooks import check_hook

    from ionet_agent import options, service
    from ionet_agent.config import AgentConfig
    from ionet_agent.isolation.sizes import Wanted
    from ionet_agent.relay import RelayAddress

    log_to_stderr()
    host, port = options.address(listen)
    config = AgentConfig(
        urls=(settings(ctx).url, *(also_url or ())),
        device_key=device_key,
        base=base.absolute(),
        ip=ip,
        ports=options.port_range(ports),
        host=host,
        port=port,
        node=None if node is None else options.pubkey(node),
        indexers=tuple(indexer or ()),
        advertise=tuple(map(options.endpoint, advertise or ())),
        relays=tuple(str(RelayAddress.parse(text)) for text in relay or ()),
        isolation=isolation,
        trust=trust_renters,
        runtime=None if runtime is None else runtime.absolute(),
        wanted=Wanted(
            num_cpus, options.mib(memory_mib), options.mib(disk_mib), options.mib(object_store_mib), processes
        ),
        poll_secs=poll_secs,
        check_secs=check_secs,
        settles=settle,
        fee_payer=None if fee_payer is None else fee_payer.absolute(),
        alarm_url=None if alarm_url is None else check_hook(alarm_url, "--alarm-url"),
        network=options.network(network, ip, dial, dial_port, tuple(relay or ()), internet=internet),
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
