"""People who use anchorpy keep working: it reads our accounts and sends our instructions by the legacy IDL."""

from __future__ import annotations

import asyncio

import pytest
from client.anchorpy.decode_rate import LEGACY, measure
from client.anchorpy.environment import ask
from client.sdk.conftest import Chain
from client.sdk.parties import IO, PRICE, PROCESSORS, STAKE, hireable_node, party
from ionet.generated.enums import NodeFlag


@pytest.mark.asyncio(loop_scope="session")
async def test_fetch_send_and_events(network: Chain) -> None:
    supplier = await party(network, 1_000 * IO)
    machine = await hireable_node(supplier)
    client = supplier.client
    task = {
        "do": "use",
        "idl": str(LEGACY),
        "url": network.url,
        "program": str(client.program.id),
        "network": str(client.network.address),
        "node": str(machine.node),
        "owner": list(bytes(supplier.keypair)),
    }
    # In a thread: the chain itself runs on this loop.
    answer = await asyncio.to_thread(ask, task)
    found = await client.network.get()
    assert (answer["owner"], answer["price"]) == (str(client.address), PRICE)
    assert (answer["processors"], answer["bonded"]) == (PROCESSORS, STAKE)
    assert (answer["interval_secs"], answer["feed_id"]) == (found.params.interval_secs, found.feed_id.hex())
    assert answer["flags"] == [0, 1]
    (event,) = answer["events"]
    assert (event["name"], event["node"]) == ("NodeFlagsChanged", str(machine.node))
    assert (event["before"], event["after"]) == (0, 1)
    assert (await client.node.get(machine.node)).flags == NodeFlag.PAUSED


def test_our_codec_is_faster() -> None:
    """A wide margin under what is measured (see docs/client.md), so that a busy machine does not fail it."""
    rates = measure(rounds=50)
    assert rates["accounts_ratio"] > 3
    assert rates["events_ratio"] > 3
