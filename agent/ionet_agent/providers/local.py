"""Provider `local`: Ray nodes as owned processes on this machine.

Ray's own `ray stop` is never called: it ends every Ray process on the machine, other leases included.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from ionet.agent_api import Phase, Role, Spec, Status
from ionet.ray import SPOOL_VARIABLE

from ionet_agent import processes
from ionet_agent.files import write_private
from ionet_agent.providers.base import BusyError, ProviderError

OBJECT_STORE_BYTES = 80 * 1024 * 1024
STOP_GRACE_SECS = 5.0
_MODULE = "ray.scripts.scripts"
_STARTED = b"Ray runtime started."
_REPLACED_BY_RAY = ("127.0.0.1", "localhost", "::1")
_NAMED_PORTS = (
    "node-manager",
    "object-manager",
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "runtime-env-agent",
    "metrics-export",
)
_FIXED_PORTS = 1 + len(_NAMED_PORTS)
_MIN_PORTS = _FIXED_PORTS + 8
# Ray keeps unix sockets some 70 characters below its temporary folder, and a socket path ends at 107.
_MAX_TEMP_LEN = 36


class Record(msgspec.Struct):
    """The state file: what was started, under which tag, and which process it became."""

    spec: Spec
    tag: str
    since: float
    """Unix seconds at which it was started."""
    pid: int | None = None
    start_ticks: int | None = None


class LocalProvider:
    """Runs one Ray node of this machine.

    `base` keeps its state file; tasks of a lease record results in the file of its name in the folder `spool`. `ip`
    and `ports` are the node's own; several nodes of one machine take different loopback addresses, but not 127.0.0.1,
    which Ray replaces by the address of the first interface. `num_cpus` is what Ray offers beside the processors.
    """

    def __init__(self, base: Path, *, node: str, ip: str, ports: range, spool: Path, num_cpus: int = 1) -> None:
        if ip in _REPLACED_BY_RAY:
            raise ProviderError(f"Ray replaces {ip} by another address; use another of 127.0.0.0/8")
        if len(ports) < _MIN_PORTS:
            raise ProviderError(f"a Ray node needs at least {_MIN_PORTS} ports, got {len(ports)}")
        if len(tempfile.gettempdir()) > _MAX_TEMP_LEN - len("/ionet-") - 16:
            raise ProviderError(f"the temporary folder {tempfile.gettempdir()} has too long a name for Ray's sockets")
        self._base, self._ports, self._node, self._spool = base, ports, node, spool
        self._ip, self._num_cpus = ip, num_cpus
        self._state = base / "ray.json"
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = asyncio.Lock()
        for folder in (base, spool):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """host:port at which this node serves as a head."""
        return f"{self._ip}:{self._ports[0]}"

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
            await processes.stop(_driver_tag(record.tag), None, 0)
            if record.pid is None:
                # The owner died between the start and the record. Others may have joined what runs: keep it.
                record.pid = next((pid for pid in processes.tagged(record.tag) if processes.runs(pid, _MODULE)), None)
                record.start_ticks = processes.start_ticks(record.pid) if record.pid is not None else None
                self._save(record)
            if not self._running(record):
                await processes.stop(record.tag, None, 0)
            return self._status(record)

    async def start(self, spec: Spec) -> Status:
        async with self._lock:
            record = self._load()
            if record is not None:
                if not record.spec.same_member(spec):
                    raise BusyError(f"the node already serves lease {record.spec.lease}")
                if self._running(record):
                    return self._status(record)
                await self._clear(record)
            record = Record(spec=spec, tag=secrets.token_hex(8), since=time.time())
            # On disk first: whatever dies between here and the second save, the tag finds what was started.
            self._save(record)
            folder = _prepare(_folder(record.tag), spec)
            self._child = processes.spawn(
                self._command(spec, folder), self._environment(spec, folder), record.tag, folder / "ray.log", folder
            )
            record.pid, record.start_ticks = self._child.pid, processes.start_ticks(self._child.pid)
            self._save(record)
            return self._status(record)

    async def restart(self) -> Status:
        """Start the last member again when its process has ended (with the same parameters)."""
        spec = self.spec
        return await self.start(spec) if spec else self._idle()

    async def status(self) -> Status:
        record = self._load()
        return self._status(record) if record else self._idle()

    async def stop(self, lease: str) -> Status:
        async with self._lock:
            record = self._load()
            if record is None:
                return self._idle()
            if record.spec.lease != lease:
                raise BusyError(f"the node serves lease {record.spec.lease}")
            await self._clear(record)
            self._state.unlink(missing_ok=True)
            return self._idle()

    async def _clear(self, record: Record) -> None:
        await processes.stop(_driver_tag(record.tag), None, 0)
        # Only a node that is part of a cluster has something to hand back before it ends.
        main = record.pid if self._status(record).phase is Phase.UP else None
        await processes.stop(record.tag, main, STOP_GRACE_SECS)
        if self._child is not None:
            self._child.wait()
            self._child = None
        shutil.rmtree(_folder(record.tag), ignore_errors=True)

    def _running(self, record: Record) -> bool:
        if self._child is not None:
            self._child.poll()
        return record.pid is not None and processes.start_ticks(record.pid) == record.start_ticks

    def _idle(self) -> Status:
        return Status(Phase.IDLE, self.address, self._ip)

    def _status(self, record: Record) -> Status:
        lease, log = record.spec.lease, _folder(record.tag) / "ray.log"
        text = log.read_bytes() if log.exists() else b""
        if record.pid is None or not self._running(record):
            reason = _last_line(text) or "the Ray process never started"
            return Status(Phase.FAILED, self.address, self._ip, lease, reason=reason)
        phase = Phase.UP if _STARTED in text else Phase.STARTING
        return Status(phase, self.address, self._ip, lease, since=record.since)

    def _load(self) -> Record | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def _save(self, record: Record) -> None:
        write_private(self._state, msgspec.json.encode(record))

    def _command(self, spec: Spec, folder: Path) -> list[str]:
        # `-m` and not the script on PATH: the same interpreter and packages as the agent, whatever PATH says.
        command = [sys.executable, "-m", _MODULE, "start", "--block", "--disable-usage-stats"]
        if spec.role is Role.HEAD:
            command += ["--head", f"--port={self._ports[0]}", "--include-dashboard=false"]
        else:
            command += [f"--address={spec.address}"]
        ports = dict(zip(_NAMED_PORTS, self._ports[1:], strict=False))
        labels = {"ionet-node": self._node, "ionet-lease": spec.lease}
        return [
            *command,
            *(f"--{name}-port={port}" for name, port in ports.items()),
            f"--min-worker-port={self._ports[_FIXED_PORTS]}",
            f"--max-worker-port={self._ports[-1]}",
            f"--node-ip-address={self._ip}",
            f"--temp-dir={folder}",
            f"--num-cpus={self._num_cpus}",
            f"--num-gpus={spec.processors}",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            "--include-log-monitor=false",
            "--labels=" + ",".join(f"{key}={value}" for key, value in labels.items()),
            f"--resources={json.dumps({f'ionet-{self._node}': 1})}",
        ]

    async def run_driver(self, script: bytes) -> asyncio.subprocess.Process:
        """Start a Python driver beside the running member; its output is one pipe. Raises ProviderError when idle."""
        record = self._load()
        if record is None or not self._running(record):
            raise ProviderError("no Ray node runs here")
        folder = _folder(record.tag)
        path = folder / "tmp" / f"driver-{secrets.token_hex(4)}.py"
        write_private(path, script)
        environment = {**self._environment(record.spec, folder), processes.TAG_VARIABLE: _driver_tag(record.tag)}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(path),
            env=environment,
            cwd=folder / "home",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _environment(self, spec: Spec, folder: Path) -> dict[str, str]:
        return {**_environment(spec, folder), SPOOL_VARIABLE: str(self._spool / spec.lease), "IONET_NODE": self._node}


def _environment(spec: Spec, folder: Path) -> dict[str, str]:
    """The environment of a Ray process or driver of this member: nothing of the agent's own leaks into it."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES") if name in os.environ}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONUNBUFFERED": "1",
        # Said explicitly: Ray otherwise decides by whether a token file lies in HOME.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": spec.token,
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(folder / "node.pem"),
        "RAY_TLS_SERVER_KEY": str(folder / "node.key"),
        "RAY_TLS_CA_CERT": str(folder / "ca.pem"),
        "RAY_ADDRESS": spec.address,
        "IONET_LEASE": spec.lease,
    }


def _folder(tag: str) -> Path:
    return Path(tempfile.gettempdir(), f"ionet-{tag}")


def _driver_tag(tag: str) -> str:
    return f"{tag}-driver"


def _prepare(folder: Path, spec: Spec) -> Path:
    folder.mkdir(mode=0o700)
    for name in ("home", "tmp"):
        (folder / name).mkdir(mode=0o700)
    for name, text in (("ca.pem", spec.ca), ("node.pem", spec.certificate), ("node.key", spec.key)):
        write_private(folder / name, text.encode())
    return folder


def _last_line(text: bytes) -> str:
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""
