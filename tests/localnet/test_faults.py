"""Faults on purpose: what a client must survive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ionet_localnet import FaultConfig, InvalidSetting, Localnet, LocalnetConfig
from localnet.helpers import SOL, pay, rich
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Processed
from solana.rpc.models import TxOpts
from solders.keypair import Keypair
from websockets.asyncio.client import connect

COUNT = 200


async def landed_after(faults: FaultConfig, blocks: int) -> tuple[int, int, list[int]]:
    """How many of COUNT transactions landed at once and after `blocks` more blocks, and in which blocks."""
    async with Localnet(LocalnetConfig(faults=faults)) as net, AsyncClient(net.rpc_url, Processed) as client:
        net.node.paused = True
        payer = rich(net.chain)
        start = net.chain.timeline.height
        sent = []
        for i in range(COUNT):
            transaction = pay(net.chain.latest_blockhash(), payer, Keypair().pubkey(), SOL // 100 + i)
            sent.append((await client.send_transaction(transaction, TxOpts(skip_preflight=True))).value)
        at_once = net.chain.history.next_number - 1
        for _ in range(blocks):
            net.node.tick()
        found = [net.chain.history.get(signature) for signature in sent]
        return at_once, net.chain.history.next_number - 1, [record.height - start for record in found if record]


async def test_no_faults_by_default() -> None:
    assert await landed_after(FaultConfig(), 0) == (COUNT, COUNT, [0] * COUNT)


async def test_dropped_transactions_never_land() -> None:
    at_once, later, _ = await landed_after(FaultConfig(drop=0.5, seed=1), 20)
    assert at_once == later
    assert COUNT * 0.35 < later < COUNT * 0.65


async def test_delayed_transactions_land_in_later_blocks() -> None:
    at_once, later, heights = await landed_after(FaultConfig(delay=0.5, max_delay=4, seed=2), 4)
    assert COUNT * 0.35 < at_once < COUNT * 0.65
    assert later == COUNT
    assert set(heights) == {0, 1, 2, 3, 4}


async def test_duplicates_land_once() -> None:
    assert (await landed_after(FaultConfig(duplicate=1.0, seed=3), 20))[1] == COUNT


async def test_the_seed_repeats_the_faults() -> None:
    faults = FaultConfig(drop=0.3, delay=0.3, duplicate=0.3, seed=4)
    first = await landed_after(faults, 20)
    assert first == await landed_after(faults, 20)
    assert first != await landed_after(FaultConfig(drop=0.3, delay=0.3, duplicate=0.3, seed=5), 20)


async def test_notifications_are_lost() -> None:
    config = LocalnetConfig(faults=FaultConfig(drop_notification=0.5, seed=6))
    async with Localnet(config) as net, connect(net.ws_url) as socket:
        net.node.paused = True
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
        assert json.loads(await socket.recv())["result"] == 1
        net.chain.begin_blocks(COUNT)
        last = net.chain.slot
        heard: list[Any] = []
        # The last one may be lost too: a call that is answered marks the end.
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "slotSubscribe"}))
        while "id" not in (message := json.loads(await socket.recv())):
            heard.append(message["params"]["result"]["slot"])
        assert COUNT * 0.35 < len(heard) < COUNT * 0.65
        assert heard == sorted(heard)
        assert last - COUNT < heard[0]


@pytest.mark.parametrize("values", [{"drop": 1.5}, {"delay": -0.1}, {"max_delay": 0}])
def test_impossible_faults_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting, match="must be"):
        FaultConfig(**values)  # type: ignore[arg-type]
