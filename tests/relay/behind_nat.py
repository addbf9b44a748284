"""An agent as a process, for a machine of `netlab`: behind_nat.py DEVICE_KEY NODE RELAY...

It echoes what callers say, over TLS of its own, and prints a line when the relays that it is connected to change.
"""

from __future__ import annotations

import asyncio
import sys

from ionet.wallet import read_keypair
from ionet_agent.relay import RelayAddress, Relays
from relay.place import api, to_port
from solders.pubkey import Pubkey


async def main(device_key: str, node: str, *names: str) -> None:
    async with api() as port:
        addresses = [RelayAddress.parse(name) for name in names]
        relays = Relays(addresses, Pubkey.from_string(node), read_keypair(device_key), to_port(port))
        running, said = asyncio.create_task(relays.run()), [""]
        while not running.done():
            if relays.connected != said:
                said = relays.connected
                print(" ".join(said) or "none", flush=True)
            await asyncio.sleep(0.05)
        await running


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
