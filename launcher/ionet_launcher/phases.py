"""Phases of a cluster's life under the launcher, and the codes that say why one waits, fails or ends.

The chain sets most deadlines: a node that is not ready, or not accepted, in time is no longer live.
"""

from __future__ import annotations

from enum import StrEnum

from ionet.errors import IonetError


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


class Reason(StrEnum):
    NONE = ""
    NOT_OURS = "not_ours"
    """The cluster names another session key, or ours has expired."""
    CHAIN_UNREACHABLE = "chain_unreachable"
    INTERNAL_ERROR = "internal_error"
    """A fault of the launcher; its log says more."""
    AGENT_UNKNOWN = "agent_unknown"
    """No URL is configured for a node."""
    AGENT_UNREACHABLE = "agent_unreachable"
    AGENT_REFUSED = "agent_refused"
    HARDWARE_MISMATCH = "hardware_mismatch"
    """A driver does not see the processors that were booked."""
    NOT_ACCEPTED = "not_accepted"
    """The chain did not take the acceptance."""
    HEAD_LOST = "head_lost"
    """The head's lease is over while others run."""
    EXPIRED = "expired"
    """The leases came to their end."""
    NEVER_STARTED = "never_started"
    """No meter ever ran: the leases were withdrawn, or too late to be ready or accepted."""


class Trouble(IonetError):
    """the cluster cannot go on

    It fails when that lasts longer than its phase may.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


PATIENCE_SECS = 60.0
"""How long a phase may be in trouble before the cluster fails; meters that run keep it from failing."""
DRAIN_SECS = 120.0
"""How long to ask an agent that does not answer to stop; it stops by itself when it sees the chain again."""
