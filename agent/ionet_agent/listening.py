"""Who listens on a port of the machine's network, so that a tunnel leads to a lease's own processes and no others."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ionet_agent import processes

_LISTENS = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def of(tags: Iterable[str], port: int, ip: str) -> str | None:
    """Where a process with one of the tags listens on this TCP port; None where none does. ip: the member's own, which
    stands for a socket of every address.

    Sockets are known by their inodes. What has neither the tag's name nor a parent with it is not found.
    """
    rows = dict(_rows(port))
    if not rows:
        return None
    for tag in tags:
        for pid in processes.tagged(tag):
            for inode in _sockets(pid) & rows.keys():
                address = rows[inode]
                return ip if address.is_unspecified else str(address)
    return None


def _rows(port: int) -> Iterator[tuple[int, ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    """Inode and address of each socket of the machine's network that listens on it."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/net", name).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if fields[3] == _LISTENS and int(number, 16) == port:
                    yield int(fields[9]), _address(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """As the kernel writes it: words of four bytes, each in the machine's order."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _sockets(pid: int) -> set[int]:
    """Inodes of what it has open."""
    found = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if (match := _SOCKET.fullmatch(os.readlink(entry.path))) is not None:
                    found.add(int(match[1]))
    return found
