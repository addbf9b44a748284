"""What is asynchronous, made blocking: results, errors, interrupts; the rental itself is tested with a network."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ionet.renting.blocking import Blocking


class Thing:
    name = "thing"

    async def double(self, number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def fail(self) -> None:
        raise ValueError("no")

    async def hang(self) -> None:
        await asyncio.Event().wait()


def made(log: list[str], hangs: bool = False) -> Blocking:
    @asynccontextmanager
    async def manager() -> AsyncIterator[Thing]:
        log.append("opened")
        try:
            if hangs:
                await asyncio.Event().wait()
            yield Thing()
        finally:
            await asyncio.sleep(0.05)
            log.append("closed")

    return Blocking(manager())


def test_results_and_errors_come_through() -> None:
    log: list[str] = []
    with made(log) as thing:
        assert (thing.name, thing.double(4)) == ("thing", 8)
        with pytest.raises(ValueError, match="no"):
            thing.fail()
        with pytest.raises(AttributeError):
            thing.nothing  # noqa: B018
    assert log == ["opened", "closed"]


def test_what_goes_wrong_inside_closes_it_too() -> None:
    log: list[str] = []
    with pytest.raises(ZeroDivisionError), made(log):
        raise ZeroDivisionError
    assert log == ["opened", "closed"]


@pytest.mark.parametrize("hangs", [False, True], ids=["in a call", "while it opens"])
def test_an_interrupt_waits_until_all_is_cleaned_up(hangs: bool) -> None:
    log: list[str] = []
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.5, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt), made(log, hangs) as thing:
        thing.hang()
    assert log == ["opened", "closed"]
