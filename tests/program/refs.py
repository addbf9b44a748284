"""The tests' own handles: a node, a cluster and a lease, each by the keys its address follows from. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ionet import addresses
from ionet.generated import pdas
from ionet.program import PROGRAM
from solders.keypair import Keypair
from solders.pubkey import Pubkey

ID = PROGRAM.id


@dataclass(frozen=True)
class NodeRef:
    """A node: its owner, the device key it was registered with, its address."""

    owner: Keypair
    device: Keypair

    @property
    def key(self) -> Pubkey:
        return pdas.node(ID, self.device.pubkey())

    @property
    def vault(self) -> Pubkey:
        return pdas.stake_vault(ID, self.key)

    @property
    def position(self) -> Pubkey:
        return pdas.position(ID, self.key, self.owner.pubkey())


@dataclass(frozen=True)
class ClusterRef:
    renter: Keypair
    id: int
    session: Keypair

    @property
    def key(self) -> Pubkey:
        return pdas.cluster(ID, self.renter.pubkey(), self.id)

    @property
    def escrow(self) -> Pubkey:
        return pdas.escrow(ID, self.key)


@dataclass(frozen=True)
class LeaseRef:
    node: NodeRef
    cluster: ClusterRef
    number: int

    @property
    def key(self) -> Pubkey:
        return addresses.lease(ID, self.node.key, self.number)
