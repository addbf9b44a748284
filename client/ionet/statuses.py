"""One call for the statuses of all transactions that are waited for, instead of one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from solders.signature import Signature
from solders.transaction_status import TransactionStatus

# Most signatures of one getSignatureStatuses.
_MOST = 256
# Requests made within this many seconds of the first share one call.
_GATHER_SECS = 0.002
# Seconds between two looks at a transaction: often at first, then less.
_PAUSES = (0.02, 0.02, 0.04, 0.04, 0.08, 0.08, 0.16, 0.16, 0.32)

Ask = Callable[[Sequence[Signature]], Awaitable[Sequence[TransactionStatus | None]]]


class Statuses:
    """Asks `ask` for many at once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: list[Signature] = []
        self._call: asyncio.Task[Sequence[TransactionStatus | None]] | None = None

    async def get(self, signature: Signature) -> TransactionStatus | None:
        """The status of one transaction, None when the node knows none. Raises what the call raises."""
        if self._call is None or len(self._waiting) == _MOST:
            self._waiting = []
            self._call = asyncio.create_task(self._gather(self._waiting))
        call, place = self._call, len(self._waiting)
        self._waiting.append(signature)
        # One that gives up must not take the others' answer with it.
        return (await asyncio.shield(call))[place]

    async def _gather(self, signatures: list[Signature]) -> Sequence[TransactionStatus | None]:
        await asyncio.sleep(_GATHER_SECS)
        if self._waiting is signatures:
            self._call = None
        return await self._ask(signatures)


async def pause(looks: int) -> None:
    """Wait after this many looks at a transaction; all that wait equally long wake at the same moments."""
    secs = _PAUSES[min(looks, len(_PAUSES) - 1)]
    await asyncio.sleep(secs - asyncio.get_running_loop().time() % secs)
