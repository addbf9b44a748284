"""The chain itself, without a network."""

from __future__ import annotations

import pytest
from ionet_localnet import Genesis, GenesisError, LocalChain, LocalnetError, TransactionRefused
from ionet_localnet.execution import LOOKUP_TABLE_PROGRAM, MINT_SIZE, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM
from ionet_localnet.genesis import UPGRADEABLE_LOADER, program_data_address, rent_exempt
from ionet_localnet.timeline import BLOCKHASH_AGE, FINALIZED_LAG
from localnet.helpers import (
    SIGNATURE_FEE,
    SOL,
    mint_tokens,
    new_mint,
    new_token_account,
    pay,
    rich,
    signed,
    token_program_elf,
)
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import Transaction, VersionedTransaction
from spl.token.instructions import transfer_checked
from spl.token.models import TransferCheckedParams


def test_transfer_moves_money_and_charges_the_fee(chain: LocalChain) -> None:
    payer, to = rich(chain), Keypair().pubkey()
    record = chain.submit(pay(chain.latest_blockhash(), payer, to, SOL))
    assert record.error is None
    assert record.pre_balances[:2] == [1000 * SOL, 0]
    assert record.post_balances[:2] == [999 * SOL - SIGNATURE_FEE, SOL]
    assert record.meta.fee() == SIGNATURE_FEE


def test_failed_transaction_lands_and_pays_its_fee(chain: LocalChain) -> None:
    payer, to = rich(chain), Keypair().pubkey()
    transaction = pay(chain.latest_blockhash(), payer, to, 5000 * SOL)
    record = chain.submit(transaction)
    assert record.error == {"InstructionError": [0, {"Custom": 1}]}
    assert record.post_balances[:2] == [1000 * SOL - SIGNATURE_FEE, 0]
    assert chain.history.get(transaction.signatures[0]) is record


def test_payer_without_money_is_refused_and_leaves_no_trace(chain: LocalChain) -> None:
    transaction = pay(chain.latest_blockhash(), Keypair(), Keypair().pubkey(), 1)
    with pytest.raises(TransactionRefused) as refusal:
        chain.submit(transaction)
    assert refusal.value.error == "AccountNotFound"
    assert chain.history.get(transaction.signatures[0]) is None


def test_bad_signature_is_refused(chain: LocalChain) -> None:
    good = pay(chain.latest_blockhash(), rich(chain), Keypair().pubkey(), SOL)
    forged = VersionedTransaction.populate(good.message, [Keypair().sign_message(b"something else")])
    with pytest.raises(TransactionRefused) as refusal:
        chain.submit(forged)
    assert refusal.value.error == "SignatureFailure"


def test_replay_is_refused_while_its_blockhash_lives(chain: LocalChain) -> None:
    payer = rich(chain)
    transaction = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    chain.submit(transaction)
    # More than LiteSVM itself remembers.
    for lamports in range(SOL, SOL + 100):
        chain.submit(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), lamports))
        chain.begin_block()
    with pytest.raises(TransactionRefused) as refusal:
        chain.submit(transaction)
    assert refusal.value.error == "AlreadyProcessed"


def test_history_limit_never_forgets_what_could_be_replayed() -> None:
    chain = LocalChain(history_limit=10)
    payer = rich(chain)
    blockhash = chain.latest_blockhash()
    transactions = [pay(blockhash, payer, Keypair().pubkey(), SOL // 100 + i) for i in range(1200)]
    for transaction in transactions:
        chain.submit(transaction)
    with pytest.raises(TransactionRefused, match="already been processed"):
        chain.submit(transactions[0])
    chain.begin_blocks(BLOCKHASH_AGE + 1)
    chain.submit(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL))
    assert chain.history.get(transactions[0].signatures[0]) is None
    assert chain.history.get(transactions[-1].signatures[0]) is not None
    assert len(list(chain.history.newest_first(payer.pubkey()))) < 1200


def test_blockhash_lives_exactly_150_blocks(chain: LocalChain) -> None:
    payer = rich(chain)
    blockhash, last_height = chain.timeline.latest_blockhash("processed")
    first, second = (pay(blockhash, payer, Keypair().pubkey(), SOL + i) for i in range(2))
    chain.begin_blocks(last_height - chain.timeline.height)
    assert chain.timeline.height == last_height
    chain.submit(first)
    chain.begin_block()
    with pytest.raises(TransactionRefused) as refusal:
        chain.submit(second)
    assert refusal.value.error == "BlockhashNotFound"


def test_equal_airdrops_in_one_block_are_different_transactions(chain: LocalChain) -> None:
    to = Keypair().pubkey()
    assert len({chain.airdrop(to, SOL).signature for _ in range(3)}) == 3
    account = chain.get_account(to)
    assert account is not None
    assert account.lamports == 3 * SOL


def test_programs_see_slot_clock_and_slot_hashes(chain: LocalChain) -> None:
    chain.begin_blocks(5)
    chain.advance(3600)
    clock = chain.get_account(Pubkey.from_string("SysvarC1ock11111111111111111111111111111111"))
    hashes = chain.get_account(Pubkey.from_string("SysvarS1otHashes111111111111111111111111111"))
    assert clock is not None
    assert hashes is not None
    assert int.from_bytes(clock.data[:8], "little") == chain.slot == 6 + 3600 * 1000 // 400
    assert int.from_bytes(clock.data[32:40], "little") == chain.unix_time == 1_800_003_600
    # Newest entry: the last complete block, which is not the slot just before the skipped ones.
    assert int.from_bytes(hashes.data[8:16], "little") == 6
    assert hashes.data[16:48] == bytes(chain.timeline.bank_hash(chain.timeline.height - 1))


def test_time_cannot_go_backwards(chain: LocalChain) -> None:
    with pytest.raises(LocalnetError):
        chain.advance(-1)
    with pytest.raises(LocalnetError):
        chain.begin_block(slot=chain.slot)


def test_account_reads_follow_commitment(chain: LocalChain) -> None:
    to = Keypair().pubkey()

    def seen() -> list[int | None]:
        accounts = [chain.get_account(to, level) for level in ("processed", "confirmed", "finalized")]
        return [account.lamports if account else None for account in accounts]

    chain.airdrop(to, SOL)
    assert seen() == [SOL, None, None]
    chain.begin_block()
    chain.airdrop(to, SOL)
    assert seen() == [2 * SOL, SOL, None]
    chain.begin_blocks(FINALIZED_LAG - 1)
    assert seen() == [2 * SOL, 2 * SOL, SOL]
    chain.begin_block()
    assert seen() == [2 * SOL, 2 * SOL, 2 * SOL]


def test_program_accounts_follow_commitment(chain: LocalChain) -> None:
    owner, address = Keypair().pubkey(), Keypair().pubkey()
    chain.set_account(address, rent_exempt(b"one", owner))
    assert address in chain.get_program_accounts(owner)
    assert chain.get_program_accounts(owner, "confirmed") == {}
    chain.begin_block()
    chain.set_account(address, rent_exempt(b"two", owner))
    assert chain.get_program_accounts(owner)[address].data == b"two"
    assert chain.get_program_accounts(owner, "confirmed")[address].data == b"one"
    chain.set_account(address, Account(0, b"", owner, False, 0))
    assert chain.get_program_accounts(owner) == {}
    assert chain.get_program_accounts(owner, "confirmed")[address].data == b"one"


def test_token_balances_before_and_after(chain: LocalChain) -> None:
    payer, mint, source, target = rich(chain), Keypair(), Keypair(), Keypair()
    owner = payer.pubkey()
    rent_mint, rent_account = chain.minimum_balance(MINT_SIZE), chain.minimum_balance(TOKEN_ACCOUNT_SIZE)
    setup = [
        *new_mint(payer, mint, rent_mint, 6),
        *new_token_account(payer, source, rent_account, mint.pubkey(), owner),
        *new_token_account(payer, target, rent_account, mint.pubkey(), owner),
        mint_tokens(mint.pubkey(), source.pubkey(), owner, 1_000_000),
    ]
    made = chain.submit(signed(chain.latest_blockhash(), [payer, mint, source, target], setup))
    assert made.error is None
    assert made.pre_tokens == []
    assert {balance.amount for balance in made.post_tokens} == {0, 1_000_000}
    move = transfer_checked(
        TransferCheckedParams(
            program_id=TOKEN_PROGRAM,
            source=source.pubkey(),
            mint=mint.pubkey(),
            dest=target.pubkey(),
            owner=owner,
            amount=250_000,
            decimals=6,
        )
    )
    moved = chain.submit(signed(chain.latest_blockhash(), [payer], [move]))
    before = {moved.keys[balance.account_index]: balance for balance in moved.pre_tokens}
    after = {moved.keys[balance.account_index]: balance for balance in moved.post_tokens}
    assert (before[source.pubkey()].amount, after[source.pubkey()].amount) == (1_000_000, 750_000)
    assert (before[target.pubkey()].amount, after[target.pubkey()].amount) == (0, 250_000)
    assert {(b.mint, b.owner, b.program, b.decimals) for b in moved.post_tokens} == {
        (mint.pubkey(), owner, TOKEN_PROGRAM, 6)
    }


def test_lookup_table_keys_are_resolved(chain: LocalChain) -> None:
    payer, to, table = rich(chain), Keypair().pubkey(), Keypair().pubkey()
    # Type 1, never deactivated, extended in slot 0, no authority; then the addresses.
    meta = (1).to_bytes(4, "little") + b"\xff" * 8 + bytes(8) + bytes(1) + bytes(33) + bytes(2)
    chain.set_account(table, rent_exempt(meta + bytes(to), LOOKUP_TABLE_PROGRAM))
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    lookup = AddressLookupTableAccount(table, [to])
    message = MessageV0.try_compile(payer.pubkey(), [move], [lookup], chain.latest_blockhash())
    record = chain.submit(VersionedTransaction(message, [payer]))
    assert record.error is None
    assert record.loaded_writable == 1
    assert record.keys[-1] == to
    assert record.post_balances[-1] - record.pre_balances[-1] == SOL


def test_missing_lookup_table_is_refused(chain: LocalChain) -> None:
    payer, to = rich(chain), Keypair().pubkey()
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    lookup = AddressLookupTableAccount(Keypair().pubkey(), [to])
    message = MessageV0.try_compile(payer.pubkey(), [move], [lookup], chain.latest_blockhash())
    with pytest.raises(TransactionRefused) as refusal:
        chain.submit(VersionedTransaction(message, [payer]))
    assert refusal.value.error == "AddressLookupTableNotFound"


def test_durable_nonce_outlives_blockhashes_and_works_once(chain: LocalChain) -> None:
    payer, nonce, to = rich(chain), Keypair(), Keypair().pubkey()
    create = create_nonce_account(payer.pubkey(), nonce.pubkey(), payer.pubkey(), 10 * SOL)
    assert chain.submit(signed(chain.latest_blockhash(), [payer, nonce], create)).error is None
    chain.begin_blocks(BLOCKHASH_AGE * 2)
    account = chain.get_account(nonce.pubkey())
    assert account is not None
    stored = type(chain.latest_blockhash())(account.data[40:72])
    advance = advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=nonce.pubkey(), authorized_pubkey=payer.pubkey())
    )
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    transaction = signed(stored, [payer], [advance, move])
    assert chain.submit(transaction).error is None
    again = signed(
        stored, [payer], [advance, transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=2 * SOL))]
    )
    with pytest.raises(TransactionRefused) as refusal:
        chain.submit(again)
    assert refusal.value.error == "BlockhashNotFound"


def test_legacy_transaction(chain: LocalChain) -> None:
    payer, to = rich(chain), Keypair().pubkey()
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    blockhash = chain.latest_blockhash()
    transaction = Transaction([payer], Message.new_with_blockhash([move], payer.pubkey(), blockhash), blockhash)
    assert chain.submit(transaction).error is None


def test_deployed_program_runs_and_names_its_upgrade_authority(chain: LocalChain) -> None:
    program_id, authority = Keypair().pubkey(), Keypair().pubkey()
    elf = token_program_elf(chain)
    for target in (LocalChain(Genesis({program_id: elf}, upgrade_authority=authority)), chain):
        if target is chain:
            target.begin_blocks(3)
            target.add_program(program_id, elf, authority)
        data = target.get_account(program_data_address(program_id))
        assert data is not None
        assert data.owner == UPGRADEABLE_LOADER
        assert data.data[12:45] == b"\x01" + bytes(authority)
        assert int.from_bytes(data.data[4:12], "little") == (target.slot if target is chain else 0)
        call = Instruction(program_id, b"\x11", [AccountMeta(Keypair().pubkey(), False, True)])
        record = target.submit(signed(target.latest_blockhash(), [rich(target)], [call]))
        assert f"Program {program_id} invoke [1]" in record.logs
        assert record.error is not None


def test_what_is_not_a_program_is_refused() -> None:
    with pytest.raises(GenesisError):
        LocalChain(Genesis({Keypair().pubkey(): b"#!/bin/sh"}))


def test_simulation_has_no_effect(chain: LocalChain) -> None:
    payer, to = rich(chain), Keypair().pubkey()
    transaction = pay(chain.latest_blockhash(), payer, to, SOL)
    result = chain.simulate(transaction)
    assert result.error is None
    assert result.accounts[to].lamports == SOL
    assert chain.get_account(to) is None
    unsigned = VersionedTransaction.populate(transaction.message, [type(transaction.signatures[0]).default()])
    assert chain.simulate(unsigned).error == "SignatureFailure"
    assert chain.simulate(unsigned, verify=False).error is None
    # Transactions that are sent are checked again.
    with pytest.raises(TransactionRefused, match="signature verification"):
        chain.submit(unsigned)
