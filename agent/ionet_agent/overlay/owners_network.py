"""Which addresses are the owner's own, that no member may reach, as rules of nftables for a member's namespace."""

from __future__ import annotations

import ipaddress

import msgspec

from ionet_agent.overlay.base import OverlayFailed
from ionet_agent.overlay.tools import run

_NOT_PUBLIC_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
)
_NOT_PUBLIC_6 = ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")


async def rules(overlay: str) -> str:
    """overlay: the interface that leads to the cluster. Raises OverlayFailed."""
    four, six = list(_NOT_PUBLIC_4), list(_NOT_PUBLIC_6)
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
