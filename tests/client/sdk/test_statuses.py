"""Many wait, one call asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from ionet.errors import RpcUnreachable
from ionet.statuses import Statuses, pause
from solders.signature import Signature
from solders.transaction_status import TransactionStatus

SIGNATURES = [Signature(bytes([number % 256, number // 256] * 32)) for number in range(600)]


def status(slot: int) -> TransactionStatus:
    return TransactionStatus(slot=slot, confirmations=None, status=None, err=None, confirmation_status=None)


class Node:
    """Answers with the slot that each signature begins with; every second one is unknown."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def ask(self, signatures: Sequence[Signature]) -> Sequence[TransactionStatus | None]:
        self.calls.append(len(signatures))
        places = [SIGNATURES.index(signature) for signature in signatures]
        await asyncio.sleep(0)
        return [status(place) if place % 2 else None for place in places]


async def test_everybody_gets_his_own_answer() -> None:
    node = Node()
    statuses = Statuses(node.ask)
    answers = await asyncio.gather(*map(statuses.get, SIGNATURES))
    assert [answer.slot if answer else None for answer in answers] == [n if n % 2 else None for n in range(600)]
    assert node.calls == [256, 256, 88]
    assert await statuses.get(SIGNATURES[3]) is not None
    assert node.calls == [256, 256, 88, 1]


async def test_one_that_gives_up_takes_nobody_with_him() -> None:
    statuses = Statuses(Node().ask)
    first, second = (asyncio.create_task(statuses.get(signature)) for signature in SIGNATURES[:2])
    await asyncio.sleep(0)
    first.cancel()
    assert (await second) == status(1)


async def test_a_call_that_fails_fails_for_all_and_the_next_is_made_anew() -> None:
    calls = 0

    async def fail(_signatures: Sequence[Signature]) -> Sequence[TransactionStatus | None]:
        nonlocal calls
        calls += 1
        raise RpcUnreachable("gone")

    statuses = Statuses(fail)
    results = await asyncio.gather(*map(statuses.get, SIGNATURES[:3]), return_exceptions=True)
    assert [type(result) for result in results] == [RpcUnreachable] * 3
    with pytest.raises(RpcUnreachable):
        await statuses.get(SIGNATURES[0])
    assert calls == 2


async def test_those_that_wait_equally_long_wake_together() -> None:
    loop, woken = asyncio.get_running_loop(), []

    async def one(after: float) -> None:
        await asyncio.sleep(after)
        await pause(8)
        woken.append(loop.time())

    begun = loop.time() // 0.32 * 0.32 + 0.32
    await asyncio.sleep(begun - loop.time() + 0.01)
    await asyncio.gather(*(one(number / 50) for number in range(5)))
    assert max(woken) - min(woken) < 0.1
    assert min(woken) >= begun + 0.32
