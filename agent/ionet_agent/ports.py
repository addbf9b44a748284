"""Leads callers to ports of the member and to programs beside it (`ionet.agent_ports`): into the lease, nowhere else.

In a network of the cluster's own, a port is one of that network, whatever listens there. On the machine's network, it
is one on which a process of the lease itself listens: neither the owner's services nor their network are reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping

import msgspec
from ionet.agent_errors import (
    AgentRefused,
    BadRequest,
    NodeIdle,
    NotJoined,
    OtherLease,
    TooManyPorts,
    problem_of,
)
from ionet.agent_ports import MAX_LINE, MAX_PROGRAM, ON_DEMAND, Opened, Port, Wanted
from solders.pubkey import Pubkey

from ionet_agent.auth import Gate
from ionet_agent.overlay.joining import ClusterNetwork
from ionet_agent.providers.base import Provider
from ionet_agent.relay import Stream, splice
from ionet_agent.use import Use

MOST_CHECKS, MOST_TUNNELS = 8, 40
_LINE_SECS, _CHECK_SECS = 5.0, 180.0
_MAY_SECS = 10.0
"""How often it is asked whether who is connected may still act for the lease."""
TUNNEL_IDLE_SECS = 3_600.0
"""After how long a tunnel that carries nothing is closed, as by a relay: it counts as use, and has a place."""
_START_SECS, _LOOK_SECS = 60.0, 0.2
"""How long it may take until what is served on demand listens, and how often that is looked at."""
_log = logging.getLogger(__name__)


class MemberPorts:
    """Of one node. ports: where its members have what can be asked for by name. network: None for the machine's.

    provider, use: None where there is nothing but the check to lead to.
    """

    def __init__(
        self,
        gate: Gate,
        network: ClusterNetwork | None,
        ports: Mapping[Port, int],
        provider: Provider | None = None,
        use: Use | None = None,
    ) -> None:
        self._gate, self._network, self._ports = gate, network, ports
        self._provider, self._use = provider, use
        self._checks, self._tunnels = asyncio.Semaphore(MOST_CHECKS), asyncio.Semaphore(MOST_TUNNELS)

    async def serve(self, key: Pubkey, stream: Stream) -> None:
        """A connection of the holder of `key`, from its first line to its end."""
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    wanted = await _wanted(stream[0])
                    there = await self._opened(key, wanted, stream, stack)
                except AgentRefused as error:
                    await _say(stream, Opened(problem_of(error)))
                    return
                await _say(stream, Opened())
                await self._pass(key, wanted, stream, there)
        except OSError as error:
            _log.info("a connection ended: %s", error, extra={"action": "port_lost"})

    async def _opened(self, key: Pubkey, wanted: Wanted, stream: Stream, stack: contextlib.AsyncExitStack) -> Stream:
        """What to connect the caller with, until the stack is left. Raises AgentRefused."""
        is_check = wanted.port == Port.CHECK
        # The check is the launcher's own: no key that a wallet names opens it.
        lease = await self._gate.admit(key, None if is_check else wanted.delegation)
        if wanted.lease != str(lease.address):
            raise OtherLease
        places = self._checks if is_check else self._tunnels
        if places.locked():
            raise TooManyPorts(f"at most {MOST_CHECKS if is_check else MOST_TUNNELS}")
        await stack.enter_async_context(places)
        if is_check:
            if self._network is None:
                raise NotJoined
            return await self._dialled(wanted.lease, self._ports[Port.CHECK], stack, loopback=False)
        if self._provider is None or self._provider.spec is None or self._provider.spec.lease != wanted.lease:
            raise NodeIdle
        if self._use is not None:
            stack.enter_context(self._use.connected())
        if wanted.port == Port.PROGRAM:
            return await stack.enter_async_context(self._program(await _program(stream[0], wanted.size)))
        if wanted.port in ON_DEMAND:
            await self._provider.show(wanted.port)
            return await self._awaited(wanted.lease, wanted.port, stack)
        number = self._ports[wanted.port] if isinstance(wanted.port, Port) else wanted.port
        return await self._dialled(wanted.lease, number, stack)

    async def _awaited(self, lease: str, port: Port, stack: contextlib.AsyncExitStack) -> Stream:
        """What may just have been started. Raises NodeIdle."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _START_SECS
        while True:
            try:
                return await self._dialled(lease, self._ports[port], stack)
            except NodeIdle:
                if loop.time() > until:
                    raise
                await asyncio.sleep(_LOOK_SECS)

    async def _dialled(
        self, lease: str, port: int, stack: contextlib.AsyncExitStack, *, loopback: bool = True
    ) -> Stream:
        """Raises NodeIdle, NotJoined."""
        try:
            async with asyncio.timeout(_LINE_SECS * 2):
                if self._network is not None:
                    made = await self._network.dial(lease, port, loopback=loopback)
                    there = await asyncio.open_connection(sock=made)
                else:
                    assert self._provider is not None
                    address = await self._provider.listener(port)
                    if address is None:
                        raise NodeIdle(f"no process of the lease listens on port {port}")
                    there = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError) as error:
            raise NodeIdle(str(error)[:200] or "it does not answer") from None
        stack.callback(there[1].transport.abort)
        return there

    @contextlib.asynccontextmanager
    async def _program(self, script: bytes) -> AsyncIterator[Stream]:
        assert self._provider is not None
        driver = await self._provider.run_driver(script, both_ways=True)
        try:
            yield driver.streams
        finally:
            driver.kill()

    async def _pass(self, key: Pubkey, wanted: Wanted, stream: Stream, there: Stream) -> None:
        """Bytes both ways: of a check for its time, of a tunnel while it is used and its caller may act."""
        if wanted.port == Port.CHECK:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECS):
                    await splice(stream, there)
            return
        clock = asyncio.get_running_loop().time
        carried_at = clock()

        def carried() -> None:
            nonlocal carried_at
            carried_at = clock()

        passing = asyncio.ensure_future(splice(stream, there, carried))
        try:
            while not passing.done():
                await asyncio.wait((passing,), timeout=_MAY_SECS)
                if clock() - carried_at > TUNNEL_IDLE_SECS or not await self._may_go_on(key, wanted):
                    return
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)

    async def _may_go_on(self, key: Pubkey, wanted: Wanted) -> bool:
        """A chain that does not answer ends nothing."""
        try:
            lease = await self._gate.admit(key, wanted.delegation)
        except AgentRefused as error:
            return error.status >= 500
        return str(lease.address) == wanted.lease


async def _wanted(reader: asyncio.StreamReader) -> Wanted:
    try:
        async with asyncio.timeout(_LINE_SECS):
            line = await reader.readuntil(b"\n")
        if len(line) > MAX_LINE:
            raise BadRequest("the line is too long")
        return msgspec.json.decode(line, type=Wanted)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError) as error:
        raise BadRequest(f"no line came: {type(error).__name__}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(str(error)) from None


async def _program(reader: asyncio.StreamReader, size: int) -> bytes:
    """Who may act sends it behind the line. Raises BadRequest."""
    if not 0 < size <= MAX_PROGRAM:
        raise BadRequest(f"a program has 1 to {MAX_PROGRAM} bytes")
    try:
        async with asyncio.timeout(_LINE_SECS):
            return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
        raise BadRequest(f"no program came: {type(error).__name__}") from None


async def _say(stream: Stream, opened: Opened) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINE_SECS):
            stream[1].write(msgspec.json.encode(opened) + b"\n")
            await stream[1].drain()
