"""The process that a supplier starts: it proves, and keeps the process of the machine side running.

That one holds everything a stranger can reach: the API, Ray, the results of tasks. Whatever happens to it, proofs go
on, and it is started again; what listens stays open meanwhile. It dies with this process, and Ray with neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from ionet.client import Client
from ionet.errors import AlreadyRunning, RpcError
from ionet.listening import listen
from ionet.wallet import read_keypair
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_agent.alarms import Alarms
from ionet_agent.config import AgentConfig, chain_of
from ionet_agent.journal import Journal
from ionet_agent.machine_process import MachineProcess
from ionet_agent.overlay import tools
from ionet_agent.proving import Proving
from ionet_agent.rpc_node_chain import RpcNodeChain
from ionet_agent.serve import BACKLOG
from ionet_agent.webhook import Webhook

_log = logging.getLogger(__name__)
# How long the chain is waited for before the first look at the node is given up.
_ANSWER_SECS = 10.0


async def run(config: AgentConfig, announce: Callable[[Pubkey, int, str], None]) -> None:
    """Run until SIGTERM or SIGINT, then end the Ray process too. `announce` gets node, API's port and isolation."""
    device = read_keypair(config.device_key)
    stopping, loop, alarms = asyncio.Event(), asyncio.get_running_loop(), Alarms()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_only_one(config.base))
        config = config.with_level()
        if config.network is not None:
            await tools.best()
        _log.info("isolation of renters' code: %s", config.isolation, extra={"action": "isolation"})
        listener = stack.enter_context(listen(config.host, config.port, "--listen", backlog=BACKLOG))
        node = config.node_of(device)
        clients = config.clients(device)
        for client in clients.values():
            stack.push_async_callback(client.rpc.close)
        journal = stack.enter_context(contextlib.closing(Journal(config.journal)))
        if not journal.leases():
            await _require_node(next(iter(clients.values())), node, device)
        proving = Proving(
            chain_of(clients, node, device, alarms),
            journal,
            config.provider(node, config.place()),
            config.spools,
            alarms=alarms,
            uploads=bool(config.indexers),
            poll_secs=config.poll_secs,
        )
        # With leases to prove, proofs matter more than that the machine side cannot serve.
        machine = MachineProcess(config, listener, alarms, must_start=not journal.leases())
        tasks = [asyncio.create_task(work) for work in (proving.run(), machine.keep(), stopping.wait())]
        tasks.append(
            asyncio.create_task(_announce(machine, lambda: announce(node, listener.getsockname()[1], config.isolation)))
        )
        if config.alarm_url is not None:
            tasks.append(asyncio.create_task(Webhook(config.alarm_url, str(node), alarms.all).run()))
        try:
            await asyncio.wait(tasks[:3], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks[:2]:
                if task.done():
                    task.result()  # an error nobody expected: end, and leave Ray to the next agent
            await machine.stop()
        finally:
            # Cancelling is safe at any point, just as a kill is.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            machine.kill()


async def _require_node(client: Client, node: Pubkey, device: Keypair) -> None:
    """Raises NodeUnusable where the chain says that there is nothing to serve. Without its answer the agent begins."""
    with contextlib.suppress(RpcError, TimeoutError):
        async with asyncio.timeout(_ANSWER_SECS):
            await RpcNodeChain(client, node, device).view()


async def _announce(machine: MachineProcess, announce: Callable[[], None]) -> None:
    await machine.ready.wait()
    announce()


@contextlib.contextmanager
def _only_one(base: Path) -> Iterator[None]:
    """Hold the folder: two agents with one device key would contradict each other on the chain."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (base / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(str(base)) from None
        yield
