"""Which addresses are the owner's own, that no member may reach, as rules of nftables for a member's namespace."""

from __future__ import annotations

import ipaddress

import msgspec
from ionet.overlay import NOT_PUBLIC_4, NOT_PUBLIC_6

from ionet_agent.overlay.base import OverlayFailed
from ionet_agent.overlay.tools import run


async def rules(overlay: str) -> str:
    """overlay: the interface that leads to the cluster. Raises OverlayFailed."""
    four, six = list(NOT_PUBLIC_4), list(NOT_PUBLIC_6)
    for network in await _attached():
        known, version = (four, 4) if network.version == 4 else (six, 6)
        covered = (ipaddress.ip_network(each) for each in known)
        if network.version == version and not any(network.subnet_of(each) for each in covered):  # type: ignore[arg-type]
            known.append(str(network))
    return f"""
table inet owner {{
  set four {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {", ".join(four)} }} }}
  set six {{ type ipv6_addr; flags interval; auto-merge; elements = {{ {", ".join(six)} }} }}
  chain out {{
    type filter hook output priority 0; policy accept;
    oifname {{ "lo", "{overlay}" }} accept
    ip daddr @four drop
    ip6 daddr @six drop
  }}
}}
"""


async def _attached() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Networks that this machine is attached to, be their addresses public or not, and its own addresses."""
    try:
        interfaces = msgspec.json.decode(await run("ip", "-json", "address"), type=list[_Interface])
    except msgspec.MsgspecError as error:
        raise OverlayFailed(f"ip: {error}") from None
    found = [address for interface in interfaces for address in interface.addr_info]
    return [ipaddress.ip_network(f"{each.local}/{each.prefixlen}", strict=False) for each in found]


class _Address(msgspec.Struct):
    local: str
    prefixlen: int


class _Interface(msgspec.Struct):
    addr_info: list[_Address] = []
