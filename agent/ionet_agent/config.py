"""Settings of one agent, as its two processes share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from ionet.check import devices as found_devices
from ionet.check.devices import Device
from ionet.client import Client
from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet.relay_wire import Pass
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_agent.alarms import Alarms
from ionet_agent.isolation import disks, gpus, ladder
from ionet_agent.isolation.base import Disk, Level
from ionet_agent.isolation.place import Place
from ionet_agent.isolation.runtime import Runtime
from ionet_agent.isolation.sizes import Wanted, sized
from ionet_agent.opening import CHECK_SECS
from ionet_agent.overlay.joining import ClusterNetwork, NetworkConfig
from ionet_agent.providers.local import LocalProvider
from ionet_agent.rpc_node_chain import RpcNodeChain
from ionet_agent.spread_chain import SpreadChain


@dataclass(frozen=True)
class AgentConfig:
    """Settings of one agent.

    urls: RPC nodes; the first is asked, the others when it fails or stands still. node: None derives it from the device
    key, right unless that key was rotated. ports: for Ray, at least 18. ip: the node's address inside the cluster.
    host, port: where the API listens. advertise: where others reach it, if that differs. relays: HOST:PORT of those
    that lead callers here. indexers: urls of those that are told so; the first takes leaves. poll_secs: how often the
    chain is looked at; a small part of the proof interval. check_secs: how long a renter may use the machine before
    they accept its lease. isolation: a level, or the best there is; trust: whether that may be none; weaker: why it is
    no better level, and disk: both found with it. runtime: the environment that members run in, None for the agent's
    own. wanted: what the owner says of limits. settles: whether it settles and closes its leases, which `fee_payer`
    pays for, None for the device key. network: the cluster's own, in which `ip` follows from the lease; None where
    clusters stay on this machine. alarm_url: where the owner is told of alarms.
    """

    urls: tuple[str, ...]
    device_key: Path
    base: Path
    ip: str | None
    ports: range
    host: str = "127.0.0.1"
    port: int = 0
    node: Pubkey | None = None
    advertise: tuple[str, ...] = ()
    relays: tuple[str, ...] = ()
    indexers: tuple[str, ...] = ()
    isolation: str = ladder.BEST
    trust: bool = False
    weaker: str | None = None
    disk: Disk | None = None
    runtime: Path | None = None
    wanted: Wanted = field(default_factory=Wanted)
    poll_secs: float = 0.5
    check_secs: float = CHECK_SECS
    network: NetworkConfig | None = None
    settles: bool = True
    fee_payer: Path | None = None
    alarm_url: str | None = None

    @property
    def spools(self) -> Path:
        """The folder with a spool file per lease."""
        return self.base / "spool"

    @property
    def gpus(self) -> Path:
        """What is seen of the machine's GPUs."""
        return self.base / "gpus.json"

    @property
    def journal(self) -> Path:
        return self.base / "journal.db"

    def node_of(self, device: Keypair) -> Pubkey:
        return self.node or pdas.node(PROGRAM.id, device.pubkey())

    def with_level(self) -> AgentConfig:
        """The same with a level that was tried here. Raises ConfigError where there is none."""
        disk = disks.best(self.base / "rooms")
        cards = found_devices.find().devices
        files = gpus.of_lease(cards, len(cards)).files
        found, why = ladder.choose(
            self.isolation,
            self._runtime(),
            self.base,
            disk,
            trust=self.trust,
            devices=files,
            own_network=self.network is not None,
        )
        return replace(self, isolation=found.level, disk=disk, weaker=why)

    def place(self, devices: Sequence[Device] = ()) -> Place:
        """How members run here, with a level that `with_level` has found. Raises ConfigError."""
        limits = sized(self.wanted, self.base)
        return Place(
            Level(self.isolation), self._runtime(), limits, self.base, devices, self.disk, self.network is not None
        )

    def _runtime(self) -> Runtime:
        return Runtime.own() if self.runtime is None else Runtime.at(self.runtime)

    def provider(self, node: Pubkey, place: Place, network: ClusterNetwork | None = None) -> LocalProvider:
        """network: of whoever starts members. Raises ConfigError for what cannot work."""
        return LocalProvider(
            self.base,
            node=str(node),
            ip=self.ip,
            ports=self.ports,
            spool=self.spools,
            place=place,
            network=network,
        )

    def cluster_network(self, node: Pubkey, device: Keypair) -> ClusterNetwork | None:
        """None where clusters stay on this machine."""
        if self.network is None:
            return None

        def admit(key: Pubkey, until: int) -> Pass:
            return Pass.issue(device, node, key, until)

        return ClusterNetwork(self.base / "overlay", str(node), admit, self.network)

    def clients(self, device: Keypair) -> dict[str, Client]:
        """One for each RPC node; to be closed."""
        return {url: Client(url, device) for url in dict.fromkeys(self.urls)}


def chain_of(clients: dict[str, Client], node: Pubkey, device: Keypair, alarms: Alarms) -> SpreadChain:
    """The node's side of the program over all of these."""
    return SpreadChain({url: RpcNodeChain(client, node, device) for url, client in clients.items()}, alarms)


def encode(config: AgentConfig) -> str:
    """As one argument of a command."""
    return msgspec.json.encode(config, enc_hook=_plain).decode()


def decode(text: str) -> AgentConfig:
    return msgspec.json.decode(text, type=AgentConfig, dec_hook=_typed)


def _plain(value: Any) -> Any:
    return [value.start, value.stop] if isinstance(value, range) else str(value)


def _typed(kind: type, value: Any) -> Any:
    if kind is range:
        return range(*value)
    return Pubkey.from_string(value) if kind is Pubkey else kind(value)
