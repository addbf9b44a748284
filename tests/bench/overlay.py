"""How soon two members have a way to each other, where one can be dialled and where only a relay can be."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial

from agent.overlay_lab import ADDRESSES, Place, forward, join, placed, reaches_the_other, why_no_lab
from bench.figures import Figures, timed
from bench.machine import NOTHING, STARTING
from ionet_agent.overlay.tools import Backend
from relay.place import Relay
from waiting import until

TIMES = 5


def measure() -> Figures:
    """Nothing where no lab can be made."""
    if why_no_lab():
        return {}
    direct, relayed = asyncio.run(_measure())
    ratio = statistics.median(relayed) / statistics.median(direct)
    note = f"{Backend.TUN}, as root; both behind NATs with random ports"
    dialled = f"{note}; a port of one leads to it"
    return {
        "overlay.join": timed("overlay", direct, "s", bound_by=STARTING, note=dialled),
        "overlay.join_by_relay": timed("overlay", relayed, "s", bound_by=STARTING, note=note),
        "overlay.join_by_relay_over_direct": timed("overlay", [ratio], "times as long", bound_by=NOTHING),
    }


async def _measure() -> tuple[list[float], list[float]]:
    """Seconds that it takes directly and through a relay, by turns."""
    direct, relayed = [], []
    async with placed((), Backend.TUN) as place:
        endpoint, relay = forward(place), place.relay(7443)
        try:
            await relay.start()
            for _ in range(TIMES):
                direct.append(await _join(place, endpoint=endpoint))
                relayed.append(await _join(place, relay))
        finally:
            relay.kill()
    return direct, relayed


async def _join(place: Place, *relays: Relay, endpoint: str | None = None) -> float:
    """Until each has an answer of the other; then both leave."""
    one, other = place.agents
    began = time.monotonic()
    await join(place, *relays, endpoint=endpoint)
    for agent, address in ((one, ADDRESSES[1]), (other, ADDRESSES[0])):
        await until(partial(reaches_the_other, agent, address), "a way")
    took = time.monotonic() - began
    for agent in place.agents:
        await agent.ask("down")
    return took
