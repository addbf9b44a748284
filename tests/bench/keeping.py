"""What a keeper needs to settle and close leases that have ended: transactions, and calls of RPC nodes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from bench.figures import Figures, count
from ionet.patient_http import PatientClient
from keeper.stage import keeper, settled
from market import Market, market

LEASES, INTERVALS, INTERVAL = 12, 2, 3
# How often these are asked while a transaction is confirmed depends on how fast the machine is.
_WAITING = {"getSignatureStatuses", "isBlockhashValid", "getBlockHeight", "getTransaction", "sendTransaction"}


class _Call(msgspec.Struct):
    method: str


def measure() -> Figures:
    transactions, calls = asyncio.run(_settle())
    each = f"for {LEASES} leases"
    return {
        "keeper.transactions": count("keeping", transactions, f"transactions {each}", target=LEASES),
        "keeper.rpc_calls": count("keeping", calls, f"calls {each}"),
    }


async def _settle() -> tuple[int, int]:
    """One keeper that starts when the leases of one cluster are over: until nothing of these is left."""
    async with market(clock_factor=0.0001) as built:
        leases = await _served(built)
        asked: Counter[str] = Counter()
        async with keeper(built) as one:
            with _counting(asked):
                deeds = await settled([one])
            closed = {deed.account for deed in deeds if deed.name == "close_lease" and deed.outcome == "done"}
            assert closed == set(leases), deeds
            transactions = int(one.metrics.transactions._value.get())
    return transactions, sum(number for method, number in asked.items() if method not in _WAITING)


async def _served(built: Market) -> list[Any]:
    """Leases that have been proven to the last interval and can be disputed no more."""
    machines = [await built.add_machine(str(number)) for number in range(LEASES)]
    cluster, leases = await built.open_cluster(), []
    for machine in machines:
        leases += await built.book(cluster, machine, duration=INTERVALS * INTERVAL)
    for lease, machine in zip(leases, machines, strict=True):
        await built.start(lease, machine)
    for interval in range(INTERVALS):
        built.pass_time(INTERVAL)
        for lease, machine in zip(leases, machines, strict=True):
            await built.prove(lease, machine, interval, INTERVAL, [b"result"])
    built.pass_time(3 * INTERVAL)
    return leases


@contextmanager
def _counting(asked: Counter[str]) -> Iterator[None]:
    """Within the block every call of an RPC node of this process is counted by its method."""
    send = PatientClient.send

    async def counted(self: PatientClient, request: Any, **more: Any) -> Any:
        asked[msgspec.json.decode(request.content, type=_Call).method] += 1
        return await send(self, request, **more)

    PatientClient.send = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        PatientClient.send = send  # type: ignore[method-assign]
