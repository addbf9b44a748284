"""`python -m ionet.ray_start start …`: `ray start` of a cluster's member, without Ray's pauses.

All members are started at the same time, so a worker is always too early: Ray looks for its head every two seconds,
and afterwards every second whether its own node is known. Here a worker has imported Ray by the time at which the head
is up and sees it at once, and what Ray says at the end is said as soon as it is true.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ionet import ray_agents

STARTED = "Ray runtime started."
"""The words of `ray start` once the node is part of its cluster."""
# Looks become rarer: in a cluster of thousands all look at the head.
_FIRST_PAUSE_SECS, _LAST_PAUSE_SECS, _GROWTH = 0.05, 1.0, 1.2
_CONNECT_SECS, _ANSWER_SECS = 1.0, 5.0
# A fixed cluster has nothing to scale; it is there for `ray status`.
_LAST = ("/usr/bin/nice", "-n", "19")
# For so long; Ray goes on by itself then, and says what is wrong.
_PATIENCE_SECS = 30.0


def main(arguments: Sequence[str]) -> None:
    """For `start` it is Ray from then on."""
    # Commands that are not `start`, and import as much as all of the rest.
    for unused in ("ray.util.state.state_cli", "ray.dashboard.modules.job.cli", "ray.serve.scripts"):
        sys.modules[unused] = None  # type: ignore[assignment]
    ray = importlib.import_module("ray.scripts.scripts")
    given = dict(text.split("=", 1) for text in arguments if text.startswith("--") and "=" in text)
    ip, folder = given["--node-ip-address"], given["--temp-dir"]
    head = given.get("--address")
    _start_less(ray)
    address = head or f"{ip}:{given['--port']}"
    if head is not None:
        await_node(address, {"is_head_node": True}, None)
    threading.Thread(target=_say, args=(address, {"node_ip_address": ip}, folder), daemon=True).start()
    ray.main()


def _start_less(scripts: Any) -> None:
    """What costs a start seconds, and nobody waits for, comes once somebody asks for it, or beside all else."""
    services: Any = importlib.import_module("ray._private.services")
    utils: Any = importlib.import_module("ray._private.utils")
    python, start = services._build_python_executable_command_memory_profileable, services.start_ray_process

    def build(component: str, *about: Any, **more: Any) -> list[str]:
        if component in ("dashboard_agent", "runtime_env_agent"):
            return [sys.executable, "-I", "-S", ray_agents.__file__]
        return list(python(component, *about, **more))

    def start_process(command: list[str], kind: str, *about: Any, **more: Any) -> Any:
        return start([*_LAST, *command] if kind == "monitor" else command, kind, *about, **more)

    services._build_python_executable_command_memory_profileable = build
    services.start_ray_process = start_process
    services.start_api_server = lambda *_, **__: ("", None)
    utils.get_dashboard_dependency_error = lambda: None
    scripts.get_ray_client_dependency_error = lambda: ImportError("not at the start")


def await_node(address: str, wanted: dict[str, Any], folder: str | None, secs: float = _PATIENCE_SECS) -> bool:
    """Wait until the cluster whose head is at host:port knows a living node.

    wanted: by which Ray selects nodes. folder: its temporary one, which no node had before. False where that takes
    longer, or cannot be found out.
    """
    host, _, port = address.rpartition(":")
    pauses = _pauses(secs)
    try:
        while not _is_open(host, int(port)):
            time.sleep(next(pauses))
        nodes = _Nodes(address, wanted)
        while not any(folder is None or node.temp_dir == folder for node in nodes.alive()):
            time.sleep(next(pauses))
    except Exception:  # pauses have ended, too
        return False  # Ray's own way is slower, and says more
    return True


class _Nodes:
    """Those that a cluster's registry selects."""

    def __init__(self, address: str, wanted: dict[str, Any]) -> None:
        requests = importlib.import_module("ray.core.generated.gcs_service_pb2")
        self._selector = requests.GetAllNodeInfoRequest.NodeSelector(**wanted)
        self._alive = importlib.import_module("ray.core.generated.gcs_pb2").GcsNodeInfo.GcsNodeState.ALIVE
        self._client = importlib.import_module("ray._raylet").GcsClient(address=address)

    def alive(self) -> list[Any]:
        found = self._client.get_all_node_info(
            timeout=_ANSWER_SECS, node_selectors=[self._selector], state_filter=self._alive
        )
        return list(found.values())


def _say(address: str, wanted: dict[str, Any], folder: str) -> None:
    if await_node(address, wanted, folder):
        os.write(1, f"{STARTED}\n".encode())


def _pauses(secs: float) -> Iterator[float]:
    """Seconds between looks, for `secs` in all."""
    until, pause = time.monotonic() + secs, _FIRST_PAUSE_SECS
    while time.monotonic() < until:
        yield pause
        pause = min(pause * _GROWTH, _LAST_PAUSE_SECS)


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _CONNECT_SECS):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
