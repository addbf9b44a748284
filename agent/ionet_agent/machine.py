"""The process of an agent's machine side: API, Ray, answers to bookings, uploads. `service` starts it.

Arguments: the descriptor of the listening socket, the parent's process id; the settings are in a variable. It beats on
its standard output and is told the other side's alarms on its standard input. It dies with its parent, at once and
without ending Ray, as if it had been killed itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

import msgspec
from ionet.agent_tls import serving_context
from ionet.check import devices
from ionet.daemon import log_to_stderr
from ionet.wallet import read_keypair

from ionet_agent.advert import Advertiser, endpoints_of
from ionet_agent.alarms import Alarms
from ionet_agent.auth import Gate
from ionet_agent.config import AgentConfig, chain_of, decode
from ionet_agent.gpu_watch import read
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.machine_process import BEAT_SECS, CONFIG_VARIABLE
from ionet_agent.opening import Opening
from ionet_agent.ports import MemberPorts
from ionet_agent.relay import RelayAddress, Relays
from ionet_agent.report import measure
from ionet_agent.serve import serving_on
from ionet_agent.server import Api
from ionet_agent.upload import LeafUploader
from ionet_agent.use import Use

_PR_SET_PDEATHSIG = 1
# Where memory ends, the kernel is to take this process and its children before the one that proves.
_OOM_SCORE = 500


async def run(config: AgentConfig, listener: socket.socket) -> None:
    """Run until SIGTERM, then end the Ray process too."""
    stopping, alarms = asyncio.Event(), Alarms()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    device = read_keypair(config.device_key)
    node = config.node_of(device)
    async with contextlib.AsyncExitStack() as stack:
        clients = config.clients(device)
        for client in clients.values():
            stack.push_async_callback(client.rpc.close)
        chain = chain_of(clients, node, device, alarms)
        journal = stack.enter_context(contextlib.closing(Journal(config.journal)))
        found = devices.find()
        place = config.place(found.devices)
        network = config.cluster_network(node, device)
        if network is not None:
            stack.push_async_callback(network.close)
        provider, report = config.provider(node, place, network), measure(found=found, isolation=place.about())
        stack.push_async_callback(provider.close)
        opening = Opening(journal, config.check_secs)
        uploader = LeafUploader(config.indexers[0], journal, device) if config.indexers else None
        if uploader is not None:
            stack.push_async_callback(uploader.close)
        loop = Loop(
            chain,
            journal,
            provider,
            opening,
            report_hash=report.hash(),
            alarms=alarms,
            uploader=uploader,
            network=network,
            poll_secs=config.poll_secs,
            gpus=partial(read, config.gpus),
        )
        gate = Gate(loop.view)
        use = Use(provider)
        gpus = partial(read, config.gpus)
        api = Api(gate, journal, opening, provider, report, alarms, network, gpus, config.weaker, use)
        ports = MemberPorts(gate, network, provider.ports, provider, use)
        tls = serving_context(device)
        connect = await stack.enter_async_context(serving_on(api.app(), listener, tls, ports.serve))
        relays = Relays(list(map(RelayAddress.parse, config.relays)), node, device, connect)
        host, bound, *_ = listener.getsockname()
        places = endpoints_of(host, bound, config.advertise, relayed=bool(config.relays))
        advertiser = Advertiser(
            config.indexers,
            node,
            device,
            report,
            places,
            relays=lambda: relays.connected,
            bandwidth=lambda: relays.bandwidth,
            cuda=await asyncio.to_thread(devices.cuda) if found.devices else None,
            weaker=config.weaker,
        )
        beside = [asyncio.create_task(work) for work in (_beat(alarms), advertiser.run(), relays.run(), use.run())]
        try:
            await loop.run(stopping)
        finally:
            for task in beside:
                task.cancel()


async def _beat(alarms: Alarms) -> None:
    """Say that this process lives, and listen; ends the process when the parent is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        try:
            os.write(1, b".")
        except OSError:
            os._exit(1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT_SECS):
                line = await reader.readline()
                if not line:
                    os._exit(1)
                alarms.tell(msgspec.json.decode(line, type=dict[str, str]))
                await asyncio.sleep(BEAT_SECS)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends. Linux only."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


def main() -> None:
    config, descriptor, parent = decode(os.environ.pop(CONFIG_VARIABLE)), int(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    log_to_stderr()
    with socket.socket(fileno=descriptor) as listener:
        asyncio.run(run(config, listener))


if __name__ == "__main__":
    main()
