"""How a Ray node is started on this machine: its command line, its ports and its environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from ionet import ray_start
from ionet.agent_api import Role, Spec
from ionet.agent_ports import Port
from ionet.check.member import WITNESS_VARIABLE
from ionet.isolation import Limits
from ionet.overlay import address_of
from ionet.ray import RESULTS_VARIABLE

from ionet_agent import results
from ionet_agent.isolation.base import Room
from ionet_agent.isolation.runtime import Runtime

MODULE = "ionet.ray_start"
STARTED = ray_start.STARTED.encode()
_NAMED_PORTS = (
    "node-manager",
    "object-manager",
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "runtime-env-agent",
    "metrics-export",
)
_CHECK_PORT = 1 + len(_NAMED_PORTS)
_CLIENT_PORT, _WEB_PORT = _CHECK_PORT + 1, _CHECK_PORT + 2
_FIXED_PORTS = _WEB_PORT + 1
MIN_PORTS = _FIXED_PORTS + 8


@dataclass(frozen=True)
class RayNode:
    """What is the same for every member this machine runs. ip: None where it follows from the lease."""

    node: str
    ip: str | None
    ports: range
    limits: Limits
    runtime: Runtime

    def ip_of(self, lease: str) -> str:
        """Where the lease's member is inside its cluster."""
        return self.ip or address_of(lease)

    def address(self, lease: str) -> str:
        """host:port at which this node serves as the head of the lease's cluster."""
        return f"{self.ip_of(lease)}:{self.ports[0]}"

    @property
    def check_port(self) -> int:
        """At which a member of it answers the hardware check."""
        return self.ports[_CHECK_PORT]

    @property
    def client_port(self) -> int:
        """Of Ray's client, on a head where it was asked for."""
        return self.ports[_CLIENT_PORT]

    @property
    def web_port(self) -> int:
        """Of Ray's dashboard and Jobs API, on a head where they were asked for."""
        return self.ports[_WEB_PORT]

    def command_on_demand(self, lease: str, port: Port) -> list[str]:
        """Of ON_DEMAND, beside a head."""
        ip = self.ip_of(lease)
        if port is Port.DASHBOARD:
            return [str(self.runtime.python), "-m", "ionet.dashboard", ip, str(self.web_port)]
        environments = f"http://{ip}:{self.ports[1 + _NAMED_PORTS.index('runtime-env-agent')]}"
        return [
            *(str(self.runtime.python), "-m", "ray.util.client.server", f"--address={self.address(lease)}"),
            *(f"--host={ip}", f"--port={self.client_port}", f"--runtime-env-agent-address={environments}"),
        ]

    def check_command(self, lease: str) -> list[str]:
        """What answers the hardware check beside a member."""
        return [str(self.runtime.python), "-m", "ionet.check.member", self.ip_of(lease), str(self.check_port)]

    def command(self, spec: Spec, room: Room) -> list[str]:
        """`ray start` for a member in this room."""
        # `-m` and not the script on PATH: the runtime's interpreter and packages, whatever PATH says.
        command = [str(self.runtime.python), "-m", MODULE, "start", "--block", "--disable-usage-stats"]
        if spec.role is Role.HEAD:
            # What costs a start seconds that most jobs need not wait for is started on demand.
            command += ["--head", f"--port={self.ports[0]}", "--include-dashboard=false"]
        else:
            command += [f"--address={spec.address}"]
        ports = dict(zip(_NAMED_PORTS, self.ports[1:], strict=False))
        labels = {"ionet-node": self.node, "ionet-lease": spec.lease}
        return [
            *command,
            *(f"--{name}-port={port}" for name, port in ports.items()),
            f"--min-worker-port={self.ports[_FIXED_PORTS]}",
            f"--max-worker-port={self.ports[-1]}",
            f"--node-ip-address={self.ip_of(spec.lease)}",
            f"--temp-dir={room.inner}",
            f"--num-cpus={self.limits.cpus}",
            f"--num-gpus={spec.processors}",
            f"--object-store-memory={self.limits.object_store_bytes}",
            "--include-log-monitor=false",
            "--labels=" + ",".join(f"{key}={value}" for key, value in labels.items()),
            f"--resources={json.dumps({f'ionet-{self.node}': 1})}",
        ]

    def environment(self, spec: Spec, room: Room) -> dict[str, str]:
        """The environment of a Ray process or driver of this member: nothing of the agent's own leaks into it."""
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES") if name in os.environ}
        if room.visible is not None:
            kept["CUDA_VISIBLE_DEVICES"] = room.visible
        folder = room.folder
        return {
            **kept,
            "PATH": f"{self.runtime.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(room.home),
            # A lease's own user is in no list.
            "USER": "renter",
            "LOGNAME": "renter",
            "TMPDIR": str(room.temporary),
            "PYTHONUNBUFFERED": "1",
            # Said explicitly: Ray otherwise decides by whether there is a token file in HOME.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": spec.token,
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(folder / "node.pem"),
            "RAY_TLS_SERVER_KEY": str(folder / "node.key"),
            "RAY_TLS_CA_CERT": str(folder / "ca.pem"),
            "RAY_ADDRESS": spec.address,
            "RAY_USAGE_STATS_ENABLED": "0",
            # Its parts look for each other every second otherwise, also at the start; together as long as otherwise.
            "RAY_raylet_client_connect_timeout_milliseconds": "50",
            "RAY_raylet_client_num_connect_attempts": "200",
            # The server of Ray's client forks while others call gRPC, whose handlers then end the child (1.85).
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            "IONET_LEASE": spec.lease,
            "IONET_NODE": self.node,
            WITNESS_VARIABLE: str(room.inner / "witness"),
            RESULTS_VARIABLE: str(folder / results.NAME),
        }
