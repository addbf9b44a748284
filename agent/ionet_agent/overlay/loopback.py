"""The network of clusters that stay on one machine: its own loopback."""

from __future__ import annotations

from collections.abc import Sequence

from ionet_agent.overlay.base import Member, Peer


class Loopback:
    """Members are told apart by their addresses of 127.0.0.0/8."""

    async def prepare(self, lease: str) -> str:  # noqa: ARG002 (as the protocol has it; so are the others)
        return ""

    async def up(self, member: Member, peers: Sequence[Peer]) -> str:  # noqa: ARG002
        return member.address

    async def latency(self, address: str) -> float:  # noqa: ARG002
        return 0.0

    @property
    def enter(self) -> tuple[str, ...]:
        return ()

    async def down(self) -> None:
        """There is nothing to leave."""
