"""What strangers make a relay ask the chain is bounded, and what it knows it keeps while the chain is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from ionet.errors import RpcUnreachable
from ionet_relay.keys import ChainSilent, NodeKeys
from relay.conftest import Place
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey


async def test_a_thousand_made_up_nodes_cost_ten_reads(place: Place) -> None:
    reads = 0

    async def read(keys: Sequence[Pubkey]) -> list[Account | None]:
        nonlocal reads
        reads += 1
        return await place.market.admin.rpc.accounts(keys)

    keys = NodeKeys(read)
    made_up = [Keypair().pubkey() for _ in range(999)]
    found = await asyncio.gather(*(keys.device_key(node) for node in (*made_up, place.one.address)))
    assert found[-1] == place.one.device.pubkey()
    assert set(found[:-1]) == {None}
    assert reads == 10
    assert await keys.device_key(place.one.address) == place.one.device.pubkey()
    assert reads == 10


async def test_more_than_can_wait_are_sent_away_and_a_silent_chain_is_not_remembered() -> None:
    async def silent(keys: Sequence[Pubkey]) -> list[Account | None]:
        raise RpcUnreachable(f"{len(keys)} keys")

    keys = NodeKeys(silent)
    waiting = [asyncio.create_task(keys.device_key(Keypair().pubkey())) for _ in range(2000)]
    await asyncio.sleep(0)
    with pytest.raises(ChainSilent, match="too many ask"):
        await keys.device_key(Keypair().pubkey())
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {ChainSilent}
    with pytest.raises(ChainSilent, match="1 keys"):
        await keys.device_key(Keypair().pubkey())
