from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hostile import Hostile, says
from ionet.agent_errors import OtherKey
from ionet.errors import RpcUnreachable
from ionet_launcher import device_keys
from ionet_launcher.calls import Calls
from ionet_launcher.device_keys import DeviceKeys, KeyUnknown
from leases import DEVICE, NODE, SESSION
from solders.pubkey import Pubkey

OTHERS = [Pubkey(bytes([number] * 32)) for number in range(20, 25)]


class Chain:
    """Nodes and their keys. reads: which nodes each read asked for."""

    def __init__(self) -> None:
        self.keys = dict.fromkeys([NODE, *OTHERS], DEVICE.pubkey())
        self.reads: list[list[Pubkey]] = []
        self.silent = False

    async def read(self, nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
        self.reads.append(list(nodes))
        await asyncio.sleep(0)
        if self.silent:
            raise RpcUnreachable("down")
        return {node: self.keys[node] for node in nodes if node in self.keys}


async def test_what_is_asked_at_a_moment_is_one_read() -> None:
    chain = Chain()
    keys = DeviceKeys(chain.read)
    assert set(await asyncio.gather(*map(keys.of, [*OTHERS, *OTHERS]))) == {DEVICE.pubkey()}
    assert [sorted(asked, key=bytes) for asked in chain.reads] == [OTHERS]
    await keys.of(OTHERS[0])
    assert len(chain.reads) == 1


async def test_a_node_that_is_not_on_the_chain_has_no_key() -> None:
    with pytest.raises(KeyUnknown, match="is not registered"):
        await DeviceKeys(Chain().read).of(Pubkey.default())


async def test_while_the_chain_is_silent_the_last_key_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_keys, "_FRESH_SECS", 0)
    chain = Chain()
    keys = DeviceKeys(chain.read)
    await keys.of(NODE)
    chain.silent = True
    assert await keys.of(NODE) == DEVICE.pubkey()
    with pytest.raises(KeyUnknown, match="down"):
        await keys.of(OTHERS[0])


async def test_there_is_a_limit_to_the_keys_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_keys, "MAX_KEYS", 3)
    keys = DeviceKeys(Chain().read)
    for node in OTHERS:
        await keys.of(node)
    assert list(keys._known) == OTHERS[2:]


async def test_after_a_rotation_the_old_keys_holder_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_keys, "_FRESH_SECS", 0)
    chain = Chain()
    async with Hostile(says()).serving() as server:
        calls = Calls(SESSION, {NODE: server.url}, DeviceKeys(chain.read), soon_secs=20)
        assert (await calls.answer(NODE, "status", lambda agent: agent.status())).phase == "idle"
        chain.keys[NODE] = SESSION.pubkey()
        with pytest.raises(OtherKey):
            await calls.answer(NODE, "status", lambda agent: agent.status())
        assert server.asked == 1
        await calls.aclose()
