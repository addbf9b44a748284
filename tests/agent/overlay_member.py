"""A member's network as a process, for a machine of `netlab`: overlay_member.py FOLDER DEVICE_KEY NODE [BACKEND].

Takes lines of JSON, a list of a method's name and its arguments, and answers each with a line.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from ionet.relay_wire import Pass
from ionet.wallet import read_keypair
from ionet_agent.overlay.base import Member, OverlayFailed, Peer
from ionet_agent.overlay.tools import Backend
from ionet_agent.overlay.wireguard import WireGuard
from solders.pubkey import Pubkey


async def answer(overlay: WireGuard, line: bytes) -> object:
    name, *arguments = msgspec.json.decode(line)
    try:
        if name == "prepare":
            return await overlay.prepare(arguments[0])
        if name == "up":
            return await overlay.up(msgspec.convert(arguments[0], Member), msgspec.convert(arguments[1], list[Peer]))
        if name == "latency":
            return await overlay.latency(arguments[0])
        if name == "down":
            await overlay.down()
            return None
        return overlay.enter
    except OverlayFailed as error:
        return {"failed": str(error)}


async def main(folder: str, device_key: str, node: str, backend: str = "") -> None:
    device, address = read_keypair(device_key), Pubkey.from_string(node)

    def admit(key: Pubkey, until: int) -> Pass:
        return Pass.issue(device, address, key, until)

    overlay = WireGuard(Path(folder), admit, Backend(backend) if backend else None)
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        said = msgspec.json.encode(await answer(overlay, line))
        print(said.decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
