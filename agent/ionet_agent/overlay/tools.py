"""Programs of the system that make networks: running them, and what can be used on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from ionet_agent.overlay.base import OverlayFailed
from ionet_agent.processes import TAG_VARIABLE, start_ticks, tagged

_SECS = 20.0
_POLL_SECS = 0.02
PASTA = ("pasta", "-f", "--config-net", "--no-map-gw", "-t", "none", "-T", "none", "-U", "none")
"""Without --no-map-gw the gateway's address would lead to this machine's loopback."""


class Backend(StrEnum):
    """How WireGuard is had, the best first."""

    KERNEL = "WireGuard of the kernel"
    TUN = "wireguard-go"
    PASTA = "pasta and wireguard-go"


_NEEDS = {
    Backend.KERNEL: ("ip", "wg", "unshare", "nsenter"),
    Backend.TUN: ("ip", "wg", "unshare", "nsenter", "wireguard-go"),
    Backend.PASTA: ("ip", "wg", "unshare", "nsenter", "wireguard-go", "pasta"),
}
_TRY_TUN = ("ip", "tuntap", "add", "mode", "tun", "name", "iotry")
_TRIES: dict[Backend, tuple[str, ...]] = {
    Backend.KERNEL: ("unshare", "--net", "ip", "link", "add", "iotry", "type", "wireguard"),
    Backend.TUN: ("unshare", "--net", *_TRY_TUN),
    Backend.PASTA: ("unshare", "--user", "--map-root-user", "--net", "--mount", *_TRY_TUN),
}


async def why_not(backend: Backend) -> str:
    """Why this machine cannot use it, found by trying; empty when it can."""
    for program in _NEEDS[backend]:
        if shutil.which(program, path=environment()["PATH"]) is None:
            return f"{program} is not installed"
    if (backend is Backend.PASTA) == (os.geteuid() == 0):
        return "it is for ordinary users" if backend is Backend.PASTA else "it needs root"
    try:
        await run(*_TRIES[backend])
    except OverlayFailed as error:
        return error.detail
    return ""


async def best() -> Backend:
    """The best that works here. Raises OverlayFailed with the reason of each that does not."""
    reasons = {}
    for backend in Backend:
        reasons[backend] = await why_not(backend)
        if not reasons[backend]:
            return backend
    raise OverlayFailed("; ".join(f"{backend}: {reason}" for backend, reason in reasons.items()))


def environment() -> dict[str, str]:
    return {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C"}


async def run(*words: str, text: str = "") -> str:
    """What a command prints. Raises OverlayFailed with what it complains about."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise OverlayFailed(f"{words[0]}: {error.strerror}") from None
    try:
        async with asyncio.timeout(_SECS):
            out, complaint = await process.communicate(text.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise OverlayFailed(f"{' '.join(words)}: no answer in {_SECS:g} s") from None
    if process.returncode:
        said = complaint.decode(errors="replace").strip().splitlines()
        raise OverlayFailed(f"{' '.join(words)}: {said[-1] if said else process.returncode}")
    return out.decode(errors="replace")


def start(words: Sequence[str], tag: str, log: Path, *, text: str = "") -> int:
    """Start what goes on after this process, in the folder of its log; returns its id.

    text: on its standard input, 64 KiB at most, so that it fits into a pipe.
    """
    own, theirs = os.pipe()[::-1]
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                words,
                env={**environment(), TAG_VARIABLE: tag},
                cwd=log.parent,
                stdin=theirs,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        os.set_blocking(own, False)
        os.write(own, text.encode())
    except OSError as error:
        raise OverlayFailed(f"{words[0]}: {error.strerror}") from None
    finally:
        os.close(own)
        os.close(theirs)
    _waited.append(process)
    return process.pid


def last_line(log: Path) -> str:
    """What a process has said last, of the last 4 KiB; "nothing" where that is so."""
    with log.open("rb") as output:
        output.seek(max(0, log.stat().st_size - 4096))
        lines = output.read(4096).decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")


def listens(pid: int, name: str) -> bool:
    """Whether somebody in the network of a process listens at the Unix socket whose path ends with this name."""
    try:
        lines = Path(f"/proc/{pid}/net/unix").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return False
    return any(line.endswith(name) and int(line.split()[3], 16) & _ACCEPTS for line in lines)


def takes(pid: int, ports: Iterable[int]) -> bool:
    """Whether somebody in the network of a process takes what is sent to each of these ports on loopback by UDP."""
    try:
        lines = Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]
    except OSError:
        return False
    bound = {line.split()[1] for line in lines}
    return all(f"{_LOOPBACK}:{port:04X}" in bound for port in ports)


_LOOPBACK = f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}"
"""As `/proc/net/udp` has it."""
_ACCEPTS = 0x10000
"""Of a socket's flags: it listens, `__SO_ACCEPTCON` of linux/net.h."""
_waited: list[subprocess.Popen[bytes]] = []
"""Children of this process, to be waited for when they end."""


def _all_with(tag: str) -> list[int]:
    """Also those that hide their environment, as pasta does: their command names the folder, and so the tag."""
    found = set(tagged(tag))
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if tag.encode() in Path(entry.path, "cmdline").read_bytes():
                    found.add(int(entry.name))
    return [pid for pid in found if start_ticks(pid) is not None]


async def end_all(tag: str) -> None:
    """Kill everything that carries the tag, whoever started it."""
    while remaining := _all_with(tag):
        for pid in remaining:
            end(pid)
        await asyncio.sleep(_POLL_SECS)
        reap()


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def reap() -> None:
    _waited[:] = [process for process in _waited if process.poll() is None]
