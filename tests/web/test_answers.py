"""Answers that are given again: who waits, who does not, and what is not believed for long."""

from __future__ import annotations

import asyncio

import pytest
from ionet_web.answers import Answers
from ionet_web.indexer import Refused, Unavailable


class Source:
    """Numbers its answers. away: fails instead; held: answers once this is set."""

    def __init__(self) -> None:
        self.count, self.away, self.held = 0, False, asyncio.Event()
        self.held.set()

    async def fetch(self, asked: str) -> str:
        self.count += 1
        number = self.count
        await self.held.wait()
        if self.away:
            raise Unavailable("it is away")
        if asked == "none":
            raise Refused("there is none")
        return f"{asked} {number}"


def answers(source: Source, fresh: float, usable: float, most: int = 9) -> Answers[str]:
    return Answers(source.fetch, fresh, usable, most, Unavailable)


async def settle() -> None:
    """Everything that can go on without waiting has."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_fresh_is_given_again_and_what_is_old_is_not() -> None:
    source = Source()
    fresh, old = answers(source, 600, 600), answers(source, 0, 0)
    assert [await fresh.get("a") for _ in range(3)] == ["a 1"] * 3
    assert [await old.get("a") for _ in range(3)] == ["a 2", "a 3", "a 4"]


async def test_what_is_usable_is_given_while_a_new_one_is_fetched_once() -> None:
    source = Source()
    kept = answers(source, 0, 600)
    assert await kept.get("a") == "a 1"
    source.held.clear()
    assert [await kept.get("a") for _ in range(3)] == ["a 1"] * 3  # nobody waits
    await settle()
    assert source.count == 2
    source.held.set()
    await settle()
    assert await kept.get("a") == "a 2"


async def test_who_fails_to_renew_leaves_what_was_there() -> None:
    source = Source()
    kept = answers(source, 0, 600)
    assert await kept.get("a") == "a 1"
    source.away = True
    for _ in range(3):
        assert await kept.get("a") == "a 1"
        await settle()
    assert source.count == 4
    with pytest.raises(Unavailable):
        await kept.get("b")


async def test_what_was_refused_is_not_given_for_an_answer() -> None:
    source = Source()
    kept = answers(source, 0, 600)
    for count in (1, 2):
        with pytest.raises(Refused):
            await kept.get("none")
        assert source.count == count


async def test_a_reader_who_leaves_takes_nobody_with_them() -> None:
    source = Source()
    source.held.clear()
    kept = answers(source, 600, 600)
    first, second = (asyncio.create_task(kept.get("a")) for _ in range(2))
    await settle()
    first.cancel()
    source.held.set()
    assert await second == "a 1"


async def test_only_so_many_are_kept() -> None:
    source = Source()
    kept = answers(source, 600, 600, most=2)
    for asked in ("a", "b", "c", "c", "b", "a"):
        await kept.get(asked)
    assert source.count == 4  # the oldest, a, was asked for twice
