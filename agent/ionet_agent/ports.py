"""Hands callers with the session key on to ports of the member, inside its cluster's network (`ionet.agent_ports`)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

import msgspec
from ionet.agent_errors import AgentRefused, BadRequest, NodeIdle, NotJoined, OtherLease, TooManyPorts, problem_of
from ionet.agent_ports import MAX_LINE, Opened, Port, Wanted
from solders.pubkey import Pubkey

from ionet_agent.auth import Gate
from ionet_agent.overlay.joining import ClusterNetwork
from ionet_agent.relay import Stream, splice

MOST_OPEN = 8
_LINE_SECS, _OPEN_SECS = 5.0, 180.0
_log = logging.getLogger(__name__)


class MemberPorts:
    """Of one node. ports: where its members have what can be asked for. network: None where there is none."""

    def __init__(self, gate: Gate, network: ClusterNetwork | None, ports: Mapping[Port, int]) -> None:
        self._gate, self._network, self._ports = gate, network, ports
        self._open = 0

    async def serve(self, key: Pubkey, stream: Stream) -> None:
        """A connection of the holder of `key`, from its first line to its end."""
        try:
            there = await self._opened(key, stream)
        except AgentRefused as error:
            await _say(stream, Opened(problem_of(error)))
            return
        try:
            await _say(stream, Opened())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OPEN_SECS):
                    await splice(stream, there)
        finally:
            self._open -= 1
            there[1].transport.abort()

    async def _opened(self, key: Pubkey, stream: Stream) -> Stream:
        """Counted as open."""
        wanted = await _wanted(stream[0])
        lease = await self._gate.admit(key, None)
        if wanted.lease != str(lease.address):
            raise OtherLease
        if self._network is None:
            raise NotJoined
        if self._open >= MOST_OPEN:
            raise TooManyPorts(f"at most {MOST_OPEN}")
        self._open += 1
        try:
            made = await self._network.dial(wanted.lease, self._ports[wanted.port])
            return await asyncio.open_connection(sock=made)
        except OSError as error:
            self._open -= 1
            raise NodeIdle(str(error)[:200]) from None
        except BaseException:
            self._open -= 1
            raise


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


async def _say(stream: Stream, opened: Opened) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINE_SECS):
            stream[1].write(msgspec.json.encode(opened) + b"\n")
            await stream[1].drain()
