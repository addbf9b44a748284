"""Whom an account concerns, for keepers that work for somebody."""

from __future__ import annotations

from ionet.client import Client
from ionet.duties import Seen
from ionet.generated.accounts import Cluster, Node
from solders.pubkey import Pubkey


class Parties:
    """Owner and renter of what was seen. Neither of a node or a cluster ever changes, so each is read once."""

    def __init__(self) -> None:
        self._of: dict[Pubkey, Pubkey] = {}

    async def of(self, client: Client, seen: Seen, noun: str) -> set[Pubkey]:
        account = seen.account
        if noun == "cluster":
            return {account.renter}
        if noun == "node":
            return {account.owner}
        if noun == "position":
            return {account.staker, seen.node.owner}
        if noun == "lease":
            return {await self._renter(client, account.cluster), await self._owner(client, account.node)}
        if noun == "case":
            return {await self._owner(client, account.node)}
        return set()

    async def _renter(self, client: Client, cluster: Pubkey) -> Pubkey:
        if cluster not in self._of:
            self._of[cluster] = (await client.fetch(Cluster, cluster)).renter
        return self._of[cluster]

    async def _owner(self, client: Client, node: Pubkey) -> Pubkey:
        if node not in self._of:
            self._of[node] = (await client.fetch(Node, node)).owner
        return self._of[node]
