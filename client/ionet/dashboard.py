"""Ray's dashboard, with its Jobs API, beside a head that was started without: `python -m ionet.dashboard IP PORT`.

It takes seconds to start and half a gigabyte, so it is started for whoever asks for it, by the function with which Ray
starts it where it is told so at once. What it shows of a node the node's own agent tells it, which is called for that.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import Any

from ionet.check.member import WITNESS_VARIABLE

_CONNECT_SECS = 1.0
_PAUSE_SECS = 5.0


def main() -> int:
    """Serve until it is ended; its exit code. RAY_ADDRESS names the head."""
    from ray._private import ray_constants, services
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    ip, port, address = sys.argv[1], int(sys.argv[2]), os.environ["RAY_ADDRESS"]
    head = GcsClient(address=address)
    found = head.internal_kv_get(b"session_name", ray_constants.KV_NAMESPACE_SESSION)
    if found is None:
        return 1
    called: set[bytes] = set()
    call_agents(head, called)
    # Ray's own `--temp-dir`, which is the lease's folder.
    folder = os.path.dirname(os.environ[WITNESS_VARIABLE])
    session = os.path.join(folder, found.decode())
    _, started = services.start_api_server(
        include_dashboard=True,
        raise_on_failure=True,
        host=ip,
        gcs_address=address,
        cluster_id_hex=head.cluster_id.hex(),
        node_ip_address=ip,
        temp_dir=folder,
        logdir=os.path.join(session, "logs"),
        session_dir=session,
        port=port,
    )
    while started is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return int(started.process.wait(_PAUSE_SECS))
        call_agents(head, called)
    return 1


def call_agents(head: Any, called: set[bytes]) -> None:
    """Call those of the nodes that are not in `called`, and add them: `ionet.ray_agents` start when they are called."""
    with contextlib.suppress(Exception):  # the registry is silent: the next time
        for node in head.get_all_node_info(timeout=_PAUSE_SECS).values():
            if node.node_id not in called and node.dashboard_agent_listen_port > 0:
                called.add(node.node_id)
                where = (node.node_manager_address, node.dashboard_agent_listen_port)
                with contextlib.suppress(OSError), socket.create_connection(where, _CONNECT_SECS):
                    pass


if __name__ == "__main__":
    sys.exit(main())
