"""What a provider of Ray nodes does: start, watch and stop one member of one cluster at a time."""

from __future__ import annotations

from typing import Protocol

from ionet.agent_api import Spec, Status


class ProviderError(Exception):
    """The provider cannot do what was asked."""


class BusyError(ProviderError):
    """Another lease, or the same lease with other parameters, holds the node."""


class Provider(Protocol):
    """Runs at most one Ray node. Every call may be repeated, also after a crash of the caller or of the provider."""

    async def start(self, spec: Spec) -> Status:
        """Start the member, or do nothing when it runs already. Raises BusyError."""

    async def status(self) -> Status:
        """What runs now."""

    async def stop(self, lease: str) -> Status:
        """Stop the member of `lease` and remove its files; nothing happens when it does not run. Raises BusyError."""
