"""What one relay, one node and one address may take up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Numbers of connections and UDP sessions; seconds.

    strangers: connections that have said neither whom they want nor who they are; one more takes the place of the
    oldest. hello_secs: how long they have for it. dial_secs: how long an agent has to dial back. idle_secs: after
    which a pair that carries nothing is closed. measure_secs: between two measurements of a node. mbit: what the
    relay carries in all, in and out of nodes, per second.
    """

    nodes: int = 4_096
    strangers: int = 512
    strangers_of_address: int = 128
    callers: int = 4_096
    callers_of_address: int = 1_024
    callers_of_node: int = 64
    callers_of_address_and_node: int = 16
    sessions: int = 16_384
    sessions_of_node: int = 256
    mbit: int = 1_000
    hello_secs: float = 5.0
    dial_secs: float = 10.0
    idle_secs: float = 3_600.0
    recheck_secs: float = 300.0
    measure_secs: float = 600.0
