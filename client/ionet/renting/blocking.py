"""Async things for code that blocks: their loop is a thread's of their own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from functools import wraps
from types import TracebackType
from typing import Any


class Blocking:
    """An async context manager as an ordinary one: its loop is another thread's, and so are its coroutines."""

    def __init__(self, manager: AbstractAsyncContextManager[Any]) -> None:
        self._manager, self._loop = manager, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Any:
        """What the manager yields; its coroutine methods block here."""
        self._thread.start()
        try:
            return _Blocked(self._wait(self._manager.__aenter__()), self._wait)
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            return bool(self._wait(self._manager.__aexit__(kind, error, trace)))
        finally:
            self._stop()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Its result. An interrupt cancels it, and waits until it has cleaned up."""
        begun: Future[asyncio.Task[Any]] = Future()
        over = threading.Event()

        def begin() -> None:
            task = self._loop.create_task(work)
            task.add_done_callback(lambda _: over.set())
            begun.set_result(task)

        self._loop.call_soon_threadsafe(begin)
        task = begun.result()
        try:
            over.wait()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(task.cancel)
            over.wait()
            raise
        return task.result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Blocked:
    def __init__(self, inner: Any, wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._inner, self._wait = inner, wait

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        @wraps(found)
        def call(*arguments: Any, **named: Any) -> Any:
            return self._wait(found(*arguments, **named))

        return call
