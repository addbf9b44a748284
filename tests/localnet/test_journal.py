"""The ledger on disk: restart, crash, damage."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from ionet_localnet import (
    Genesis,
    JournalCorrupt,
    LedgerBusy,
    LedgerMismatch,
    LocalChain,
    open_chain,
)
from ionet_localnet.journal import RUN_LIMIT, Journal, Kind
from ionet_localnet.ledger import JOURNAL_FILE
from localnet.helpers import SOL, pay, rich, state
from solders.account import Account
from solders.keypair import Keypair
from solders.signature import Signature

pytestmark = pytest.mark.matrix


def live(chain: LocalChain, seed: int) -> None:
    """A run with every kind of record in the journal."""
    draw = random.Random(seed)
    wallets = [rich(chain) for _ in range(3)]
    for step in range(60):
        payer = draw.choice(wallets)
        # Some fail: they ask for more than the payer has.
        amount = draw.choice([SOL, SOL // 100, 5000 * SOL]) + step
        chain.submit(pay(chain.latest_blockhash(), payer, draw.choice(wallets).pubkey(), amount))
        event = draw.random()
        if event < 0.4:
            chain.begin_block(unix_time=chain.unix_time + draw.randint(0, 2))
        elif event < 0.5:
            chain.begin_blocks(draw.randint(1, 80))
        elif event < 0.55:
            chain.advance(draw.randint(1, 100_000))
        elif event < 0.6:
            chain.set_account(Keypair().pubkey(), Account(SOL, b"data", wallets[0].pubkey(), False, 0))
        elif event < 0.7 and chain.timeline.height > 40:
            chain.fork(draw.randint(1, 6), lambda _record: draw.random() < 0.5)


def close(chain: LocalChain) -> None:
    assert chain.journal is not None
    chain.journal.close()


def abandon(chain: LocalChain) -> None:
    assert chain.journal is not None
    chain.journal.abandon()


@pytest.mark.parametrize("seed", range(5))
def test_restart_replays_to_the_identical_state(tmp_path: Path, seed: int) -> None:
    address = Keypair().pubkey()
    genesis = Genesis(accounts={address: Account(SOL, b"genesis", Keypair().pubkey(), False, 0)})
    chain = open_chain(tmp_path, genesis)
    live(chain, seed)
    expected = state(chain)
    assert len(expected["transactions"]) > 20
    close(chain)
    for _ in range(2):
        chain = open_chain(tmp_path, genesis)
        assert state(chain) == expected
        close(chain)
    # The chain goes on: the same signatures are still refused, new ones land.
    chain = open_chain(tmp_path)
    chain.submit(pay(chain.latest_blockhash(), rich(chain), Keypair().pubkey(), SOL))
    close(chain)


def test_crash_keeps_every_answered_transaction_and_reuses_no_slot(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    live(chain, 1)
    for lost in range(2 * RUN_LIMIT + 2):
        expected = state(chain)
        chain.begin_blocks(lost)
        shown = chain.slot
        abandon(chain)
        chain = open_chain(tmp_path)
        after = state(chain)
        assert after["transactions"] == expected["transactions"]
        assert after["accounts"] == expected["accounts"]
        assert chain.slot > shown
    close(chain)


def test_torn_last_record_is_cut_off(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    payer = rich(chain)
    kept = chain.submit(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL))
    size = (tmp_path / JOURNAL_FILE).stat().st_size
    torn = chain.submit(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL))
    full = (tmp_path / JOURNAL_FILE).read_bytes()
    abandon(chain)
    for cut in (size, size + 1, size + 8, size + 9, len(full) - 1):
        (tmp_path / JOURNAL_FILE).write_bytes(full[:cut])
        chain = open_chain(tmp_path)
        assert chain.history.get(kept.signature) is not None
        assert chain.history.get(torn.signature) is None
        close(chain)


def test_zeros_left_by_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    kept = chain.airdrop(Keypair().pubkey(), SOL)
    abandon(chain)
    with (tmp_path / JOURNAL_FILE).open("ab") as journal:
        journal.write(bytes(4096))
    chain = open_chain(tmp_path)
    assert chain.history.get(kept.signature) is not None
    close(chain)


def test_damage_in_the_middle_is_reported(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    live(chain, 2)
    close(chain)
    content = bytearray((tmp_path / JOURNAL_FILE).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / JOURNAL_FILE).write_bytes(content)
    with pytest.raises(JournalCorrupt):
        open_chain(tmp_path)


def test_another_genesis_needs_a_reset(tmp_path: Path) -> None:
    close(open_chain(tmp_path))
    other = Genesis(accounts={Keypair().pubkey(): Account(SOL, b"", Keypair().pubkey(), False, 0)})
    with pytest.raises(LedgerMismatch):
        open_chain(tmp_path, other)
    chain = open_chain(tmp_path, other, reset=True)
    assert chain.get_account(next(iter(other.accounts))) is not None
    close(chain)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    with pytest.raises(LedgerBusy):
        open_chain(tmp_path)
    close(chain)
    close(open_chain(tmp_path))


def test_empty_blocks_cost_little(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    start = (tmp_path / JOURNAL_FILE).stat().st_size
    chain.begin_blocks(100_000)
    close(chain)
    assert (tmp_path / JOURNAL_FILE).stat().st_size - start < 100_000
    chain = open_chain(tmp_path)
    assert chain.timeline.height == 100_001
    close(chain)


def test_transaction_that_replays_differently_is_reported(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    transaction = pay(chain.latest_blockhash(), rich(chain), Keypair().pubkey(), SOL)
    abandon(chain)
    journal = Journal(tmp_path / JOURNAL_FILE)
    list(journal.read())
    journal.append(Kind.TRANSACTION, b"\x00" + bytes(transaction))
    journal.abandon()
    with pytest.raises(LedgerMismatch):
        open_chain(tmp_path)


def start_server(ledger: Path) -> tuple[subprocess.Popen[str], str]:
    options = ["--port", "0", "--slot-ms", "20", "--ledger", str(ledger), "--json"]
    command = [sys.executable, "-m", "ionet", "localnet", "run", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, json.loads(line)["rpc_url"]


def call(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
        return json.load(answer)["result"]


def send_until_it_dies(url: str, answered: list[str]) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            answered.append(call(url, "requestAirdrop", str(Keypair().pubkey()), SOL))


@pytest.mark.parametrize("kill_after", [0.1, 0.25, 0.4])
def test_sigkill_under_load_loses_no_answered_transaction(tmp_path: Path, kill_after: float) -> None:
    process, url = start_server(tmp_path)
    answered: list[list[str]] = [[], []]
    senders = [threading.Thread(target=send_until_it_dies, args=(url, sent)) for sent in answered]
    try:
        for sender in senders:
            sender.start()
        time.sleep(kill_after)
        shown = call(url, "getSlot", {"commitment": "processed"})
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate(timeout=10)
        for sender in senders:
            sender.join(timeout=10)
    chain = open_chain(tmp_path)
    assert all(answered)
    for text in answered[0] + answered[1]:
        assert chain.history.get(Signature.from_string(text)) is not None
    assert chain.slot > shown
    first = state(chain)
    close(chain)
    chain = open_chain(tmp_path)
    assert state(chain) == first
    close(chain)


def test_sigterm_closes_the_ledger_cleanly(tmp_path: Path) -> None:
    process, url = start_server(tmp_path)
    signature = call(url, "requestAirdrop", str(Keypair().pubkey()), SOL)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
    journal = Journal(tmp_path / JOURNAL_FILE)
    kinds = [kind for kind, _ in journal.read()]
    journal.abandon()
    assert kinds[-1] == Kind.CLOSED
    again, url = start_server(tmp_path)
    try:
        found = call(url, "getSignatureStatuses", [signature], {"searchTransactionHistory": True})
        assert found["value"][0]["err"] is None
    finally:
        again.terminate()
        again.communicate(timeout=10)
    assert again.returncode == 0
