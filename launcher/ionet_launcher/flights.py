"""Work that goes on beside the steps that asked for it, until it has ended and a step has seen how."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """Work on its way. moment: set when it has ended, or when nobody is to wait for it. begun: on the loop's clock."""

    def __init__(self, work: Coroutine[Any, Any, T], about: Hashable = None) -> None:
        self.about, self.begun, self.moment = about, asyncio.get_running_loop().time(), asyncio.Event()
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # perhaps nobody asks again
        self.moment.set()


class Flights(Generic[T]):
    """By key. What has ended is kept for `keep_secs` for a step to see."""

    def __init__(self, keep_secs: float) -> None:
        self._keep_secs = keep_secs
        self._kept: dict[Hashable, Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Flight[T] | None:
        return self._kept.get(key)

    def begin(self, key: Hashable, work: Coroutine[Any, Any, T], about: Hashable = None) -> Flight[T]:
        """In the place of what is there under this key, which ends. about: what it was begun for."""
        self.end(key)
        flight = self._kept[key] = Flight(work, about)
        flight.task.add_done_callback(lambda _: later_without(self._kept, key, flight, self._keep_secs))
        return flight

    def seen(self, key: Hashable, flight: Flight[T]) -> T:
        """The result of one that has ended, which is not kept any longer. Raises what it raised."""
        if self._kept.get(key) is flight:
            del self._kept[key]
        return flight.task.result()

    def end(self, key: Hashable) -> None:
        """End what is under this key, if anything is."""
        flight = self._kept.pop(key, None)
        if flight is not None:
            flight.task.cancel()

    async def aclose(self) -> None:
        tasks = [flight.task for flight in self._kept.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def later_without(kept: dict[Hashable, Any], key: Hashable, value: object, secs: float) -> None:
    """Drop a value that is too old by then, unless another has taken its place."""

    def drop() -> None:
        if kept.get(key) is value:
            del kept[key]

    asyncio.get_running_loop().call_later(secs, drop)
