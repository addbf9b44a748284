"""A keeper: tends every account of the program, as its policy says."""

from __future__ import annotations

from ionet.tending.nodes import Nodes
from ionet.tending.tender import Tender
from solders.pubkey import Pubkey

from ionet_keeper.config import Config
from ionet_keeper.follow import Everything
from ionet_keeper.metrics import Metrics
from ionet_keeper.parties import PolicyInterest


class Keeper(Tender):
    """Everything of one keeper."""

    def __init__(self, config: Config, nodes: Nodes, key: Pubkey) -> None:
        self.metrics = Metrics()
        source = Everything(nodes.client.program)
        super().__init__(config, nodes, key, source, PolicyInterest(config), tally=self.metrics)
