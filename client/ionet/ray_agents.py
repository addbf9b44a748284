"""Ray's agents of a node, each a Python with all of Ray (a second of a CPU, 70 MB), once somebody calls them.

`python -I -S …/ray_agents.py AGENT OPTION…` stands for one: it listens at the agent's port, writes down the ports for
which the node waits, and becomes the agent when somebody connects; who has connected is answered then. The one for
runtime environments is called by the node when a job wants one, that of the dashboard by `ionet.dashboard`. The node
exports no metrics.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence

DASHBOARD_PORTS = ("metrics_agent_port", "metrics_export_port")
_BACKLOG = 128
_INHERITED = "--inherited"


def main(arguments: Sequence[str]) -> None:
    """`arguments`: the agent's path and its own; before them, where it was called, the socket at which."""
    if arguments[0] == _INHERITED:
        _become(int(arguments[1]), arguments[2:])
    else:
        _wait(arguments)


def _wait(arguments: Sequence[str]) -> None:
    options = dict(text[2:].split("=", 1) for text in arguments[1:] if text.startswith("--") and "=" in text)
    name = "runtime_env_agent_port" if "runtime-env-agent-port" in options else "dashboard_agent_listen_port"
    port = int(options.get("runtime-env-agent-port") or options["listen-port"])
    with _listening(options["node-ip-address"], port) as waiting:
        if name == "dashboard_agent_listen_port":
            for unused in DASHBOARD_PORTS:
                _persist(options, unused, -1)
        _persist(options, name, port)
        # Ray's node holds the other end of the input, which ends with it.
        number = waiting.fileno()
        if number not in select.select([number, 0], [], [])[0]:
            return
        os.set_inheritable(number, True)
        command = [sys.executable, "-u", "-P", __file__, _INHERITED, str(number), *arguments]
        os.execv(sys.executable, command)


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    made.listen(_BACKLOG)
    return made


def _persist(options: Mapping[str, str], name: str, port: int) -> None:
    """As Ray's `persist_port`."""
    path = os.path.join(options["session-dir"], f"{name}_{options['node-id']}")
    with open(f"{path}.new", "w") as file:
        file.write(str(port))
    os.replace(f"{path}.new", path)


def _become(number: int, arguments: Sequence[str]) -> None:
    """The agent itself, in which whoever binds the address gets the socket that has it already."""
    import runpy

    address = socket.socket(fileno=os.dup(number)).getsockname()
    bind = socket.socket.bind

    def take(self: socket.socket, wanted: tuple[object, ...]) -> None:
        if wanted[:2] == address[:2]:
            os.dup2(number, self.fileno(), inheritable=False)
        else:
            bind(self, wanted)

    socket.socket.bind = take  # type: ignore[assignment,method-assign]
    sys.argv = list(arguments)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
