"""Whose socket a port of the machine is: found in real processes, each with its tag."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ionet_agent import listening
from ionet_agent.processes import TAG_VARIABLE

SERVE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 0), family=family) as made:
    print(made.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextmanager
def served(tag: str, address: str) -> Iterator[int]:
    command = [sys.executable, "-c", SERVE, address]
    environment = {**os.environ, TAG_VARIABLE: tag}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield int(child.stdout.readline())
        child.stdin.close()


@pytest.mark.parametrize(
    ("address", "found"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.5.5", "127.0.5.5"), ("0.0.0.0", "127.0.9.9"), ("::1", "::1")],
)
def test_a_port_is_of_whoever_listens_on_it(address: str, found: str) -> None:
    lease, owner = secrets.token_hex(8), secrets.token_hex(8)
    with served(lease, address) as port:
        assert listening.of((owner, lease), port, "127.0.9.9") == found
        assert listening.of((owner,), port, "127.0.9.9") is None
        assert listening.of((lease,), port + 1 if port < 65535 else port - 1, "127.0.9.9") is None
    assert listening.of((lease,), port, "127.0.9.9") is None
