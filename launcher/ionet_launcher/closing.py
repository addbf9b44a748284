"""Its own clusters and their leases, ended and closed when they are over: the renter gets budget and rent back.

As keepers do (`ionet.tending`), and beside them without waste: each waits for its own part of a window after a
deadline, and looks again before it sends.
"""

from __future__ import annotations

import logging

import asyncpg
from ionet.client import Client
from ionet.duties import Duty, Reward, Seen
from ionet.fees import LEAST_RENT
from ionet.rpc import Rpc
from ionet.rules.restarts import Moment
from solders.pubkey import Pubkey

from ionet_launcher.keeping import Store

_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_log = logging.getLogger(__name__)


class OwnClusters:
    """The clusters that name the launcher's key, and their leases, as the indexer has them."""

    vaults = False

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Pubkey, bytes] = {}

    async def start(self, _rpc: Rpc) -> None:
        await self._read()

    async def changed(self, _rpc: Rpc) -> set[Pubkey]:
        before = self._known
        now = await self._read()
        return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}

    async def versions(self, _rpc: Rpc) -> dict[Pubkey, bytes]:
        return await self._read()

    async def _read(self) -> dict[Pubkey, bytes]:
        """What is known stays while the database does not answer."""
        try:
            found = await self._store.own()
        except _LOST as error:
            _log.warning("the database does not answer: %s", error, extra={"action": "database_lost"})
            return self._known
        self._known = {Pubkey.from_string(name): version.to_bytes(8, "little") for name, version in found.items()}
        return self._known


class RenterInterest:
    """What returns something to the renter. A silent node is reported with the closing, which needs it."""

    # Each of these returns the rent of a larger account, or budget.
    async def wants(self, _client: Client, duty: Duty, _seen: Seen, _at: Moment, _reward: Reward, fee: int) -> bool:
        return duty.name in ("cancel_lease", "end_lease", "close_lease", "close_cluster") and fee < LEAST_RENT
