"""Machines behind NAT on this one: network namespaces, joined by virtual cables. Needs root, ip and nft.

    inet: a switch, 203.0.113.0/24
      r      203.0.113.1, public
      nat a  203.0.113.10 -- a  192.168.1.2, gateway 192.168.1.1
      nat b  203.0.113.20 -- b  192.168.1.2, gateway 192.168.1.1

Both NATs let nothing in that was not asked for. With `random_ports` each flow gets a port at random, so that nobody can
guess which: what carriers' NATs do, and the case in which hole punching fails. `scripts/netlab` is the same by hand.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import lab_guard

T = TypeVar("T")
PUBLIC, INSIDE, GATEWAY = "203.0.113.1", "192.168.1.2", "192.168.1.1"
PARTS = ("inet", "r", "nata", "natb", "a", "b")
_CLONE_NEWNET = 0x40000000


@cache
def missing() -> str:
    """Why there can be no such thing here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    name = f"netlab-try-{os.getpid()}"
    for command in (["ip", "netns", "add", name], ["ip", "netns", "exec", name, "nft", "add", "table", "ip", "try"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)
            return f"{' '.join(command[:1])} cannot be used: {done.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)
    return ""


@dataclass(frozen=True)
class Host:
    """One machine. name: of its network namespace."""

    name: str

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    def command(self, *words: str) -> list[str]:
        """The command that runs this one there."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str, check: bool = True, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stderr}"
        return done

    def reaches(self, address: str, port: int, within: float = 3) -> bool:
        """Whether somebody answers a TCP connection to there, be it by refusing it."""

        def connect() -> bool:
            try:
                with socket.create_connection((address, port), within):
                    return True
            except ConnectionRefusedError:
                return True
            except OSError:
                return False

        return self.call(connect)

    def call(self, work: Callable[[], T]) -> T:
        """Do this in a thread that is on that machine; sockets that it makes stay there."""
        results: list[T | BaseException] = []

        def inside() -> None:
            try:
                with open(self.path) as namespace:
                    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                results.append(work())
            except BaseException as error:
                results.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if isinstance(results[0], BaseException):
            raise results[0]
        return results[0]

    def interfaces(self) -> list[str]:
        shown = self.run("ip", "-brief", "link").stdout.splitlines()
        return sorted(line.split()[0].partition("@")[0] for line in shown)


@dataclass(frozen=True)
class Lab:
    """a, b: behind their NATs. r: public, for a relay, at PUBLIC. nat_a, nat_b: the owners' routers.

    guard: told what else is to end with it; none has one that is not a test's.
    """

    a: Host
    b: Host
    r: Host
    nat_a: Host
    nat_b: Host
    guard: lab_guard.Guard | None = None

    def clears(self, folder: Path) -> None:
        """All that knows this folder ends with the lab, whatever ends the test; the folder where that is killed."""
        if self.guard is not None:
            self.guard.clears(folder)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def _link(one: str, device: str, other: str, other_device: str) -> None:
    """A cable between two namespaces; each end is named there and nowhere else."""
    _ip("link", "add", device, "netns", one, "type", "veth", "peer", "name", other_device, "netns", other)
    _ip("-n", one, "link", "set", device, "up")
    _ip("-n", other, "link", "set", other_device, "up")


def _nat(router: str, random_ports: bool) -> None:
    rules = f"""
    table ip nat {{
      chain post {{ type nat hook postrouting priority 100; oifname "wan" masquerade {"fully-random" * random_ports}; }}
    }}
    table ip guard {{
      chain pass {{
        type filter hook forward priority 0; policy drop;
        iifname "lan" accept
        ct state established,related accept
      }}
      chain in {{
        type filter hook input priority 0; policy accept;
        iifname "wan" ct state new,invalid drop
      }}
    }}
    """
    command = ["ip", "netns", "exec", router, "nft", "-f", "-"]
    subprocess.run(command, input=rules, text=True, check=True, capture_output=True, timeout=20)
    forwarding = ["ip", "netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]
    subprocess.run(forwarding, check=True, capture_output=True, timeout=20)


def up(prefix: str, *, random_ports: bool = False) -> Lab:
    """Make it, in place of one of that name. Raises CalledProcessError."""
    down(prefix)
    names = {part: f"{prefix}-{part}" for part in PARTS}
    for name in names.values():
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
    inet = names["inet"]
    _ip("-n", inet, "link", "add", "switch", "type", "bridge")
    _ip("-n", inet, "link", "set", "switch", "up")
    for part, address in (("r", PUBLIC), ("nata", "203.0.113.10"), ("natb", "203.0.113.20")):
        _link(inet, f"to-{part}", names[part], "wan")
        _ip("-n", inet, "link", "set", f"to-{part}", "master", "switch")
        _ip("-n", names[part], "addr", "add", f"{address}/24", "dev", "wan")
    for part in ("a", "b"):
        router, host = names[f"nat{part}"], names[part]
        _link(router, "lan", host, "eth0")
        _ip("-n", router, "addr", "add", f"{GATEWAY}/24", "dev", "lan")
        _ip("-n", host, "addr", "add", f"{INSIDE}/24", "dev", "eth0")
        _ip("-n", host, "route", "add", "default", "via", GATEWAY)
        _nat(router, random_ports)
    a, b, r, nat_a, nat_b = (Host(names[part]) for part in ("a", "b", "r", "nata", "natb"))
    return Lab(a, b, r, nat_a, nat_b)


def down(prefix: str) -> None:
    """Remove it, or nothing. What still runs there goes on without a network."""
    for part in PARTS:
        subprocess.run(["ip", "netns", "del", f"{prefix}-{part}"], capture_output=True, timeout=20, check=False)


@contextlib.contextmanager
def netlab(*, random_ports: bool = False) -> Iterator[Lab]:
    """For a test; several may run beside each other. All that is in it ends with it, also where the test is killed."""
    prefix = f"lab{os.getpid()}{'r' if random_ports else ''}"
    with lab_guard.guard(prefix) as guard:
        yield replace(up(prefix, random_ports=random_ports), guard=guard)


def main(words: Sequence[str]) -> int:
    prefix = "netlab"
    if words[:1] == ["up"] and words[1:] in ([], ["random"]):
        if why := missing():
            print(why)
            return 1
        lab = up(prefix, random_ports=words[1:] == ["random"])
        for host in (lab.r, lab.a, lab.b):
            print(f"ip netns exec {host.name} COMMAND")
        return 0
    if words == ["down"]:
        down(prefix)
        return 0
    print("Use: scripts/netlab up [random] | down")
    return 2
