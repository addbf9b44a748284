"""What a keeper wants done, and whom an account concerns, for keepers that work for somebody."""

from __future__ import annotations

from ionet.client import Client
from ionet.duties import Duty, Reward, Seen
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Iosd, Node
from ionet.rules.restarts import Moment
from ionet.tending.manner import worth
from solders.pubkey import Pubkey

from ionet_keeper.config import Config, Policy


class PolicyInterest:
    """What a keeper's policy says."""

    def __init__(self, config: Config) -> None:
        self._config, self._parties = config, Parties()

    async def wants(self, client: Client, duty: Duty, seen: Seen, _at: Moment, reward: Reward, fee: int) -> bool:
        config = self._config
        if config.policy is Policy.ALL:
            return True
        if config.own and await self._parties.of(client, seen, duty.noun) & config.own:
            return True
        if config.policy is Policy.OWN or reward == Reward():
            return False
        price = (await client.fetch(Iosd, pdas.iosd(client.program.id))).last_price if reward.io else 0
        return worth(reward, price, config.sol_price) > fee


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
