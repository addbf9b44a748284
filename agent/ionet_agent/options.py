"""What the agent's command line says, as settings."""

from __future__ import annotations

import ipaddress

from ionet.advert import BadAdvert, parse_endpoint
from ionet.errors import ConfigError
from ionet.overlay import is_public
from solders.pubkey import Pubkey

from ionet_agent.overlay.joining import NetworkConfig


def address(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises ConfigError."""
    host, _, port = text.rpartition(":")
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port)
    except ValueError:
        raise ConfigError(f"{text!r} is not HOST:PORT") from None


def network(
    kind: str, ip: str | None, dial: str | None, port: int, relays: tuple[str, ...], *, internet: bool
) -> NetworkConfig | None:
    """None for the machine's own. Raises ConfigError."""
    if kind == "loopback":
        if ip is None:
            raise ConfigError("say --ip, this node's address inside a cluster")
        if dial or port or internet:
            raise ConfigError("--dial, --dial-port and --internet are for --network wireguard")
        return None
    if kind != "wireguard":
        raise ConfigError(f"--network is {kind}, not loopback or wireguard")
    if ip is not None:
        raise ConfigError("with --network wireguard the address follows from the lease: leave --ip out")
    if dial is not None and not is_public(dial):
        raise ConfigError(f"--dial: {dial} is not a public address and its port")
    if dial is None and not relays:
        raise ConfigError("nobody can dial it without --dial: name a --relay, better two")
    return NetworkConfig(dial, port, relays, internet)


def endpoint(text: str) -> str:
    """HOST:PORT that others may be sent to. Raises ConfigError."""
    try:
        return parse_endpoint(text)
    except BadAdvert as error:
        raise ConfigError(f"--advertise: {error.detail}") from None


def port_range(text: str) -> range:
    """FIRST-LAST. Raises ConfigError."""
    first, _, last = text.partition("-")
    try:
        ports = range(int(first), int(last) + 1)
    except ValueError:
        raise ConfigError(f"{text!r} is not FIRST-LAST") from None
    if not 1024 <= ports.start < ports.stop <= 65536:
        raise ConfigError(f"{text!r} is not a range of ports between 1024 and 65535")
    return ports


def mib(number: int | None) -> int | None:
    """Bytes of a number of MiB."""
    return None if number is None else number * 1024 * 1024


def pubkey(text: str) -> Pubkey:
    """Raises ConfigError."""
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a valid address") from None
