"""Ray's dashboard, with its Jobs API, beside a head that was started without: `python -m ionet.dashboard IP PORT`.

It takes seconds to start and half a gigabyte, so it is started for whoever asks for it, by the function with which Ray
starts it where it is told so at once. Jobs are run by the agent of the head's node, of which the node has started the
part that does without a dashboard: the whole of it is started beside, as the node would have started it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ionet.check.member import WITNESS_VARIABLE

_PLACEHOLDER = "RAY_NODE_MANAGER_PORT_PLACEHOLDER"  # Ray's, for the port that its node takes
_LOOK_SECS = 0.1


def main() -> int:
    """Serve until it is ended; its exit code. RAY_ADDRESS names the head."""
    from ray._private import ray_constants, services
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    ip, port, address = sys.argv[1], int(sys.argv[2]), os.environ["RAY_ADDRESS"]
    head = GcsClient(address=address)
    found = head.internal_kv_get(b"session_name", ray_constants.KV_NAMESPACE_SESSION)
    if found is None:
        return 1
    # Ray's own `--temp-dir`, which is the lease's folder.
    folder = os.path.dirname(os.environ[WITNESS_VARIABLE])
    session = os.path.join(folder, found.decode())
    agent = _start_agent(found.decode(), head)
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
    try:
        return int(started.process.wait()) if started is not None else 1
    finally:
        agent.kill()


def _start_agent(session: str, head: Any) -> subprocess.Popen[bytes]:
    """The agent of this node's session, again and whole. It ends with this process, which it takes for Ray's node.

    The node is asked how it started its own. Returns when jobs are handed to the new one. Raises ProcessLookupError.
    """
    from ray._private.ray_constants import KV_NAMESPACE_DASHBOARD
    from ray.dashboard.consts import DASHBOARD_AGENT_ADDR_NODE_ID_PREFIX

    node = _node_of(session)
    command = shlex.split(node["dashboard_agent_command"].replace(_PLACEHOLDER, node["node_manager_port"]))
    environment = {**os.environ, "RAY_NODE_ID": node["node_id"], "RAY_RAYLET_PID": str(os.getpid())}
    whole = [word for word in command if word != "--minimal"]
    place = f"{DASHBOARD_AGENT_ADDR_NODE_ID_PREFIX}{node['node_id']}".encode()
    before = head.internal_kv_get(place, KV_NAMESPACE_DASHBOARD)
    agent = subprocess.Popen(whole, env=environment, stdin=subprocess.PIPE)
    while head.internal_kv_get(place, KV_NAMESPACE_DASHBOARD) == before and agent.poll() is None:
        time.sleep(_LOOK_SECS)
    return agent


def _node_of(session: str) -> dict[str, str]:
    """With what Ray's node of a session was started."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            given = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
            if given.get("session-name") == session and "dashboard_agent_command" in given:
                return given
    raise ProcessLookupError("Ray's node does not run here")


if __name__ == "__main__":
    sys.exit(main())
