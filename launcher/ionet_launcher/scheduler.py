"""The launcher's loop: woken by the indexer's notifications, several clusters at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg
from ionet.errors import IonetError

from ionet_launcher.phases import Reason
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Move, Store, Work

WORKERS = 8
# Notifications are a hint; the table is looked at anyway.
_POLL_SECS = 1.0
_IDLE_SECS = 0.1
_RETRY_SECS = 1.0
_FAULT_SECS = 15.0
_DATABASE_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_log = logging.getLogger(__name__)


class Scheduler:
    """Works through lease_work until stopped. Any number of launchers may share a database."""

    def __init__(self, store: Store, stepper: Stepper, *, workers: int = WORKERS) -> None:
        self._store, self._stepper, self._workers = store, stepper, workers
        self._changed = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then let the steps that run end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(self._plan, stopping))
            for _ in range(self._workers):
                group.create_task(self._keep(self._work, stopping))

    async def _keep(self, round_of: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event) -> None:
        """Do rounds until `stopping` is set, a little later again when one fails: the others go on meanwhile."""
        while not stopping.is_set():
            try:
                await round_of(stopping)
            except _DATABASE_LOST as error:
                _log.warning("the database does not answer: %s", error, extra={"action": "database_lost"})
            except Exception:
                _log.exception("a round failed; trying again", extra={"action": "crash"})
            else:
                continue
            await _either(stopping, stopping, _RETRY_SECS)

    async def _plan(self, stopping: asyncio.Event) -> None:
        """Keep the clusters in step with lease_work, at each notification and every second."""
        lost = asyncio.Event()
        async with self._store.listening(self._changed.set, lost.set):
            while not stopping.is_set() and not lost.is_set():
                self._changed.clear()
                await self._store.plan()
                await _either(self._changed, stopping, _POLL_SECS)

    async def _work(self, stopping: asyncio.Event) -> None:
        if not await self._once():
            await _either(stopping, stopping, _IDLE_SECS)

    async def _once(self) -> bool:
        """One step of one cluster; False when none is due."""
        async with self._store.take() as work:
            if work is None:
                return False
            move = await self._step(work)
            if move.phase is not work.row.phase or move.reason != work.row.reason:
                text = "cluster %s: %s %s %s"
                _log.info(text, work.row.cluster, move.phase, move.reason, move.detail, extra={"action": "moved"})
            await work.move(move)
            return True

    async def _step(self, work: Work) -> Move:
        try:
            return await self._stepper.step(work)
        except IonetError as error:
            return Move(work.row.phase, _RETRY_SECS, Reason.CHAIN_UNREACHABLE, str(error))
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            raise
        except Exception as error:
            # A fault of ours that one cluster brings out must not keep the others from running.
            _log.exception("cluster %s", work.row.cluster, extra={"action": "crash"})
            return Move(work.row.phase, _FAULT_SECS, Reason.INTERNAL_ERROR, repr(error))


async def _either(first: asyncio.Event, second: asyncio.Event, within_secs: float) -> None:
    """Wait until one of two events is set, or `within_secs` have passed."""
    tasks = [asyncio.create_task(event.wait()) for event in {first, second}]
    try:
        await asyncio.wait(tasks, timeout=within_secs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
