"""An agent as a process that two relays lead to: who it says they are, and its own API with its own TLS behind them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from agent.advert_taker import Taker
from agent.places import TRUSTING
from ionet import advert as messages
from ionet.agent_api import AgentClient
from ionet.agent_errors import AgentUnreachable, NotEntitled, OtherKey
from ionet.wallet import write_keypair
from launcher.ports import free_range
from launcher.stack import Command
from leases import SESSION
from relay.conftest import Place
from relay.place import Relay, killed_at_end
from solders.pubkey import Pubkey
from waiting import until


@pytest_asyncio.fixture
async def second(place: Place) -> AsyncIterator[Relay]:
    relay = place.another()
    with killed_at_end(relay):
        await relay.start()
        yield relay


@contextlib.asynccontextmanager
async def agent(place: Place, folder: Path, *options: str) -> AsyncIterator[Command]:
    """`ionet agent run` of the first machine."""
    ports = free_range(18)
    write_keypair(folder / "device.json", place.one.device)
    command = Command(
        folder / "agent.log",
        *("--url", place.market.net.rpc_url, "agent", "run", "--device-key", str(folder / "device.json")),
        *("--base", str(folder / "node"), "--ip", f"127.0.{os.getpid() % 250 + 1}.1", "--json"),
        *("--listen", "127.0.0.1:0", "--ports", f"{ports[0]}-{ports[-1]}", *TRUSTING, *options),
    )
    command.start()
    try:
        await command.ready()
        yield command
    finally:
        await command.end(signal.SIGTERM)


async def asked(relay: Relay, node: Pubkey, device: Pubkey) -> type[Exception]:
    """How the agent refuses a stranger through a relay."""
    with pytest.raises((NotEntitled, AgentUnreachable)) as refused:
        async with AgentClient(f"https://{relay.at}", device, SESSION, node=node) as client:
            await client.status()
    return refused.type


async def test_an_agent_behind_two_relays_is_reached_through_either(
    place: Place, second: Relay, tmp_path: Path
) -> None:
    async with Taker().serving() as taker:
        named = ("--relay", place.relay.at, "--relay", second.at, "--indexer", taker.url)
        async with agent(place, tmp_path, *named):
            node, device = place.one.address, place.one.device.pubkey()

            async def reached(relay: Relay) -> bool:
                return await asked(relay, node, device) is NotEntitled

            for relay in (place.relay, second):
                await until(lambda relay=relay: reached(relay), "the relay leads to the agent's API")  # type: ignore[misc]
            assert await asked(place.relay, node, place.two.device.pubkey()) is OtherKey
            assert await asked(place.relay, place.two.address, device) is AgentUnreachable, "it leads to no other node"
            place.relay.kill()
            assert await reached(second)
            await place.relay.start()
            await until(lambda: reached(place.relay), "the relay that was away leads there again")
        await taker.until(1)
        headers, body = taker.taken[-1]
        said = messages.decode(body, headers["ionet-node"], device)
        assert said.endpoints == [], "loopback is nowhere for those whom a relay leads"
        assert set(said.relays) <= {place.relay.at, second.at}
