"""What the wallets of a local network start with: enough for a day of trying things out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionet.errors import RpcError

if TYPE_CHECKING:
    from ionet.client import Client
    from solders.keypair import Keypair

# Two dollars per IO, as the oracle counts them.
PRICE = 2 * 10**8
_LAMPORTS, _IO, _BURNED_IO = 100 * 10**9, 1_000 * 10**8, 50 * 10**8


async def fund(client: Client, treasury: Keypair, renter: Keypair, session: Keypair) -> None:
    """SOL for the renter and the launcher's session key; IO and IOSD for the renter. What is there is not topped up.

    client: of the network's authority, on a local chain.
    """
    from ionet.api.network import LOCAL_FEED_ID
    from ionet.client import Client

    for key in (renter, session):
        if await client.rpc.balance(key.pubkey()) < _LAMPORTS // 10:
            await client.rpc.airdrop(key.pubkey(), _LAMPORTS)
    io = await client.network.mint("IO")
    async with Client(client.rpc.url, treasury) as payer, Client(client.rpc.url, renter) as buyer:
        if await buyer.iosd.balance():
            return
        if await payer.tokens.balance(io) < _IO:
            raise RpcError("the local treasury has no IO left")
        await payer.tokens.transfer(io, renter.pubkey(), _IO)
        await client.oracle.post(LOCAL_FEED_ID, PRICE, conf=PRICE // 2_000)
        await buyer.iosd.mint(_BURNED_IO)
