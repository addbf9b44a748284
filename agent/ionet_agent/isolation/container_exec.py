"""`container_exec.py RUNNER -- COMMAND…`: becomes a container runtime's client, for a command with this environment.

RUNNER is JSON: {"before": [word…], "after": [word…], "home": folder}, the client's own words on both sides of the
environment. Of the variables the client itself sees only those by which nobody sets anything in it; Ray's are among
them, so that no secret is in a command line. Standard library only, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

_BY_NAME = ("RAY_", "IONET_")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What runtimes and the shell add by themselves.
_ADDED = ("HOME", "HOSTNAME", "PATH", "PWD", "TERM", "container")


def client(
    runner: Mapping[str, list[str] | str], command: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The client's words and its own environment."""
    shown = {name: value for name, value in environment.items() if name.startswith(_BY_NAME)}
    words = [*runner["before"]]
    for name, value in environment.items():
        words += ["--env", name if name in shown else f"{name}={value}"]
    words += [*runner["after"], "/usr/bin/env", "--default-signal=INT,QUIT", f"--chdir={runner['home']}"]
    words += [f"--unset={name}" for name in _ADDED if name not in environment]
    return [*words, *command], {**shown, "PATH": _PATH}


def main(arguments: Sequence[str]) -> None:
    words, environment = client(json.loads(arguments[0]), arguments[2:], os.environ)
    os.execve(words[0], words, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
