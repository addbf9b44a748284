"""Ray's dashboard, with its Jobs API, beside a head that was started without: `python -m ionet.dashboard IP PORT`.

It takes seconds to start and half a gigabyte, so it is started for whoever asks for it, by the function with which Ray
starts it where it is told so at once.
"""

from __future__ import annotations

import os
import sys

from ionet.check.member import WITNESS_VARIABLE


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
    return int(started.process.wait()) if started is not None else 1


if __name__ == "__main__":
    sys.exit(main())
