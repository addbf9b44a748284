"""Keeps the process of an agent's machine side running, from the process that proves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process

import msgspec
from ionet.errors import IonetError

from ionet_agent.alarms import Alarms
from ionet_agent.config import AgentConfig, encode

_MODULE = "ionet_agent.machine"
BEAT_SECS = 1.0
"""How often the machine side says that it lives."""
CONFIG_VARIABLE = "IONET_AGENT_CONFIG"
"""Has the child's settings."""
_FIRST_BEAT_SECS, _SILENT_SECS = 180.0, 30.0
_STOP_SECS, _MIN_BACKOFF_SECS, _MAX_BACKOFF_SECS = 30.0, 0.5, 10.0
_log = logging.getLogger(__name__)


class MachineFailed(IonetError):
    """the process that serves the node's leases did not start"""


class MachineProcess:
    """One child at a time, started again when it ends or says nothing for a minute. `ready`: it has served once.

    must_start: whether it is an error that the first one does not come up, and not just another reason to try again.
    """

    def __init__(self, config: AgentConfig, listener: socket.socket, alarms: Alarms, *, must_start: bool) -> None:
        self._config, self._listener, self._alarms, self._must_start = config, listener, alarms, must_start
        self._child: Process | None = None
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()

    async def keep(self) -> None:
        """Until it is told to stop. Raises MachineFailed."""
        backoff = _MIN_BACKOFF_SECS
        while not self._stopping.is_set():
            beats = 0
            try:
                self._child = await self._spawn()
                beats = await self._follow(self._child)
                code = await self._child.wait()
            except OSError as error:  # no memory, no process, no file to be had now
                self._alarms.ring("machine process", str(error))
                code = -1
            if self._stopping.is_set():
                return
            if self._must_start and not self.ready.is_set():
                raise MachineFailed(f"it ended with {code}; the log says why")
            self._alarms.ring("machine process", f"it ended with {code} and is started again")
            backoff = _MIN_BACKOFF_SECS if beats > 30 else min(2 * backoff, _MAX_BACKOFF_SECS)
            await asyncio.sleep(backoff)

    async def _spawn(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _MODULE, str(self._listener.fileno()), str(os.getpid())),
            # Everybody can read a command line, and the RPC nodes' URLs may hold keys.
            env={**os.environ, CONFIG_VARIABLE: encode(self._config)},
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=[self._listener.fileno()],
            # Ctrl-C in a terminal is for this process, which tells the child when to end.
            start_new_session=True,
        )

    async def _follow(self, child: Process) -> int:
        """Read its beats and tell it the alarms, until it has ended or gone silent. Returns the number of beats."""
        assert child.stdout is not None
        beats, silences, patience = 0, 0, _FIRST_BEAT_SECS
        while True:
            try:
                async with asyncio.timeout(patience):
                    said = await child.stdout.read(64)
            except TimeoutError:
                silences += 1
                if silences == 1:  # perhaps this process stood still, and not the child
                    continue
                self._alarms.ring("machine process", f"it has said nothing for {2 * patience:g} s and is killed")
                self.kill()
                return beats
            if not said:
                return beats
            if not beats:
                self.ready.set()
                self._alarms.end("machine process")
            beats, silences, patience = beats + len(said), 0, _SILENT_SECS
            self._tell(child)

    def _tell(self, child: Process) -> None:
        """What is wrong on this side. Never waits for a child that does not read."""
        assert child.stdin is not None
        if not child.stdin.transport.get_write_buffer_size():
            child.stdin.write(msgspec.json.encode(dict(self._alarms.own)) + b"\n")

    async def stop(self) -> None:
        """End it and the Ray process; a child that does not end in time is killed and leaves Ray to the next agent."""
        self._stopping.set()
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECS):
                await child.wait()
        except TimeoutError:
            _log.warning("the machine side does not end: killing it", extra={"action": "machine_killed"})
            self.kill()

    def kill(self) -> None:
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
