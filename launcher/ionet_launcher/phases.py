"""Phases of a cluster's life under the launcher, and the codes that say why one waits, fails or ends.

The chain sets most deadlines: a node that is not ready, or not accepted, in time is no longer live.
"""

from __future__ import annotations

from enum import StrEnum

from ionet.errors import IonetError
from solders.pubkey import Pubkey


class ClusterPhase(StrEnum):
    PLANNED = "planned"
    """Seen; its leases are being checked against the chain."""
    STARTING = "starting"
    """Agents are being asked to start their members."""
    JOINING = "joining"
    """Every agent was asked; not all members are up."""
    READY = "ready"
    """All members are up; hardware is checked and readiness accepted."""
    RUNNING = "running"
    """Every meter runs."""
    DRAINING = "draining"
    """No lease is live; members are stopping."""
    STOPPED = "stopped"
    FAILED = "failed"


OVER = (ClusterPhase.STOPPED, ClusterPhase.FAILED)


class Reason(StrEnum):
    NONE = ""
    NOT_OURS = "not_ours"
    """The cluster names another session key, or ours has expired."""
    NOT_PAID = "not_paid"
    """The launcher takes a fee, and its opening did not pay it for all its nodes."""
    CHAIN_UNREACHABLE = "chain_unreachable"
    NO_SOL = "no_sol"
    """The session key has too little SOL for the fee of what has to be sent."""
    CHAIN_REFUSED = "chain_refused"
    """The chain did not take a transaction of this step; the detail says why."""
    STEP_TOO_LONG = "step_too_long"
    """A look at the cluster was broken off: chain or database are too slow. The next one goes on."""
    INTERNAL_ERROR = "internal_error"
    """A fault of the launcher; its log says more."""
    AGENT_UNKNOWN = "agent_unknown"
    """No URL is configured for a node."""
    AGENT_UNREACHABLE = "agent_unreachable"
    AGENT_REFUSED = "agent_refused"
    BAD_ANSWER = "bad_answer"
    """An agent says what cannot be so."""
    MEMBER_FAILED = "member_failed"
    """Ray does not run on a node, says its agent."""
    HARDWARE_MISMATCH = "hardware_mismatch"
    """A node did not pass the launcher's check, or no task of a driver's ran on it."""
    INDEXER_BEHIND = "indexer_behind"
    """The indexer has not seen yet that a node is ready, so the hash of its report is not known."""
    CHECK_TIME_OVER = "check_time_over"
    """A node's agent had its machine open before acceptance for as long as it does; the node was rejected."""
    NO_NETWORK = "no_network"
    """A node cannot be joined to the network of its cluster, or no way leads to it."""
    TOO_FAR = "too_far"
    """A node is further from the head than the launcher allows."""
    NOT_ACCEPTED = "not_accepted"
    """The chain did not take the acceptance."""
    HEAD_LOST = "head_lost"
    """The head's lease is over, or its node is gone, while others run."""
    NO_HEAD = "no_head"
    """The head was lost and no node took its place, so the renter's wallet ended the cluster."""
    EXPIRED = "expired"
    """The leases came to their end."""
    NEVER_STARTED = "never_started"
    """No meter ever ran: the leases were withdrawn, or too late to be ready or accepted."""


class Trouble(IonetError):
    """the cluster cannot go on

    It fails when that lasts too long. lease: the only one that keeps it from going on, if it is one.
    """

    def __init__(self, reason: Reason, detail: str, lease: Pubkey | None = None) -> None:
        super().__init__(detail)
        self.reason, self.lease = reason, lease


PATIENCE_SECS = 60.0
"""How long a trouble may last before a cluster without a running meter fails, or a head that is ready is rejected."""
DEAD_SECS = 120.0
"""How long a node whose meter runs may be in trouble before another takes its place, where the renter wants that."""
HEADLESS_SECS = 300.0
"""How long a cluster may be without a head until its leases are ended, where no node takes the head's place."""
NEAR_SECS = 60.0
"""A cluster does not fail while the chain gives one of its nodes more time than this."""
STEP_SECS = 30.0
"""How long a step may take in all."""
DRAIN_SECS = 120.0
"""How long to ask an agent that does not answer to stop; it stops by itself when it sees the chain again."""
