"""The launcher's loop: woken by the indexer's notifications, several clusters at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import asyncpg
from ionet.errors import ChainRefused, IonetError, NotEnough

from ionet_launcher.keeping import Move, Store, Work
from ionet_launcher.phases import STEP_SECS, Reason
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import CLAIM_SECS

STEPS_AT_ONCE = 256
# Notifications are a hint; the table is looked at anyway.
_POLL_SECS = 1.0
_IDLE_SECS = 0.1
_RETRY_SECS = 1.0
_FAULT_SECS = 15.0
_RENEW_SECS = CLAIM_SECS / 5
_DATABASE_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_log = logging.getLogger(__name__)


class Scheduler:
    """Works through lease_work until stopped. Any number of launchers may share a database."""

    def __init__(self, store: Store, stepper: Stepper, *, at_once: int = STEPS_AT_ONCE) -> None:
        self._store, self._stepper, self._at_once = store, stepper, at_once
        self._changed, self._planned, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._begin: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = asyncio.create_task

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then let the steps that run end."""
        async with asyncio.TaskGroup() as group:
            self._begin = group.create_task
            renewing = group.create_task(self._keep(self._renew, asyncio.Event()))
            group.create_task(self._keep(self._plan, stopping))
            await self._keep(self._work, stopping)
            await asyncio.gather(*self._running.values())
            renewing.cancel()

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
                if await self._store.plan():
                    self._planned.set()
                await _either(self._changed, stopping, _POLL_SECS)

    async def _work(self, stopping: asyncio.Event) -> None:
        """Begin steps of what is due, or wait for a moment."""
        free = self._at_once - len(self._running)
        begun = await self._store.claim(free) if free else []
        for work in begun:
            before = self._running.get(work.row.cluster)
            self._running[work.row.cluster] = self._begin(self._run(work, before))
        self._ended.clear()
        if len(self._running) >= self._at_once:
            await _either(self._ended, stopping, _POLL_SECS)
        elif not begun:
            await _either(self._planned, stopping, _IDLE_SECS)
            self._planned.clear()

    async def _renew(self, _stopping: asyncio.Event) -> None:
        """Keep what is being worked on from other launchers."""
        await asyncio.sleep(_RENEW_SECS)
        if self._running:
            await self._store.renew(list(self._running))

    async def _run(self, work: Work, before: asyncio.Task[None] | None) -> None:
        """A step of its own, behind the one `before`, which is about to end or was not renewed in time.

        What the database does not take is done again.
        """
        if before is not None:
            await before
        try:
            await self._do(work)
        except _DATABASE_LOST as error:
            _log.warning("the database does not answer: %s", error, extra={"action": "database_lost"})
        except Exception:
            _log.exception("a step failed; trying again", extra={"action": "crash"})
        finally:
            if self._running[work.row.cluster] is asyncio.current_task():
                del self._running[work.row.cluster]
            self._ended.set()

    async def _once(self) -> bool:
        """One step of one cluster; False when none is due."""
        due = await self._store.claim(1)
        for work in due:
            await self._do(work)
        return bool(due)

    async def _do(self, work: Work) -> None:
        try:
            move = await self._step(work)
            if move.phase is not work.row.phase or move.reason != work.row.reason:
                text = "cluster %s: %s %s %s"
                _log.info(text, work.row.cluster, move.phase, move.reason, move.detail, extra={"action": "moved"})
            await work.move(move)
        except BaseException:
            with contextlib.suppress(*_DATABASE_LOST):
                await work.release()
            raise

    async def _step(self, work: Work) -> Move:
        phase = work.row.phase
        try:
            async with asyncio.timeout(STEP_SECS):
                return await self._stepper.step(work)
        except ChainRefused as error:
            reason = Reason.NO_SOL if isinstance(error, NotEnough) else Reason.CHAIN_REFUSED
            return Move(phase, _RETRY_SECS, reason, str(error), in_trouble=None)
        except IonetError as error:
            return Move(phase, _RETRY_SECS, Reason.CHAIN_UNREACHABLE, str(error), in_trouble=None)
        except TimeoutError:
            # Done so far is done; what is left, the next step does.
            return Move(phase, _RETRY_SECS, Reason.STEP_TOO_LONG, f"not done in {STEP_SECS:g} s", in_trouble=None)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            raise
        except Exception as error:
            # A fault of ours that one cluster brings out must not keep the others from running.
            _log.exception("cluster %s", work.row.cluster, extra={"action": "crash"})
            return Move(phase, _FAULT_SECS, Reason.INTERNAL_ERROR, repr(error), in_trouble=None)


async def _either(first: asyncio.Event, second: asyncio.Event, within_secs: float) -> None:
    """Wait until one of two events is set, or `within_secs` have passed."""
    tasks = [asyncio.create_task(event.wait()) for event in {first, second}]
    try:
        await asyncio.wait(tasks, timeout=within_secs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
