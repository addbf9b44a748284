"""The driver beside the head: what it prints is a stranger's, however much, however it is cut, and whenever it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ionet.agent_api import RunEvent
from ionet_launcher.ray_driver import _MAX_OUTPUT, DriverFailed, Joined, _Tail, tellings

FOUND = {"lease": {"processors": 2, "witness": "ab"}}
MARK = "ionet-joined:" + json.dumps(FOUND) + "\n"


class Head:
    """An agent whose driver prints these pieces. secs: how long it was given."""

    def __init__(self, *pieces: str, code: int | None = 0) -> None:
        self._pieces, self._code = pieces, code
        self.secs: float | None = None

    async def run(self, script: bytes, *, within_secs: float, most: int) -> AsyncIterator[RunEvent]:
        compile(script, "driver", "exec")
        assert most > _MAX_OUTPUT
        self.secs = within_secs
        for piece in self._pieces:
            yield RunEvent(output=piece)
        if self._code is not None:
            yield RunEvent(exit_code=self._code)


async def ask(head: Any) -> list[dict[str, Joined]]:
    return [found async for found in tellings(head, ["lease"], 7.0)]


async def test_it_has_the_time_that_it_is_given() -> None:
    head = Head(MARK)
    assert await ask(head) == [{"lease": Joined(2, "ab")}]
    assert head.secs == 8.0


async def test_the_lines_may_come_in_pieces_behind_much_else() -> None:
    pieces = [*["x\n"] * _MAX_OUTPUT, *MARK, "y\n", MARK.replace("ab", "cd") + MARK]
    assert await ask(Head(*pieces)) == [{"lease": Joined(2, witness)} for witness in ("ab", "cd", "ab")]


@pytest.mark.parametrize(
    "head",
    [
        Head("nothing"),
        Head(MARK, code=1),
        Head(MARK, code=None),
        Head("ionet-joined:[]\n"),
        Head("ionet-joined:" + "[" * 9_000 + "\n"),
        Head('ionet-joined:{"lease": {"processors": 1e99, "witness": ""}}\n'),
        Head(MARK.strip(), *["x" * 999] * 200),
    ],
    ids=["silent", "failed", "broken off", "nonsense", "deep", "huge", "endless line"],
)
async def test_what_is_no_answer_is_a_failure_of_the_driver(head: Head) -> None:
    with pytest.raises(DriverFailed):
        await ask(head)


async def test_what_it_printed_is_shown_as_one_line() -> None:
    with pytest.raises(DriverFailed, match=r"it ended with 1: a\?b$"):
        await ask(Head("c\na\0b", "\n\n", code=1))


def test_the_tail_of_an_output_keeps_its_pieces_and_drops_the_first() -> None:
    tail, pieces = _Tail(10), [str(number) * 4 for number in range(10)]
    for piece in ["", *pieces]:
        tail.add(piece)
    assert tail.text() == "777788889999"
    assert all(kept is piece for kept, piece in zip(tail._pieces, pieces[-3:], strict=True))
