"""Turns: an owner's requests wait for each other alone."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from ionet.places import Turns


async def test_turns_are_an_owner_s_own_and_nothing_is_kept_of_them() -> None:
    turns, most, now = Turns(2), Counter[str](), Counter[str]()

    async def work(owner: str) -> None:
        async with turns.of(owner):
            now[owner] += 1
            most[owner] = max(most[owner], now[owner])
            try:
                await asyncio.sleep(0)
            finally:
                now[owner] -= 1

    gone = asyncio.create_task(work("a"))
    tasks = [asyncio.create_task(work(owner)) for owner in "aaaaabbbbc"]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, *tasks, return_exceptions=True)
    del gone  # with its exception, which remembers where it was raised
    assert most == {"a": 2, "b": 2, "c": 1}
    assert turns._lines == {}


async def test_whoever_is_not_patient_leaves_the_line() -> None:
    turns = Turns(1, patience=0.01)
    async with turns.of("a"):
        with pytest.raises(TimeoutError):
            async with turns.of("a"):
                raise AssertionError("it is taken")
        async with turns.of("b"):
            pass
    async with turns.of("a"):
        pass
