"""Device keys of nodes, as the chain has them: remembered, and read for many at once.

Anyone may make the relay ask for any address, so what that costs is bounded: one request to the RPC node at a time,
for 100 accounts, ten times a second at most.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from ionet.errors import IonetError
from ionet.generated.accounts import Node
from ionet.program import PROGRAM
from ionet.rpc import ACCOUNTS_PER_CALL
from solders.account import Account
from solders.pubkey import Pubkey

Read = Callable[[Sequence[Pubkey]], Awaitable[list[Account | None]]]
FRESH_SECS, ABSENT_SECS, STALE_SECS = 60.0, 5.0, 3_600.0
"""How long a key counts as known, how long a missing one as missing, and a key when the chain is silent."""
_READ_SECS, _PAUSE_SECS = 10.0, 0.1
_REMEMBERED, _WAITING = 65_536, 2_000


class ChainSilent(IonetError):
    """the chain did not say whose key it is"""


class NodeKeys:
    """read: accounts in the order of their addresses, as `Rpc.accounts`."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: OrderedDict[Pubkey, tuple[float, Pubkey | None]] = OrderedDict()
        self._asked: dict[Pubkey, asyncio.Future[Pubkey | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def device_key(self, node: Pubkey, *, fresh_secs: float = FRESH_SECS) -> Pubkey | None:
        """The key, not older than asked for; None when there is no such node. Raises ChainSilent."""
        found = self._known.get(node)
        if found is not None and time.monotonic() - found[0] < (fresh_secs if found[1] else ABSENT_SECS):
            self._known.move_to_end(node)
            return found[1]
        future = self._asked.get(node)
        if future is None:
            if len(self._asked) >= _WAITING:
                raise ChainSilent("too many ask")
            future = self._asked[node] = asyncio.get_running_loop().create_future()
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read_all())
        try:
            return await asyncio.shield(future)
        except ChainSilent:
            if found is not None and found[1] is not None and time.monotonic() - found[0] < STALE_SECS:
                return found[1]
            raise

    async def _read_all(self) -> None:
        while self._asked:
            await asyncio.sleep(_PAUSE_SECS)  # others ask meanwhile
            nodes = list(self._asked)[:ACCOUNTS_PER_CALL]
            try:
                async with asyncio.timeout(_READ_SECS):
                    accounts = await self._read(nodes)
                found = {node: _device_key(account) for node, account in zip(nodes, accounts, strict=True)}
            except (IonetError, TimeoutError, ValueError) as error:
                for node in nodes:
                    future = self._asked.pop(node)
                    future.set_exception(ChainSilent(str(error)))
                    future.exception()  # whoever asked may be gone
                continue
            for node, key in found.items():
                self._remember(node, key)
                self._asked.pop(node).set_result(key)

    def _remember(self, node: Pubkey, key: Pubkey | None) -> None:
        self._known[node] = (time.monotonic(), key)
        self._known.move_to_end(node)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _device_key(account: Account | None) -> Pubkey | None:
    if account is None or account.owner != PROGRAM.id:
        return None
    try:
        return PROGRAM.codec.decode_account(account.data, Node).device_key
    except IonetError:  # an account of another kind
        return None
