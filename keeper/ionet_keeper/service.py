"""A keeper as a process, once through, or only looking."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ionet.duties import DUTIES
from ionet.generated.accounts import Iosd
from ionet.tending.hands import Deed
from ionet.tending.manner import worth
from ionet.tending.nodes import Nodes
from ionet.wallet import Signer
from solders.pubkey import Pubkey

from ionet_keeper.config import Config
from ionet_keeper.keeper import Keeper
from ionet_keeper.serve import serving

# Rounds of `once` at most: what is due may make something else due.
_ROUNDS = 100
# What is left of a look when a signal comes.
_STOP_SECS = 5.0


async def run(config: Config, wallet: Signer, port: int, announce: Callable[[str], None]) -> None:
    """Work until a signal comes. announce: called with the address of metrics and health."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Nodes(config.urls, wallet, config.max_priority_fee) as nodes:
        keeper = Keeper(config, nodes, wallet.pubkey)
        async with serving(keeper, port) as address:
            announce(address)
            work = asyncio.create_task(keeper.run(stop))
            await stop.wait()
            # What is in flight lands or does not: the next keeper sees which.
            await asyncio.wait([work], timeout=_STOP_SECS)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def once(config: Config, wallet: Signer) -> list[Deed]:
    """Do all that is due now, and what becomes due by it. Raises RpcError."""
    deeds: list[Deed] = []
    async with Nodes(config.urls, wallet, config.max_priority_fee) as nodes:
        keeper = Keeper(replace(config, window=0.0), nodes, wallet.pubkey)
        for _ in range(_ROUNDS):
            found = await keeper.round()
            deeds += found
            later = keeper.agenda.next_at()
            # What nobody wants, or was refused, is put off; there may be more behind it.
            if not any(deed.outcome == "done" for deed in found) and (later is None or later > keeper.now):
                break
    return deeds


async def due(config: Config, within: int) -> list[dict[str, Any]]:
    """What is due within some seconds, the most urgent first. Sends nothing."""
    async with Nodes(config.urls, None, config.max_priority_fee) as nodes:
        keeper = Keeper(replace(config, window=0.0), nodes, Pubkey.default())
        await keeper.heal()
        tasks = [(when, task) for task, when in keeper.agenda.waiting() if when <= keeper.now + within]
        sight = await keeper.look.read({key for _, (key, _) in tasks})
        books = [seen.account for seen in sight.seen.values() if isinstance(seen.account, Iosd)]
        price = books[0].last_price if books else (await nodes.client.iosd.books()).last_price
    rows = []
    for when, (key, place) in sorted(tasks, key=lambda item: (item[0], item[1][1])):
        duty, seen = DUTIES[place], sight.seen.get(key)
        if seen is None:
            continue
        reward = duty.pays(seen, sight.at.later(max(0, int(when) - sight.at.now), seen.params.slot_ms))
        rows.append(
            {
                "action": duty.name,
                "address": str(key),
                "due_in_secs": int(when) - keeper.now,
                "pays_io_units": str(reward.io),
                "pays_lamports": str(worth(reward, price, config.sol_price)),
            }
        )
    return rows
