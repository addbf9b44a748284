"""Forks of the chain itself: which transactions vanish or move, which state is restored."""

from __future__ import annotations

import contextlib
import random

import pytest
from ionet_localnet import ForkError, LocalChain, TransactionRefused
from ionet_localnet.chain import FAUCET_LAMPORTS
from ionet_localnet.execution import new_svm
from ionet_localnet.genesis import wallet as genesis_wallet
from localnet.helpers import (
    SIGNATURE_FEE,
    SOL,
    pay,
    rich,
    token_program_elf,
)
from solders.keypair import Keypair

pytestmark = pytest.mark.matrix


def test_fork_drops_moves_and_restores(chain: LocalChain) -> None:
    payer, kept_to, lost_to = rich(chain), Keypair().pubkey(), Keypair().pubkey()
    chain.begin_blocks(3)
    before, old_hash = chain.get_account(payer.pubkey()), chain.timeline.blockhash(chain.timeline.height)
    chain.begin_block()
    kept = chain.submit(pay(chain.latest_blockhash(), payer, kept_to, SOL))
    lost = chain.submit(pay(chain.latest_blockhash(), payer, lost_to, 2 * SOL))
    chain.begin_blocks(4)
    old_slot, old_height = chain.slot, chain.timeline.height
    dropped = chain.fork(5, lambda record: record.signature == kept.signature)
    assert [record.signature for record in dropped] == [kept.signature, lost.signature]
    assert chain.history.get(lost.signature) is None
    assert chain.get_account(lost_to) is None
    moved = chain.history.get(kept.signature)
    assert moved is not None
    assert moved.slot == chain.slot == old_slot + 1
    assert before is not None
    after = chain.get_account(payer.pubkey())
    assert after is not None
    assert after.lamports == before.lamports - SOL - SIGNATURE_FEE
    # The abandoned slots hold no block any more, the one they grew from still does.
    assert chain.timeline.height == old_height - 4
    assert chain.timeline.height_of(kept.slot) is None
    assert chain.timeline.blockhash(chain.timeline.height - 1) == old_hash
    assert chain.history.in_slot(kept.slot) == []
    assert [record.signature for record in chain.history.newest_first(lost_to)] == []


def test_fork_gives_new_blocks_new_hashes(chain: LocalChain) -> None:
    chain.begin_blocks(10)
    abandoned = {chain.timeline.blockhash(height) for height in range(7, 12)}
    chain.fork(5)
    chain.begin_blocks(10)
    current = {chain.timeline.blockhash(height) for height in range(chain.timeline.height + 1)}
    assert len(current) == chain.timeline.height + 1
    assert not abandoned & current
    newest_slot, newest_hash = chain.timeline.slot_hashes()[0]
    assert newest_slot == chain.slot - 1
    assert newest_hash == chain.timeline.bank_hash(chain.timeline.height - 1)


@pytest.mark.parametrize("seed", range(5))
def test_state_after_forks_is_that_of_the_surviving_transactions_alone(seed: int) -> None:
    chain, draw = LocalChain(), random.Random(seed)
    wallets = [rich(chain, 10 * SOL) for _ in range(4)]
    chain.begin_blocks(32)
    for step in range(150):
        payer, to = draw.choice(wallets), draw.choice([*wallets, Keypair()]).pubkey()
        # Some empty the payer, some fail.
        balance = chain.get_account(payer.pubkey())
        assert balance is not None
        lamports = draw.choice([SOL + step, balance.lamports - SIGNATURE_FEE, 100 * SOL + step])
        with contextlib.suppress(TransactionRefused):
            chain.submit(pay(chain.latest_blockhash(), payer, to, lamports))
        chain.begin_blocks(draw.choice([0, 0, 1, 3]))
        if draw.random() < 0.1:
            chain.fork(draw.randint(1, 8), lambda _record: draw.random() < 0.6)
        for wallet in wallets:
            if chain.get_account(wallet.pubkey()) is None:
                chain.airdrop(wallet.pubkey(), 10 * SOL)
    # The same transactions on an SVM that never saw a fork.
    survivors = [
        record
        for height in range(chain.timeline.height + 1)
        for record in chain.history.in_slot(chain.timeline.slot_at(height))
    ]
    plain = new_svm()
    plain.set_account(chain.faucet.pubkey(), genesis_wallet(FAUCET_LAMPORTS))
    for record in survivors:
        plain.send_transaction(record.transaction)
    assert len(survivors) > 50
    for address in chain.addresses:
        assert chain.get_account(address) == plain.get_account(address)


@pytest.mark.parametrize("depth", [0, 32, 33])
def test_fork_depth_is_bounded(chain: LocalChain, depth: int) -> None:
    chain.begin_blocks(100)
    with pytest.raises(ForkError):
        chain.fork(depth)


def test_fork_cannot_undo_a_deployment(chain: LocalChain) -> None:
    chain.begin_blocks(40)
    chain.add_program(Keypair().pubkey(), token_program_elf(chain))
    chain.begin_blocks(3)
    with pytest.raises(ForkError):
        chain.fork(4)
    chain.fork(3)
