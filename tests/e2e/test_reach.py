"""What of a cluster's head is here: Ray's client, jobs, dashboard, other ports, a shell; and what is out of reach.

The cluster is what the quick start for renters rents and ends.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import pty
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from e2e.renter import CLIENT, Renter, rented_from
from launcher.ports import free_range
from quick_starts import job, lines

DASHBOARD = """
import json, os, time, urllib.error, urllib.request
server, until = os.environ["RAY_API_SERVER_ADDRESS"], time.monotonic() + 200
url = server + "/api/version"
try:
    urllib.request.urlopen(url, timeout=60)
    raise SystemExit("the dashboard asks for no token")
except urllib.error.HTTPError as error:
    print(error.code)
token = open(os.environ["RAY_AUTH_TOKEN_PATH"]).read()
def ask(url):
    return urllib.request.urlopen(urllib.request.Request(url, headers={"authorization": "Bearer " + token}), timeout=60)
print(ask(url).status)
# What a node's own agent measures, once it has been called.
while time.monotonic() < until:
    nodes = json.load(ask(server + "/nodes?view=summary"))["data"]["summary"]
    if nodes and all(node.get("mem") and node.get("disk") and "cpu" in node for node in nodes):
        print("measured")
        break
    time.sleep(0.5)
"""
SECS = 240


@pytest.fixture(scope="module")
def renter() -> Iterator[Renter]:
    folder = Path(tempfile.mkdtemp(prefix="", dir="/tmp"))
    folder.chmod(0o755)
    _, wallet, *typed = lines("renter")
    assert wallet == "export IONET_KEYPAIR=~/.local/share/ionet/up/renter.json"
    run, said, down = (shlex.split(line)[1:] for line in typed)
    with rented_from(folder) as made:
        (made.folder / "job.py").write_text(job())
        first = made.run(*run, said="y\n")
        assert (first.returncode, first.stdout) == (0, "1.0 GPU\n"), first.stderr
        assert made.run(*said).stdout == "hello\n"
        yield made
        ended = made.run(*down, said="y\n")
        assert ended.returncode == 0, ended.stderr
    shutil.rmtree(folder)


def through(renter: Renter, *words: str) -> subprocess.CompletedProcess[str]:
    """A command with what it needs in its environment, behind a tunnel of its own."""
    return renter.run("tunnel", "first", *words)


def test_ray_computes_through_the_tunnel(renter: Renter) -> None:
    done = through(renter, "0:ray", "--", sys.executable, "-c", CLIENT)
    assert (done.returncode, done.stdout) == (0, "285\n"), done.stderr


def test_a_job_is_submitted_and_the_dashboard_answers_whoever_has_the_token(renter: Renter) -> None:
    (renter.folder / "job.py").write_text("import ray; ray.init(); print('said', 6 * 7)")
    ray = str(Path(sys.executable).with_name("ray"))
    submit = (ray, "job", "submit", "--working-dir", ".", "--", "python", "job.py")
    done = through(renter, "0:dashboard", "--", *submit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "said 42" in done.stdout
    asked = through(renter, "0:dashboard", "--", sys.executable, "-c", DASHBOARD)
    assert (asked.returncode, asked.stdout) == (0, "401\n200\nmeasured\n"), asked.stdout + asked.stderr


@contextmanager
def opened(renter: Renter, remote: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A port of this machine that leads to one of the head, and the command that leads there."""
    local = free_range(1)[0]
    with renter.begin("tunnel", "first", f"{local}:{remote}") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"port {remote}   127.0.0.1:{local}\n", line
        try:
            yield local, process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def got(port: int) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as http_client:
        http_client.request("GET", "/served.txt")
        return http_client.getresponse().read()


def test_a_port_of_the_leases_own_is_reached(renter: Renter) -> None:
    remote = free_range(1)[0]
    server = f"printf served > served.txt; exec python -m http.server {remote} --bind 127.0.0.1"
    begun = renter.run("run", "--name", "first", "--detach", "--", "sh", "-c", server)
    assert begun.returncode == 0, begun.stderr
    with opened(renter, remote) as (local, _):
        until = time.monotonic() + SECS
        while True:  # it may not listen yet
            try:
                assert got(local) == b"served"
                break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < until
                time.sleep(0.2)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_the_owners_own_services_are_out_of_reach(renter: Renter, address: str) -> None:
    """What serves on the machine of the node, for its owner alone or for all of the owner's network."""
    with socket.create_server((address, 0)) as owners:
        owners.settimeout(1)
        with opened(renter, owners.getsockname()[1]) as (local, process):
            with socket.create_connection(("127.0.0.1", local), 60) as caller:
                caller.settimeout(60)
                try:
                    caller.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    assert caller.recv(1) == b""
                except ConnectionError:
                    pass  # the same
            assert process.stderr is not None
            assert "no process of the lease listens on port" in process.stderr.readline()
        with pytest.raises(TimeoutError):
            owners.accept()


class Terminal:
    """`ionet ssh` on a terminal of 33 rows and 77 columns."""

    def __init__(self, renter: Renter) -> None:
        pid, self.master = pty.fork()
        if pid == 0:
            os.chdir(renter.folder)
            os.execvpe(sys.executable, renter.command("ssh", "first"), {**renter.environment, "TERM": "dumb"})
        self.pid, self.seen = pid, b""
        self.resize(33, 77)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, text: str) -> None:
        deadline = time.monotonic() + SECS
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 1)[0]:
                self.seen += os.read(self.master, 4096)

    def code(self) -> int:
        deadline = time.monotonic() + SECS
        while time.monotonic() < deadline:
            with_status = os.waitpid(self.pid, os.WNOHANG)
            if with_status[0]:
                os.close(self.master)
                return os.waitstatus_to_exitcode(with_status[1])
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.master, 4096)
                except OSError:
                    continue
        raise AssertionError(self.seen)


def test_a_shell_has_a_terminal_whose_size_keys_and_exit_code_are_ours(renter: Renter) -> None:
    shell = Terminal(renter)
    shell.until("$ ")
    shell.type("echo lease=${IONET_LEASE:+here} $((6*7))\r")
    shell.until("lease=here 42")
    shell.resize(44, 88)
    shell.type("until [ \"$(stty size)\" = '44 88' ]; do sleep 0.1; done; echo si''ze\r")
    shell.until("size")
    # Ctrl-C ends what runs there, and neither the shell nor the connection.
    # An interrupt between two of its commands would be lost on bash, so the one that it ends says that it runs.
    shell.type("sh -c 'echo beg\"\"in; exec sleep 1000'; echo code=$?\r")
    shell.until("begin")
    shell.type("\x03")
    shell.type("echo al''ive\r")
    shell.until("alive")
    shell.type("exit 7\r")
    assert shell.code() == 7


def test_a_command_of_a_shell_takes_input_and_gives_its_exit_code(renter: Renter) -> None:
    done = renter.run("ssh", "first", "--", "sh", "-c", "cat; exit 5", said="typed\n")
    assert (done.returncode, done.stdout) == (5, "typed\n"), done.stderr
    none = renter.run("ssh", "first", "--", "no-such-command")
    assert (none.returncode, "no-such-command: No such file or directory" in none.stdout) == (127, True), none.stderr
