"""Provider `local`: Ray nodes as owned processes on this machine.

Ray's own `ray stop` is never called: it ends every Ray process on the machine, other leases included.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import msgspec
from ionet.agent_api import Phase, Role, Spec, Status
from ionet.agent_errors import MovedAlready, NodeBusy, NodeIdle
from ionet.agent_ports import ON_DEMAND, Port
from ionet.errors import ConfigError

from ionet_agent import listening, processes
from ionet_agent.files import read_foreign, trim_foreign, write_private
from ionet_agent.isolation.base import Room, show
from ionet_agent.isolation.place import Place
from ionet_agent.overlay.joining import ClusterNetwork
from ionet_agent.providers.beside import Beside, LocalDriver, Record, folder_of, has_jobs
from ionet_agent.providers.ray_node import MIN_PORTS, MODULE, STARTED, RayNode
from ionet_agent.results import Results

STOP_GRACE_SECS = 5.0
_REPLACED_BY_RAY = ("127.0.0.1", "localhost", "::1")
# Ray says near the start of its log that it has started, and at the end why it ended.
_LOG_HEAD, _LOG_TAIL = 64 * 1024, 4 * 1024
# Ray keeps unix sockets some 70 characters below its temporary folder, and a socket path ends at 107.
_MAX_TEMP_LEN = 36
_MAX_LOG = 16 * 1024 * 1024
# How long it may take until the member is inside its room.
_ENTER_SECS = 10.0
_log = logging.getLogger(__name__)


class LocalProvider:
    """Runs one Ray node of this machine; a `Provider`.

    `base` keeps its state file; the results of a lease's tasks go into the file of its name in the folder `spool`. `ip`
    and `ports` are the node's own; several nodes of one machine take different loopback addresses, but not 127.0.0.1,
    which Ray replaces by the address of the first interface. `place`: how members run here. `network`: that of
    clusters, in which the ip follows from the lease; None for the machine's own. Raises ConfigError for what cannot
    work.
    """

    def __init__(
        self,
        base: Path,
        *,
        node: str,
        ip: str | None,
        ports: range,
        spool: Path,
        place: Place,
        network: ClusterNetwork | None = None,
    ) -> None:
        if ip in _REPLACED_BY_RAY:
            raise ConfigError(f"Ray replaces {ip} by another address; use another of 127.0.0.0/8")
        if len(ports) < MIN_PORTS:
            raise ConfigError(f"a Ray node needs at least {MIN_PORTS} ports, got {len(ports)}")
        if len(tempfile.gettempdir()) > _MAX_TEMP_LEN - len("/ionet-") - 16:
            raise ConfigError(f"the temporary folder {tempfile.gettempdir()} has too long a name for Ray's sockets")
        self._ray, self._place = RayNode(node, ip, ports, place.limits, place.runtime), place
        self._state, self._spool, self._results = base / "ray.json", spool, Results()
        self._tag_prefix, self._network = tag_prefix(base), network
        self._child: subprocess.Popen[bytes] | None = None
        self._beside = Beside(self._ray, place, self._is_outside)
        self._starting: str | None = None  # the tag of what may have no process yet
        self._lock = asyncio.Lock()
        for folder in (base, spool):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """host:port at which this node serves as a head, where that is always the same."""
        return self._ray.address("")

    @property
    def ports(self) -> dict[Port, int]:
        """Where members of it have what others may ask for."""
        return {Port.CHECK: self._ray.check_port, Port.RAY: self._ray.client_port, Port.DASHBOARD: self._ray.web_port}

    @property
    def spec(self) -> Spec | None:
        """What was last asked to run, until it is stopped."""
        record = self._load()
        return record.spec if record else None

    async def adopt(self) -> Status:
        """After a crash of the owner: take over what runs, end what it left behind (drivers, half-started nodes)."""
        async with self._lock:
            record = self._load()
            if record is None:
                return self._idle()
            await processes.stop(f"{record.tag}-driver", None, 0)
            if record.pid is None:
                # The owner died between the start and the record. Others may have joined what runs: keep it.
                record.pid = next((pid for pid in processes.tagged(record.tag) if processes.runs(pid, MODULE)), None)
                record.start_ticks = processes.start_ticks(record.pid) if record.pid is not None else None
                self._save(record)
            if self._running(record):
                await self._listen(record)
                await self._entered(record)
                await self._beside.check_again(record)
            else:
                await self._end(record, None)
            return self._status(record)

    async def start(self, spec: Spec, move_secs: float = 0) -> Status:
        async with self._lock:
            record, moved = self._load(), None
            if record is not None:
                moved = record.moved
                if record.spec.has_moved(spec):
                    if moved is not None and 0 <= time.time() - moved < move_secs:
                        raise MovedAlready(f"it moves once in {move_secs:g} s")
                    moved = time.time()
                elif not record.spec.same_member(spec):
                    raise NodeBusy(f"it serves lease {record.spec.lease}")
                elif self._running(record):
                    return self._status(record)
                # To a head that it leaves there is nothing to hand back.
                await self._clear(record, quick=record.moved != moved)
            network = None if self._network is None else await self._network.enter(spec.lease)
            tag = self._tag_prefix + secrets.token_hex(4)
            room = await asyncio.to_thread(self._place.room, tag, folder_of(tag), spec.processors, network)
            record = Record(spec=spec, tag=tag, since=time.time(), room=room, moved=moved)
            self._starting = tag
            try:
                await self._spawn(record, room)
            finally:
                self._starting = None
            await self._entered(record)
            await self._beside.check_again(record)
            return self._status(record)

    async def _spawn(self, record: Record, room: Room) -> None:
        """Make its room, and Ray's process in it. Raises OSError."""
        # On disk first: whatever dies between here and the second save, the tag finds what was started.
        self._save(record)
        room.folder.mkdir(mode=0o700)
        await asyncio.to_thread(self._place.furnish, room)
        _prepare(room, record.spec)
        await self._results.open(room.folder, self._spool / record.spec.lease)
        self._child = processes.spawn(
            self._place.isolation(room).wrap(self._ray.command(record.spec, room), room),
            self._ray.environment(record.spec, room),
            record.tag,
            room.folder / "ray.log",
            room.folder,
        )
        record.pid, record.start_ticks = self._child.pid, processes.start_ticks(self._child.pid)
        self._save(record)

    async def _entered(self, record: Record) -> None:
        """Wait until Ray itself runs: only then can others join it."""
        deadline = time.monotonic() + _ENTER_SECS
        while processes.module_of(record.tag, MODULE) is None and self._running(record):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.01)

    async def tend(self) -> Status:
        async with self._lock:
            record = self._load()
            if record is None:
                return self._idle()
            if self._running(record) and self._is_outside(record) and self._network is not None and self._network.path:
                _log.warning("its network was made again; so is the member", extra={"action": "network_lost"})
                await self._end(record, None)
            elif self._running(record):
                await self._beside.check_again(record)
            for name in ("ray.log", "check.log", *(f"{what}.log" for what in ON_DEMAND)):
                trim_foreign(folder_of(record.tag) / name, _MAX_LOG, _LOG_HEAD)
            return self._status(record)

    def _is_outside(self, record: Record) -> bool:
        """Whether it lives in a network that is gone."""
        told = None if record.room is None else record.room.network
        return told is not None and (self._network is None or self._network.path != told)

    async def restart(self) -> Status:
        """Start the last member again when its process has ended (with the same parameters)."""
        spec = self.spec
        return await self.start(spec) if spec else self._idle()

    async def status(self, lease: str | None = None) -> Status:
        record = self._load()
        return self._status(record) if record else self._idle(lease or "")

    async def stop(self, lease: str) -> Status:
        async with self._lock:
            record = self._load()
            if record is None:
                return self._idle()
            if record.spec.lease != lease:
                raise NodeBusy(f"it serves lease {record.spec.lease}")
            await self._clear(record)
            if self._network is not None:
                await self._network.leave(lease)
            self._state.unlink(missing_ok=True)
            return self._idle()

    async def close(self) -> None:
        """Take no results any more; what runs goes on."""
        await self._results.close()

    async def _listen(self, record: Record) -> None:
        """Take results again, unless the renter's code has made that impossible: nothing else depends on it."""
        try:
            await self._results.open(folder_of(record.tag), self._spool / record.spec.lease)
        except OSError as error:
            _log.warning("no results are taken: %s", error, extra={"action": "no_results"})

    async def _clear(self, record: Record, *, quick: bool = False) -> None:
        await self._results.close()
        await self._beside.stop(record.tag)
        # Only a node that is part of a cluster has something to hand back before it ends.
        up = not quick and self._status(record).phase is Phase.UP
        await self._end(record, processes.module_of(record.tag, MODULE) if up else None)
        if self._child is not None:
            self._child.wait()
        self._child = None
        self._beside.forget()
        # In a thread: a renter's code can have made more files than can be removed between two looks at the chain.
        await asyncio.to_thread(self._place.clear, self._beside.room(record))

    async def _end(self, record: Record, main: int | None) -> None:
        room = self._beside.room(record)
        await processes.stop(record.tag, main, STOP_GRACE_SECS, lambda: self._place.isolation(room).sweep(room))

    def _running(self, record: Record) -> bool:
        if self._child is not None:
            self._child.poll()
        return record.pid is not None and processes.start_ticks(record.pid) == record.start_ticks

    def _idle(self, lease: str = "") -> Status:
        return Status(Phase.IDLE, self._ray.address(lease), self._ray.ip_of(lease))

    def _status(self, record: Record) -> Status:
        lease, log = record.spec.lease, folder_of(record.tag) / "ray.log"
        address, ip = self._ray.address(lease), self._ray.ip_of(lease)
        if record.pid is None and record.tag == self._starting:
            return Status(Phase.STARTING, address, ip, lease, since=record.since, joins=record.spec.address)
        if record.pid is None or not self._running(record):
            reason = _last_line(read_foreign(log, -_LOG_TAIL, _LOG_TAIL)) or "the Ray process never started"
            return Status(Phase.FAILED, address, ip, lease, reason=reason, joins=record.spec.address)
        phase = Phase.UP if STARTED in read_foreign(log, 0, _LOG_HEAD) else Phase.STARTING
        check = f"{ip}:{self._ray.check_port}"
        return Status(phase, address, ip, lease, since=record.since, check=check, joins=record.spec.address)

    def _load(self) -> Record | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Record, dec_hook=lambda kind, text: kind(text))
        except FileNotFoundError:
            return None

    def _save(self, record: Record) -> None:
        write_private(self._state, msgspec.json.encode(record, enc_hook=str))

    async def run_driver(self, script: bytes, *, both_ways: bool = False) -> LocalDriver:
        """Start a Python driver beside the running member; its output is one pipe. Raises NodeIdle."""
        return await self._beside.driver(self._running_record(), script, both_ways=both_ways)

    async def show(self, port: Port) -> None:
        """Start what serves there beside the running head, unless it is there. Raises NodeIdle."""
        async with self._lock:
            record = self._running_record()
            if record.spec.role is not Role.HEAD:
                raise NodeIdle("the head is another node")
            try:
                await self._beside.show(record, port)
            except OSError as error:
                raise NodeIdle(str(error)) from None

    async def listener(self, port: int) -> str | None:
        """The address at which a process of the running member, or of its drivers, listens on the machine's network."""
        tag, ip = self._running_record().tag, self._ray.ip_of("")
        tags = (tag, *(f"{tag}-{what}" for what in ("driver", *ON_DEMAND)))
        return await asyncio.to_thread(listening.of, tags, port, ip)

    async def has_jobs(self) -> bool:
        """Whether a job runs beside the member that goes on without whoever began it."""
        record = self._load()
        return record is not None and await asyncio.to_thread(has_jobs, record.tag)

    def _running_record(self) -> Record:
        record = self._load()
        if record is None or not self._running(record):
            raise NodeIdle
        return record


def tag_prefix(base: Path) -> str:
    """How the tags begin of all processes that the agent with this folder starts."""
    return sha256(str(base.absolute()).encode()).hexdigest()[:8]


def _prepare(room: Room, spec: Spec) -> None:
    """What the lease may read of the agent's."""
    drivers = room.folder / "drivers"
    drivers.mkdir(mode=0o700)
    if room.user is not None:
        os.chown(drivers, -1, room.user)
        drivers.chmod(0o710)
    for name, text in (("ca.pem", spec.ca), ("node.pem", spec.certificate), ("node.key", spec.key)):
        write_private(room.folder / name, text.encode())
        show(room, room.folder / name)


def _last_line(text: bytes) -> str:
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""
