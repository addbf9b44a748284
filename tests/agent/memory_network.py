"""A node's part in a cluster's network in which ways are as long as the test says, and nothing is made."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from agent.memory_provider import MemoryProvider
from ionet.agent_ports import host_port
from ionet.lease_view import LeaseView
from ionet.overlay import Network, Offer, address_of
from ionet_agent.overlay.joining import ClusterNetwork
from solders.pubkey import Pubkey


class MemoryNetwork(ClusterNetwork):
    """ways: milliseconds to other members there and back, by their leases, as its agent says once it is joined."""

    def __init__(self, provider: MemoryProvider, lease: Pubkey) -> None:
        self._provider = provider
        self.ways: Mapping[Pubkey, float] = {}
        self.told: Network | None = None
        provider.shown_ip = address_of(str(lease))

    async def offer(self, lease: str) -> Offer:  # noqa: ARG002
        if self.told is None:
            return Offer("A" * 43 + "=")
        said = {str(other): took for other, took in self.ways.items()}
        return Offer("A" * 43 + "=", joined=self.told.digest, latencies=said)

    async def join(self, lease: LeaseView, now: int, network: Network) -> None:  # noqa: ARG002
        self.told = network

    async def look(self, lease: LeaseView | None, now: int, running: str | None) -> None:
        """Nothing has to be done."""

    async def dial(self, lease: str, port: int, *, loopback: bool = False) -> socket.socket:  # noqa: ARG002
        if self._provider.check is None:
            raise ConnectionRefusedError
        made = socket.create_connection(host_port(self._provider.check), 5)
        made.setblocking(False)
        return made
