"""Where the agents are, as they say to the indexer; a file may name others.

Nothing here is trusted: who answers at an address has the node's device key, or is not asked for anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping

import asyncpg
import msgspec
from ionet.advert import MOST_PLACES, BadAdvert, parse_endpoint
from ionet.agent_api import Urls
from solders.pubkey import Pubkey

_READ_SECS = 3.0
# An advert that is stored while others are read has a moment before theirs.
_OVERLAP_SECS = 60
_CHANGED = "SELECT node, since, endpoints FROM adverts WHERE since >= $1"
_ONLINE = "SELECT node FROM online_nodes"
_log = logging.getLogger(__name__)


class Agents(Mapping[Pubkey, Urls]):
    """Where each node's agent is: as `named`, else as the node said.

    Iterates over those that can be asked for something new: the named ones, and the nodes that are online.
    """

    def __init__(self, named: Mapping[Pubkey, str]) -> None:
        self._named = named
        self._said: dict[Pubkey, Urls] = {}
        self._online: dict[Pubkey, None] = {}
        self._since = 0

    def __getitem__(self, node: Pubkey) -> Urls:
        return self._named[node] if node in self._named else self._said[node]

    def __iter__(self) -> Iterator[Pubkey]:
        yield from self._named
        yield from (node for node in self._online if node not in self._named and node in self._said)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, node: object) -> bool:
        return node in self._named or node in self._said

    async def follow(self, pool: asyncpg.Pool) -> None:
        """Read again and again, until cancelled."""
        while True:
            await asyncio.sleep(_READ_SECS)
            await self.read(pool)

    async def read(self, pool: asyncpg.Pool) -> None:
        """What changed since the last time. What is known stays while the database does not answer."""
        try:
            async with pool.acquire() as connection:
                changed = await connection.fetch(_CHANGED, self._since - _OVERLAP_SECS)
                online = await connection.fetch(_ONLINE)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            _log.warning("adverts are read later: %s", error, extra={"action": "adverts_later"})
            return
        for row in changed:
            self._since = max(self._since, row["since"])
            node, urls = Pubkey.from_string(row["node"]), _urls(row["endpoints"])
            if urls:
                self._said[node] = urls
            else:
                self._said.pop(node, None)
        self._online = dict.fromkeys(Pubkey.from_string(row["node"]) for row in online)


def _urls(endpoints: str) -> tuple[str, ...]:
    """None, where one of them cannot be a place."""
    try:
        places = msgspec.json.decode(endpoints, type=list[str])
        return tuple(f"https://{parse_endpoint(place)}" for place in places[:MOST_PLACES])
    except (msgspec.DecodeError, BadAdvert):
        return ()
