"""Ends clusters that nobody uses, and tells how much of a budget is used.

The wallet has to sign for an end, so it is done on the renter's side.

How long nobody was connected and no job ran, the head's agent says. An agent that says less than is true lengthens its
lease, never beyond the time that was booked; nothing is ended that it does not answer for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import IonetError
from ionet.renting import spending
from ionet.renting.names import Named, Names
from ionet.renting.rental import end, head_of, is_open

_LOOK_SECS, _UNSEEN_SECS = 2.0, 180
Tell = Callable[[str], None]


async def idle_secs(client: Client, wallet: Keypair, named: Named) -> float | None:
    """For how long nobody has used its head; None where that does not run yet. Raises IonetError."""
    async with head_of(client, wallet, Pubkey.from_string(named.cluster), named.api) as agent:
        return (await agent.status()).idle_secs


async def watch(client: Client, wallet: Keypair, names: Names, tell: Tell) -> None:
    """Until no cluster of this wallet on this chain is left that is to end by itself, or of whose budget is told.

    What fails is tried again.
    """
    while True:
        mine = {
            name: named
            for name, named in names.all().items()
            if named.is_watched and named.url == client.rpc.url and named.renter == str(client.address)
        }
        if not mine:
            return
        for name, named in mine.items():
            try:
                for line in await spending.tell(client, names, name, named):
                    tell(line)
                await _look(client, wallet, names, name, named, tell)
            except IonetError as error:
                tell(f"{name}: {error}")
        await asyncio.sleep(_LOOK_SECS)


async def _look(client: Client, wallet: Keypair, names: Names, name: str, named: Named, tell: Tell) -> None:
    cluster = Pubkey.from_string(named.cluster)
    if not await is_open(client, cluster):
        if await client.rpc.unix_time() > named.at + _UNSEEN_SECS:  # one that is being opened is not seen yet
            names.close(name)
        return
    if not named.idle:
        return
    idle = await idle_secs(client, wallet, named)
    if idle is None or idle < named.idle:
        return
    tell(f"{name} was not used for {int(idle)} s: it ends")
    if (await end(client, cluster, tell, wait=True)).closed:
        names.close(name)
