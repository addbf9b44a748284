"""Whether anybody uses the member: who is connected to it, and what jobs run in it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from ionet_agent.providers.base import Provider

_LOOK_SECS = 5.0
_log = logging.getLogger(__name__)


class Use:
    """Of one node's member, whichever it is. An agent that is started again begins to count again."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider, self._clock = provider, clock
        self._connected, self._last = 0, clock()
        self._lease: str | None = None
        self._has_jobs = False

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Somebody is, for the length of the block."""
        self._connected += 1
        try:
            yield
        finally:
            self._connected -= 1
            self._last = self._clock()

    async def look(self) -> None:
        """Note whether it is in use now."""
        spec = self._provider.spec
        lease = None if spec is None else spec.lease
        self._has_jobs = lease is not None and await self._provider.has_jobs()
        if lease != self._lease or self._connected or self._has_jobs:
            self._lease, self._last = lease, self._clock()

    def idle_secs(self, lease: str) -> float | None:
        """For how long nobody has used the member of the lease; None where it does not run."""
        spec = self._provider.spec
        if spec is None or spec.lease != lease:
            return None
        in_use = self._connected or self._has_jobs or lease != self._lease
        return 0.0 if in_use else self._clock() - self._last

    async def run(self) -> None:
        """Look again and again; a look that fails changes nothing."""
        while True:
            try:
                await self.look()
            except OSError as error:
                _log.warning("whether a job runs: %s", error, extra={"action": "use_unknown"})
            await asyncio.sleep(_LOOK_SECS)
