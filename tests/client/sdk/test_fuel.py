"""What is said of a key that pays fees."""

from __future__ import annotations

import asyncio

from ionet.fuel import LOW, sol, warning, watch
from ionet.rpc import Rpc
from ionet_localnet import Localnet, LocalnetConfig
from solders.keypair import Keypair
from waiting import until

KEY = Keypair.from_seed(bytes(32)).pubkey()
LOCAL, FAR = "http://127.0.0.1:8899", "https://rpc.example"


def test_enough_is_no_reason_to_say_anything() -> None:
    assert warning("device key", KEY, LOW, LOCAL) is None


def test_little_is_told_in_transactions_and_with_a_remedy() -> None:
    said = warning("device key", KEY, 10_890_880, FAR)
    assert said == f"device key {KEY} has 0.01089088 SOL, enough for about 2,000 transactions: send it some"


def test_what_an_account_has_to_keep_pays_for_nothing() -> None:
    for lamports, shown in ((0, "0"), (890_880, "0.00089088"), (895_879, "0.000895879")):
        said = warning("session key", KEY, lamports, LOCAL)
        assert said == f"session key {KEY} has {shown} SOL, too little: `ionet keys airdrop`"


def test_sol() -> None:
    assert (sol(0), sol(1), sol(10**9), sol(15 * 10**8)) == ("0", "0.000000001", "1", "1.5")


async def test_it_is_looked_at_again_and_no_answer_says_nothing() -> None:
    told: list[tuple[int, bool]] = []
    async with Localnet(LocalnetConfig(slot_ms=20)) as net, Rpc("http://127.0.0.1:9") as dead, Rpc(net.rpc_url) as rpc:
        silent = asyncio.create_task(watch([dead], "key", KEY, lambda *_: told.append((-1, True)), every=0.05))
        work = asyncio.create_task(
            watch([dead, rpc], "key", KEY, lambda lamports, said: told.append((lamports, said is not None)), every=0.05)
        )
        try:
            await until(lambda: (0, True) in told, "it has nothing")
            await rpc.airdrop(KEY, 10**9)
            await until(lambda: (10**9, False) in told, "it has enough")
        finally:
            for task in (silent, work):
                task.cancel()
            await asyncio.gather(silent, work, return_exceptions=True)
    assert set(told) == {(0, True), (10**9, False)}
