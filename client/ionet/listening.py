"""Listening sockets of services. Where a port is taken, one line names the option that chooses another."""

from __future__ import annotations

import errno
import socket

from ionet.errors import IonetError

_BACKLOG = 512
# Of a connection on which nothing comes: when the other side is asked whether it is there, how often, how many times.
_SILENT_SECS, _PROBE_SECS, _PROBES = 60, 15, 4


class CannotListen(IonetError):
    """cannot listen"""


def listen(host: str, port: int, option: str, *, backlog: int = _BACKLOG, only_v6: bool = False) -> socket.socket:
    """A listening socket, so that the address is known before the server runs. port: 0 takes a free one.

    option: of the command line, by which another port is chosen. only_v6: `::` takes no IPv4. Raises CannotListen.
    """
    # The protocol must be named: asyncio switches Nagle's algorithm off only where it reads IPPROTO_TCP.
    listener = socket.socket(_family(host), socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keep_alive(listener)
    if only_v6 and listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except (OSError, OverflowError) as error:
        listener.close()
        raise refusal(host, port, option, error) from error
    return listener


def keep_alive(there: socket.socket) -> None:
    """Notice who vanished without a word, also where nobody says anything. A listener's holds for what it accepts."""
    there.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    there.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_SECS)
    there.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_SECS)
    there.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


def packets(host: str, port: int, option: str) -> socket.socket:
    """A bound UDP socket that does not block. Raises CannotListen."""
    bound = socket.socket(_family(host), socket.SOCK_DGRAM)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise refusal(host, port, option, error) from error
    bound.setblocking(False)
    return bound


def refuse_taken(port: int, option: str, host: str = "127.0.0.1") -> None:
    """Raises CannotListen when nobody could listen there now."""
    listen(host, port, option).close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def refusal(host: str, port: int, option: str, error: OSError | OverflowError) -> CannotListen:
    """Why an address cannot be listened on, from what the system said."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return CannotListen(f"port {port} is in use; choose another with {option}")
    if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
        return CannotListen(f"{host} is not an address of this machine")
    reason = error.strerror if isinstance(error, OSError) else "ports end at 65535"
    return CannotListen(f"{host}:{port}: {reason or error}")
